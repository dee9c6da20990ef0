//! What a credential claims: JSON as it was written, with an index over it.
//!
//! A token is read once and its claims are looked at a few times, so no value is taken out before somebody asks
//! for it: the text is kept with a list of where its members lie. The map of values that expressions read is made
//! when it is first asked for.

mod read;
mod view;

pub use view::{Json, Nested};

use serde_json::{Map, Value};
use std::fmt;
use std::sync::OnceLock;

/// Claims of a credential, whose names are distinct at every depth.
#[derive(Default)]
pub struct Claims {
    /// The text, and behind it what was written with escapes.
    text: String,
    /// Every member and item, each before what is in it.
    nodes: Vec<Node>,
    map: OnceLock<Box<Map<String, Value>>>,
}

/// A member of an object or an item of a list.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// Empty for items.
    name: Span,
    /// The content of a text, the digits of a number.
    value: Span,
    /// The place behind what is in it.
    end: u32,
    kind: Kind,
}

const _: () = assert!(size_of::<Node>() == 24, "many are made for each token");

/// A part of the text, in bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    start: u32,
    len: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Null,
    True,
    False,
    Number,
    Text,
    List,
    Object,
}

impl Claims {
    /// Reads an object strictly (RFC 8259): in UTF-8, its names distinct at every depth, since of two readers of
    /// `{"sub":"a","sub":"b"}` each may take another one (RFC 7519 section 4); nested at most 127 deep; numbers
    /// within what 64 bits can say.
    #[must_use]
    pub fn read(text: Vec<u8>) -> Option<Self> {
        let mut text = String::from_utf8(text).ok()?;
        let (nodes, unescaped) = read::read(&text)?;
        text.push_str(&unescaped);
        Some(Self { text, nodes, map: OnceLock::new() })
    }

    /// The claim of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Json<'_>> {
        self.all().get(name)
    }

    /// Whether there is a claim of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A claim by its name, else by a path of names with dots between them, such as
    /// `realm_access.roles`. A name that itself holds dots (as a URL does) is found first.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<Json<'_>> {
        if let Some(value) = self.get(path) {
            return Some(value);
        }
        let (first, rest) = path.split_once('.')?;
        rest.split('.').try_fold(self.get(first)?, |value, name| match value {
            Json::Object(members) => members.get(name),
            _ => None,
        })
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Nested<'_> {
        Nested::new(self, 0, self.nodes.len())
    }

    /// All of them as a map, made when it is first asked for.
    #[must_use]
    pub fn map(&self) -> &Map<String, Value> {
        self.map.get_or_init(|| Box::new(self.all().to_map()))
    }

    /// About how many bytes of memory they take beyond their own size, with the map that is made of them.
    #[must_use]
    pub fn weight(&self) -> usize {
        // In the map: a text, a value, a hash and a place in the index.
        const MEMBER: usize = size_of::<(String, Value)>() + 3 * size_of::<usize>();
        let made = |node: &Node| if node.name.start == 0 { size_of::<Value>() } else { MEMBER };
        let map = self.nodes.iter().map(made).fold(self.text.len(), usize::saturating_add);
        let own =
            self.nodes.capacity().saturating_mul(size_of::<Node>()).saturating_add(self.text.capacity());
        own.saturating_add(map)
    }
}

impl From<Map<String, Value>> for Claims {
    /// Nothing where they are nested too deep, which no map that was read is.
    fn from(map: Map<String, Value>) -> Self {
        Self::read(Value::Object(map).to_string().into_bytes()).unwrap_or_default()
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.map().fmt(formatter)
    }
}

impl PartialEq for Claims {
    fn eq(&self, other: &Self) -> bool {
        self.map() == other.map()
    }
}

#[cfg(test)]
mod tests;
