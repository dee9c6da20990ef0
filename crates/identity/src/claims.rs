//! What a credential claims: JSON as it was written, with an index over it.
//!
//! A token is read once and its claims are looked at a few times, so no value is taken out before somebody asks
//! for it: the text is kept, and where its members lie is listed. The list is given back when a token was verified,
//! since most claims are never looked at again, and made anew where they are; so is the map of values that
//! expressions read. Memory that is kept for each of many tokens is in no cache of the processor when it is used
//! again: less of it is quicker.

mod read;
mod view;

pub use view::{Json, Nested};

use serde_json::{Map, Value};
use std::cell::Cell;
use std::fmt;
use std::sync::OnceLock;

/// Claims of a credential, whose names are distinct at every depth.
#[derive(Default)]
pub struct Claims {
    /// The text, and behind it what was written with escapes.
    text: String,
    /// How much of it was written.
    written: usize,
    /// What the list and the map weigh.
    made: usize,
    /// Every member and item, each before what is in it.
    nodes: OnceLock<Vec<Node>>,
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

/// Members in a list that is kept for the next claims.
const MOST_SPARE: usize = 1024;

thread_local! {
    static SPARE: Cell<Vec<Node>> = const { Cell::new(Vec::new()) };
}

impl Claims {
    /// Reads an object strictly (RFC 8259): in UTF-8, its names distinct at every depth, since of two readers of
    /// `{"sub":"a","sub":"b"}` each may take another one (RFC 7519 section 4); nested at most 127 deep; numbers
    /// within what 64 bits can say.
    #[must_use]
    pub fn read(text: Vec<u8>) -> Option<Self> {
        let mut text = String::from_utf8(text).ok()?;
        let (nodes, unescaped) = read::read(&text, SPARE.take())?;
        let written = text.len();
        text.push_str(&unescaped);
        // In the map: a text, a value, a hash and a place in the index.
        const MEMBER: usize = size_of::<(String, Value)>() + 3 * size_of::<usize>();
        let weight = |node: &Node| if node.name.start == 0 { size_of::<Value>() } else { MEMBER };
        let made = nodes.iter().map(weight).fold(size_of_val(&*nodes), usize::saturating_add);
        Some(Self { text, written, made, nodes: nodes.into(), map: OnceLock::new() })
    }

    /// Gives the list of the members back, for the next claims that are read on this thread.
    pub fn set_aside(&mut self) {
        if let Some(mut nodes) = self.nodes.take().filter(|nodes| nodes.capacity() <= MOST_SPARE) {
            nodes.clear();
            SPARE.set(nodes);
        }
    }

    fn nodes(&self) -> &[Node] {
        self.nodes.get_or_init(|| {
            // It was read before, so it can be read again.
            let text = self.text.get(..self.written).unwrap_or_default();
            let (mut nodes, _) = read::read(text, Vec::new()).unwrap_or_default();
            nodes.shrink_to_fit();
            nodes
        })
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
        Nested::new(self, 0, self.nodes().len())
    }

    /// All of them as a map, made when it is first asked for.
    #[must_use]
    pub fn map(&self) -> &Map<String, Value> {
        self.map.get_or_init(|| Box::new(self.all().to_map()))
    }

    /// About how many bytes of memory they take beyond their own size, with what is made of them when it is asked for.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.text.capacity().saturating_add(self.text.len()).saturating_add(self.made)
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
