//! Looking at claims without taking them out.

use super::{Claims, Kind, Node, Span};
use serde_json::{Map, Number, Value};
use std::fmt;

/// A value, as far as it was looked at.
#[derive(Clone, Copy)]
pub enum Json<'c> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as it was written.
    Number(&'c str),
    /// A text, its escapes undone.
    Text(&'c str),
    /// A list.
    List(Nested<'c>),
    /// An object.
    Object(Nested<'c>),
}

/// What is in a list or an object.
#[derive(Clone, Copy)]
pub struct Nested<'c> {
    claims: &'c Claims,
    from: usize,
    to: usize,
}

impl<'c> Json<'c> {
    /// The text, if it is one.
    #[must_use]
    pub const fn as_str(self) -> Option<&'c str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub fn as_number(self) -> Option<Number> {
        match self {
            // It was read as one before.
            Self::Number(digits) => serde_json::from_str(digits).ok(),
            _ => None,
        }
    }

    /// The number, if it is a whole one that is not negative.
    #[must_use]
    pub fn as_u64(self) -> Option<u64> {
        match self {
            Self::Number(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
            _ => None,
        }
    }

    /// The value by itself.
    #[must_use]
    pub fn to_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(truth) => Value::Bool(truth),
            Self::Number(_) => self.as_number().map_or(Value::Null, Value::Number),
            Self::Text(text) => Value::String(text.to_owned()),
            Self::List(items) => Value::Array(items.values().map(Json::to_value).collect()),
            Self::Object(members) => Value::Object(members.to_map()),
        }
    }
}

impl PartialEq for Json<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.to_value() == other.to_value()
    }
}

impl fmt::Debug for Json<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_value().fmt(formatter)
    }
}

impl<'c> Nested<'c> {
    pub(super) const fn new(claims: &'c Claims, from: usize, to: usize) -> Self {
        Self { claims, from, to }
    }

    /// The member of this name.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Json<'c>> {
        let text = self.claims.text.as_bytes();
        let is_named = |node: &Node| {
            let start = node.name.start as usize;
            let own = || text.get(start..start.saturating_add(name.len()));
            // Of many names as long, few begin alike.
            node.name.len as usize == name.len()
                && name.as_bytes().first().is_none_or(|first| text.get(start) == Some(first))
                && own() == Some(name.as_bytes())
        };
        let (mut place, nodes) = (self.from, self.claims.nodes().get(..self.to)?);
        loop {
            let node = nodes.get(place)?;
            if is_named(node) {
                return Some(self.value(place, node));
            }
            place = node.end as usize;
        }
    }

    /// The members of an object, in order.
    pub fn members(self) -> impl Iterator<Item = (&'c str, Json<'c>)> {
        self.nodes().map(move |(place, node)| (self.text(node.name), self.value(place, node)))
    }

    /// The items of a list, or the values of an object, in order.
    pub fn values(self) -> impl Iterator<Item = Json<'c>> {
        self.nodes().map(move |(place, node)| self.value(place, node))
    }

    /// All of them as a map.
    #[must_use]
    pub fn to_map(self) -> Map<String, Value> {
        let mut map = Map::with_capacity(self.nodes().count());
        map.extend(self.members().map(|(name, value)| (name.to_owned(), value.to_value())));
        map
    }

    fn nodes(self) -> impl Iterator<Item = (usize, &'c Node)> {
        let mut next = self.from;
        let nodes = self.claims.nodes().get(..self.to).unwrap_or_default();
        std::iter::from_fn(move || {
            let place = next;
            let node = nodes.get(place)?;
            next = node.end as usize;
            Some((place, node))
        })
    }

    fn text(self, span: Span) -> &'c str {
        let start = span.start as usize;
        self.claims.text.get(start..start.saturating_add(span.len as usize)).unwrap_or_default()
    }

    fn value(self, place: usize, node: &Node) -> Json<'c> {
        let nested = || Self::new(self.claims, place.saturating_add(1), node.end as usize);
        match node.kind {
            Kind::Null => Json::Null,
            Kind::True => Json::Bool(true),
            Kind::False => Json::Bool(false),
            Kind::Number => Json::Number(self.text(node.value)),
            Kind::Text => Json::Text(self.text(node.value)),
            Kind::List => Json::List(nested()),
            Kind::Object => Json::Object(nested()),
        }
    }
}
