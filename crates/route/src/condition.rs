//! Conditions on header fields and query parameters.

use crate::pattern::AnchoredRegex;
use crate::request::RequestView;
use std::borrow::Cow;

/// What is asked of a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValueTest {
    /// There is exactly one, and it is this.
    Exact(Box<str>),
    /// There is exactly one, and this expression matches all of it.
    Regex(AnchoredRegex),
    /// Whether there is any.
    Present(bool),
}

/// How often a value occurs, and the first.
pub(crate) struct Values<'a> {
    pub(crate) count: usize,
    pub(crate) first: Option<Cow<'a, [u8]>>,
}

impl ValueTest {
    fn holds(&self, values: &Values<'_>) -> bool {
        match (self, values) {
            (Self::Present(wanted), values) => *wanted == (values.count > 0),
            // Two lines are two readings: neither is believed.
            (Self::Exact(exact), Values { count: 1, first: Some(value) }) => exact.as_bytes() == &**value,
            (Self::Regex(regex), Values { count: 1, first: Some(value) }) => regex.is_match(value),
            (Self::Exact(_) | Self::Regex(_), _) => false,
        }
    }

    /// Whether one request can satisfy both; `None` when that cannot be told.
    pub(crate) fn compatible(&self, other: &Self) -> Option<bool> {
        Some(match (self, other) {
            (Self::Present(one), Self::Present(other)) => one == other,
            (Self::Present(present), _) | (_, Self::Present(present)) => *present,
            (Self::Exact(one), Self::Exact(other)) => one == other,
            (Self::Exact(exact), Self::Regex(regex)) | (Self::Regex(regex), Self::Exact(exact)) => {
                regex.is_match(exact.as_bytes())
            }
            (Self::Regex(one), Self::Regex(other)) if one == other => true,
            (Self::Regex(_), Self::Regex(_)) => return None,
        })
    }

    /// A value that satisfies it; `None` for an absent one.
    pub(crate) fn example(&self) -> Option<String> {
        match self {
            Self::Exact(exact) => Some(exact.to_string()),
            Self::Regex(regex) => regex.example(),
            Self::Present(true) => Some("x".into()),
            Self::Present(false) => None,
        }
    }
}

/// A condition on a header field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeaderCondition {
    /// The field's name, in lower case.
    pub name: Box<str>,
    /// What is asked.
    pub test: ValueTest,
}

impl HeaderCondition {
    pub(crate) fn holds(&self, request: &impl RequestView) -> bool {
        let (count, first) = request.header(&self.name);
        self.test.holds(&Values { count, first: first.map(Cow::Borrowed) })
    }
}

/// A condition on a query parameter, compared after percent-decoding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryCondition {
    /// The parameter's name.
    pub name: Box<str>,
    /// What is asked.
    pub test: ValueTest,
}

impl QueryCondition {
    pub(crate) fn holds(&self, request: &impl RequestView) -> bool {
        let mut values = Values { count: 0, first: None };
        for pair in request.query().unwrap_or_default().split(|byte| *byte == b'&') {
            let cut = memchr::memchr(b'=', pair).unwrap_or(pair.len());
            let (name, value) = pair.split_at_checked(cut).unwrap_or((pair, b""));
            if !name.is_empty() && *decode(name) == *self.name.as_bytes() {
                values.count = values.count.saturating_add(1);
                values.first.get_or_insert_with(|| decode(value.get(1..).unwrap_or_default()));
            }
        }
        self.test.holds(&values)
    }
}

/// `application/x-www-form-urlencoded`: `+` is a space. What is no escape stays as it is.
fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'+', _) => decoded.push(b' '),
            (b'%', [high, low, tail @ ..]) => match crate::normalize::decode_escape(*high, *low) {
                Some(value) => {
                    decoded.push(value);
                    rest = tail;
                }
                None => decoded.push(byte),
            },
            _ => decoded.push(byte),
        }
    }
    Cow::Owned(decoded)
}
