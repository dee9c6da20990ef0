//! Filling the trees.

use super::tree::{Expression, Hosts, Leaf, Node, Ports, Tree};
use crate::pattern::{AnchoredRegex, Ending, HostKind, HostPattern, Segment};
use crate::rank::{below_method, expressions};
use crate::spec::RouteSpec;

pub(super) fn build(specs: &[RouteSpec]) -> Hosts {
    let mut hosts = Hosts::default();
    for (number, spec) in specs.iter().enumerate() {
        // More routes than fit a u32 would need more memory than there is.
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        if spec.hosts.is_empty() {
            insert(hosts.any.get_or_insert_default(), spec, number);
        }
        for host in &spec.hosts {
            insert(tree_of(&mut hosts, host), spec, number);
        }
    }
    let trees = hosts.exact.values_mut().chain(hosts.suffix.values_mut()).chain(hosts.prefix.values_mut());
    let trees = trees.flat_map(|ports| {
        ports.with_port.iter_mut().map(|(_, tree)| tree).chain(ports.without_port.as_mut())
    });
    for tree in trees.chain(hosts.any.as_mut()) {
        for node in &mut tree.nodes {
            finish(node, specs);
        }
    }
    hosts
}

fn tree_of<'h>(hosts: &'h mut Hosts, pattern: &HostPattern) -> &'h mut Tree {
    let (map, text) = match pattern.kind() {
        HostKind::Exact(text) => (&mut hosts.exact, text),
        HostKind::Suffix(text) => (&mut hosts.suffix, text),
        HostKind::Prefix(text) => (&mut hosts.prefix, text),
    };
    let Ports { with_port, without_port } = map.entry(text.as_bytes().into()).or_default();
    let Some(port) = pattern.port() else { return without_port.get_or_insert_default() };
    let place = match with_port.iter().position(|(known, _)| *known == port) {
        Some(place) => place,
        None => {
            with_port.push((port, Tree::default()));
            with_port.len().saturating_sub(1)
        }
    };
    &mut with_port.get_mut(place).expect("it was found or just pushed").1
}

fn insert(tree: &mut Tree, spec: &RouteSpec, number: u32) {
    let mut place = 0_u32;
    for segment in &spec.path.segments {
        let next = u32::try_from(tree.nodes.len()).unwrap_or(u32::MAX);
        let node = node_at(tree, place);
        place = match segment {
            Segment::Literal(text) => match node.literals.get(text.as_bytes()) {
                Some(known) => *known,
                None => {
                    node.literals.insert(text.as_bytes().into(), next);
                    next
                }
            },
            Segment::One(_) => *node.one.get_or_insert(next),
        };
        if place == next {
            tree.nodes.push(Node::default());
        }
    }
    let node = node_at(tree, place);
    let leaf = match &spec.path.ending {
        Ending::End => &mut node.end,
        Ending::Rest(_) => &mut node.rest,
        Ending::Regex(regex) => expression(&mut node.expressions, regex, spec.priority),
    };
    leaf.routes.push(number);
}

fn node_at(tree: &mut Tree, place: u32) -> &mut Node {
    let place = usize::try_from(place).unwrap_or(usize::MAX);
    tree.nodes.get_mut(place).expect("numbers are given out with their nodes")
}

fn expression<'t>(known: &'t mut Vec<Expression>, regex: &AnchoredRegex, priority: i32) -> &'t mut Leaf {
    let same = |known: &Expression| known.priority == priority && known.regex == *regex;
    let place = match known.iter().position(same) {
        Some(place) => place,
        None => {
            known.push(Expression { regex: regex.clone(), priority, leaf: Leaf::default() });
            known.len().saturating_sub(1)
        }
    };
    &mut known.get_mut(place).expect("it was found or just pushed").leaf
}

/// Puts leaves and expressions into the order in which they are tried.
fn finish(node: &mut Node, specs: &[RouteSpec]) {
    let spec = |number: u32| usize::try_from(number).ok().and_then(|number| specs.get(number));
    let sort = |leaf: &mut Leaf| {
        leaf.routes.sort_by(|one, other| match (spec(*one), spec(*other)) {
            (Some(one), Some(other)) => below_method(one, other).0,
            _ => std::cmp::Ordering::Equal,
        });
        leaf.routes.shrink_to_fit();
    };
    sort(&mut node.end);
    sort(&mut node.rest);
    node.literals.shrink_to_fit();
    for expression in &mut node.expressions {
        sort(&mut expression.leaf);
    }
    node.expressions.sort_by(|one, other| {
        let first = |leaf: &Leaf| leaf.routes.first().copied().and_then(spec);
        match (first(&one.leaf), first(&other.leaf)) {
            (Some(one), Some(other)) => expressions(one, other),
            _ => std::cmp::Ordering::Equal,
        }
    });
}
