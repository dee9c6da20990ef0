//! Values at run time. What stands in the request, in a claim or in the expression is borrowed.

use crate::error::EvaluationError;
use serde_json::{Map, Value as Json};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

/// A value.
#[derive(Clone, Debug)]
pub enum Value<'v> {
    /// `null`
    Null,
    /// A bool.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Double(f64),
    /// Text.
    Text(Cow<'v, str>),
    /// Milliseconds since 1970-01-01 UTC.
    Timestamp(i64),
    /// Milliseconds.
    Duration(i64),
    /// Texts, such as roles.
    Texts(&'v [String]),
    /// Texts from two places, the shared ones first, such as groups.
    Joined(&'v [Arc<str>], &'v [String]),
    /// A list within a claim.
    Array(&'v [Json]),
    /// A map within a claim.
    Object(&'v Map<String, Json>),
    /// A list that the expression made.
    List(Rc<[Value<'v>]>),
}

impl<'v> Value<'v> {
    /// A borrowed text.
    #[must_use]
    pub const fn text(text: &'v str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// A map without anything in it.
    #[must_use]
    pub fn empty() -> Self {
        static EMPTY: LazyLock<Map<String, Json>> = LazyLock::new(Map::new);
        Self::Object(&EMPTY)
    }

    /// What stands in a claim.
    #[must_use]
    pub fn of_json(json: &'v Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(bool) => Self::Bool(*bool),
            Json::Number(number) => match number.as_i64() {
                Some(number) => Self::Int(number),
                None => Self::Double(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Self::text(text),
            Json::Array(list) => Self::Array(list),
            Json::Object(map) => Self::Object(map),
        }
    }

    /// What it is, for messages.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a bool",
            Self::Int(_) => "an int",
            Self::Double(_) => "a double",
            Self::Text(_) => "a string",
            Self::Timestamp(_) => "a timestamp",
            Self::Duration(_) => "a duration",
            Self::Texts(_) | Self::Joined(..) | Self::Array(_) | Self::List(_) => "a list",
            Self::Object(_) => "a map",
        }
    }

    pub(crate) const fn wrong(&self, wanted: &'static str) -> EvaluationError {
        EvaluationError::WrongKind { wanted, found: self.name() }
    }

    /// The bool.
    ///
    /// # Errors
    /// It is of another kind.
    pub fn bool(&self) -> Result<bool, EvaluationError> {
        if let Self::Bool(bool) = self { Ok(*bool) } else { Err(self.wrong("a bool")) }
    }

    /// The text.
    ///
    /// # Errors
    /// It is of another kind.
    pub fn as_text(&self) -> Result<&str, EvaluationError> {
        if let Self::Text(text) = self { Ok(text) } else { Err(self.wrong("a string")) }
    }

    /// The number of elements, if it is a list.
    pub(crate) fn list_len(&self) -> Option<usize> {
        match self {
            Self::Texts(list) => Some(list.len()),
            Self::Joined(shared, more) => Some(shared.len().saturating_add(more.len())),
            Self::Array(list) => Some(list.len()),
            Self::List(list) => Some(list.len()),
            _ => None,
        }
    }

    /// An element of a list.
    pub(crate) fn element(&self, place: usize) -> Option<Self> {
        match self {
            Self::Texts(list) => list.get(place).map(|text| Self::text(text)),
            Self::Joined(shared, more) => match place.checked_sub(shared.len()) {
                None => shared.get(place).map(|text| Self::text(text)),
                Some(place) => more.get(place).map(|text| Self::text(text)),
            },
            Self::Array(list) => list.get(place).map(Self::of_json),
            Self::List(list) => list.get(place).cloned(),
            _ => None,
        }
    }

    /// Whether two values are equal. Numbers compare by value whatever their kind; other kinds that differ
    /// are not equal. Lists and maps of claims are equal when all in them is.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(another)) => one == another,
            (Self::Text(one), Self::Text(another)) => one == another,
            (Self::Object(one), Self::Object(another)) => one == another,
            _ if self.list_len().is_some() => {
                self.list_len() == other.list_len()
                    && (0..self.list_len().unwrap_or(0)).all(|place| {
                        matches!((self.element(place), other.element(place)),
                            (Some(one), Some(another)) if one.equals(&another))
                    })
            }
            _ => self.order(other) == Some(Ordering::Equal),
        }
    }

    /// Which comes first; `None` for kinds that have no order between them.
    pub(crate) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(one), Self::Int(another)) => Some(one.cmp(another)),
            (Self::Double(one), Self::Double(another)) => one.partial_cmp(another),
            (Self::Int(one), Self::Double(another)) => mixed(*one, *another),
            (Self::Double(one), Self::Int(another)) => mixed(*another, *one).map(Ordering::reverse),
            (Self::Text(one), Self::Text(another)) => Some(one.as_ref().cmp(another.as_ref())),
            (Self::Bool(one), Self::Bool(another)) => Some(one.cmp(another)),
            (Self::Timestamp(one), Self::Timestamp(another))
            | (Self::Duration(one), Self::Duration(another)) => Some(one.cmp(another)),
            _ => None,
        }
    }

    /// Bytes that a comparison with it may look at.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Object(map) => map.len().saturating_mul(64),
            _ => self.list_len().unwrap_or(0).saturating_mul(16),
        }
    }
}

/// An exact comparison: no int is rounded into a double.
fn mixed(int: i64, double: f64) -> Option<Ordering> {
    // 2^63 is a double; every finite double in between has a whole part that is an i64.
    const EDGE: f64 = 9_223_372_036_854_775_808.0;
    if double.is_nan() {
        return None;
    }
    if double >= EDGE {
        return Some(Ordering::Less);
    }
    if double < -EDGE {
        return Some(Ordering::Greater);
    }
    #[allow(clippy::cast_possible_truncation, reason = "the range was just checked")]
    let whole = double.trunc() as i64;
    Some(int.cmp(&whole).then_with(|| 0.0_f64.partial_cmp(&double.fract()).unwrap_or(Ordering::Equal)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_value_without_rounding() {
        let big = 9_007_199_254_740_993_i64; // 2^53 + 1 has no double of its own
        assert_eq!(mixed(big, 9_007_199_254_740_992.0), Some(Ordering::Greater));
        assert_eq!(mixed(1, 1.5), Some(Ordering::Less));
        assert_eq!(mixed(-1, -1.5), Some(Ordering::Greater));
        assert_eq!(mixed(i64::MAX, 9.3e18), Some(Ordering::Less));
        assert_eq!(mixed(i64::MIN, f64::NEG_INFINITY), Some(Ordering::Greater));
        assert_eq!(mixed(0, f64::NAN), None);
        assert!(Value::Int(1).equals(&Value::Double(1.0)));
        assert!(!Value::Int(1).equals(&Value::text("1")));
    }
}
