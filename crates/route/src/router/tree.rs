//! The compiled form.

use crate::hash::FixedMap;
use crate::pattern::AnchoredRegex;

/// One tree for each host pattern, by the text that is compared.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    pub(super) exact: FixedMap<Box<[u8]>, Ports>,
    /// Keys begin with a dot.
    pub(super) suffix: FixedMap<Box<[u8]>, Ports>,
    /// Keys end with a dot.
    pub(super) prefix: FixedMap<Box<[u8]>, Ports>,
    pub(super) any: Option<Tree>,
}

/// The trees of one name: those with a port come first.
#[derive(Debug, Default)]
pub(super) struct Ports {
    pub(super) with_port: Vec<(u16, Tree)>,
    pub(super) without_port: Option<Tree>,
}

/// Nodes by number; the first is the root.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
}

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

/// A place in a path.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// By the bytes of the segment.
    pub(super) literals: FixedMap<Box<[u8]>, u32>,
    pub(super) one: Option<u32>,
    pub(super) end: Leaf,
    /// In the order in which they are tried.
    pub(super) expressions: Vec<Expression>,
    pub(super) rest: Leaf,
}

/// Routes whose regular expression begins at a node.
#[derive(Debug)]
pub(super) struct Expression {
    pub(super) regex: AnchoredRegex,
    pub(super) priority: i32,
    pub(super) leaf: Leaf,
}

/// Routes of one path pattern, by number; more conditions and a higher priority first.
#[derive(Debug, Default)]
pub(super) struct Leaf {
    pub(super) routes: Vec<u32>,
}
