//! The lookup.

use super::tree::{Hosts, Leaf, Node, Ports, Tree};
use super::{Allow, Outcome};
use crate::pattern::{LowerHost, split_segment};
use crate::request::RequestView;
use crate::spec::{MethodMatch, RouteSpec};
use std::ops::ControlFlow;

/// What is done with each leaf whose host and path match; breaking ends the walk.
type Visit<'v> = dyn FnMut(&Leaf) -> ControlFlow<usize> + 'v;

pub(super) fn find(hosts: &Hosts, specs: &[RouteSpec], request: &impl RequestView) -> Outcome {
    let path = request.path();
    let method = request.method();
    let spec =
        |number: &u32| usize::try_from(*number).ok().and_then(|number| Some((number, specs.get(number)?)));
    let mut refused = false;
    let found = walk_hosts(hosts, request, path, &mut |leaf| {
        let mut best: Option<(MethodMatch, usize)> = None;
        for (number, spec) in leaf.routes.iter().filter_map(spec) {
            let Some(class) = spec.method_match(method) else {
                refused = true;
                continue;
            };
            // The leaf is sorted by all that comes after the method.
            if best.is_none_or(|(known, _)| class < known) && spec.conditions_hold(request) {
                best = Some((class, number));
            }
        }
        best.map_or(ControlFlow::Continue(()), |(_, number)| ControlFlow::Break(number))
    });
    if let ControlFlow::Break(route) = found {
        return Outcome::Matched { route };
    }
    if !refused {
        return Outcome::NotFound;
    }
    let mut methods = Vec::new();
    let _ = walk_hosts(hosts, request, path, &mut |leaf| {
        let matching = leaf.routes.iter().filter_map(spec).filter(|(_, spec)| spec.conditions_hold(request));
        methods.extend(matching.flat_map(|(_, spec)| spec.methods.iter().map(ToString::to_string)));
        ControlFlow::Continue(())
    });
    if methods.is_empty() {
        return Outcome::NotFound;
    }
    Outcome::MethodNotAllowed { allow: Allow::new(methods.into_iter()) }
}

/// Visits every route that takes the request, in the order of precedence.
pub(super) fn each(
    hosts: &Hosts,
    specs: &[RouteSpec],
    request: &impl RequestView,
    visit: &mut dyn FnMut(usize) -> ControlFlow<()>,
) {
    let method = request.method();
    let classes = [MethodMatch::Named, MethodMatch::GetForHead, MethodMatch::Any];
    let _ = walk_hosts(hosts, request, request.path(), &mut |leaf| {
        // The leaf is sorted by all that comes after the method.
        for class in classes {
            for number in leaf.routes.iter().filter_map(|number| usize::try_from(*number).ok()) {
                let takes = specs.get(number).is_some_and(|spec| {
                    spec.method_match(method) == Some(class) && spec.conditions_hold(request)
                });
                if takes && visit(number).is_break() {
                    return ControlFlow::Break(number);
                }
            }
        }
        ControlFlow::Continue(())
    });
}

fn walk_hosts(
    hosts: &Hosts,
    request: &impl RequestView,
    path: &[u8],
    visit: &mut Visit<'_>,
) -> ControlFlow<usize> {
    let named = !(hosts.exact.is_empty() && hosts.suffix.is_empty() && hosts.prefix.is_empty());
    if named {
        let host = LowerHost::new(request.host());
        let host = host.as_str().as_bytes();
        let port = request.port();
        if let Some(ports) = hosts.exact.get(host) {
            walk_ports(ports, port, path, visit)?;
        }
        if !hosts.suffix.is_empty() {
            // From the left: the longest suffix first. One label at least must stand before it.
            for dot in memchr::memchr_iter(b'.', host).filter(|dot| *dot > 0) {
                if let Some(ports) = host.get(dot..).and_then(|suffix| hosts.suffix.get(suffix)) {
                    walk_ports(ports, port, path, visit)?;
                }
            }
        }
        if !hosts.prefix.is_empty() {
            // From the right: the longest prefix first. One label at least must follow it.
            for dot in memchr::memrchr_iter(b'.', host) {
                let (prefix, rest) = host.split_at_checked(dot.saturating_add(1)).unwrap_or_default();
                if let Some(ports) = hosts.prefix.get(prefix).filter(|_| !rest.is_empty()) {
                    walk_ports(ports, port, path, visit)?;
                }
            }
        }
    }
    hosts.any.as_ref().map_or(ControlFlow::Continue(()), |tree| walk(tree, path, visit))
}

fn walk_ports(ports: &Ports, port: Option<u16>, path: &[u8], visit: &mut Visit<'_>) -> ControlFlow<usize> {
    let with_port = ports.with_port.iter().find(|(known, _)| Some(*known) == port).map(|(_, tree)| tree);
    for tree in with_port.into_iter().chain(&ports.without_port) {
        walk(tree, path, visit)?;
    }
    ControlFlow::Continue(())
}

fn walk(tree: &Tree, path: &[u8], visit: &mut Visit<'_>) -> ControlFlow<usize> {
    match tree.nodes.first() {
        Some(root) => step(tree, root, path.strip_prefix(b"/"), path, visit),
        None => ControlFlow::Continue(()),
    }
}

/// Visits the leaves under a node, more specific ones first. `rest` is what follows the last slash passed;
/// `None` when there was no more slash.
fn step(
    tree: &Tree,
    node: &Node,
    rest: Option<&[u8]>,
    path: &[u8],
    visit: &mut Visit<'_>,
) -> ControlFlow<usize> {
    let child = |number: u32| usize::try_from(number).ok().and_then(|number| tree.nodes.get(number));
    match rest {
        Some(rest) => {
            let (segment, next) = split_segment(rest);
            if let Some(child) = node.literals.get(segment).copied().and_then(child) {
                step(tree, child, next, path, visit)?;
            }
            if let Some(child) = node.one.and_then(child).filter(|_| !segment.is_empty()) {
                step(tree, child, next, path, visit)?;
            }
        }
        None if !node.end.routes.is_empty() => visit(&node.end)?,
        None => {}
    }
    for expression in &node.expressions {
        if expression.regex.is_match(path) {
            visit(&expression.leaf)?;
        }
    }
    if node.rest.routes.is_empty() { ControlFlow::Continue(()) } else { visit(&node.rest) }
}
