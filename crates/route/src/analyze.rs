//! What is wrong with a set of routes before any request has come.
//!
//! Two routes can only be equal in rank when they have a host pattern in common (or both have none) and
//! path patterns of the same shape: equal literals, wildcards at the same places, the same ending. So it is
//! enough to compare routes of one shape, which keeps the work near the number of routes. Nothing is
//! reported on suspicion: two conditions with different regular expressions, of which nobody can say whether
//! one value satisfies both, are no finding.

pub(crate) mod example;

use crate::hash::FixedMap;
use crate::pattern::{Ending, HostPattern, Segment};
use crate::request::ExampleRequest;
use crate::spec::RouteSpec;

/// Two routes that match a common request without one coming first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteConflict {
    /// The place of the one that was written first.
    pub first: usize,
    /// The place of the other.
    pub second: usize,
    /// Whether they ask for exactly the same; else they only overlap.
    pub duplicate: bool,
    /// A request that both take.
    pub example: Option<ExampleRequest>,
}

/// Something that [`analyze`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteFinding {
    /// Two routes that cannot be told apart.
    Conflict(RouteConflict),
    /// A route that can never win.
    Shadowed {
        /// Its place.
        route: usize,
        /// The place of the route that takes all its requests.
        by: usize,
        /// A request that it would take.
        example: Option<ExampleRequest>,
    },
}

/// Finds conflicts and routes that can never win.
#[must_use]
pub fn analyze(routes: &[RouteSpec]) -> Vec<RouteFinding> {
    let mut findings: Vec<RouteFinding> = conflicts(routes).into_iter().map(RouteFinding::Conflict).collect();
    for group in groups(routes) {
        for (route, spec) in &group.members {
            let by = group.members.iter().find(|(other, shadow)| other != route && shadows(shadow, spec));
            if let Some((by, _)) = by {
                let example = example::of(&[spec]);
                let finding = RouteFinding::Shadowed { route: *route, by: *by, example };
                if !findings.contains(&finding) {
                    findings.push(finding);
                }
            }
        }
    }
    findings
}

/// Finds the pairs of routes that cannot be told apart.
pub(crate) fn conflicts(routes: &[RouteSpec]) -> Vec<RouteConflict> {
    let mut found: Vec<RouteConflict> = Vec::new();
    for group in groups(routes) {
        for (index, (first, one)) in group.members.iter().enumerate() {
            for (second, other) in group.members.iter().skip(index.saturating_add(1)) {
                if !is_tie(one, other)
                    || found.iter().any(|known| (known.first, known.second) == (*first, *second))
                {
                    continue;
                }
                let duplicate = same_methods(one, other) && same_conditions(one, other);
                let example = example::of(&[one, other]);
                found.push(RouteConflict { first: *first, second: *second, duplicate, example });
            }
        }
    }
    found
}

/// Routes with one host pattern and path shape.
struct Group<'a> {
    members: Members<'a>,
}

/// Routes with their places.
type Members<'a> = Vec<(usize, &'a RouteSpec)>;

/// Only groups of two and more.
fn groups(routes: &[RouteSpec]) -> Vec<Group<'_>> {
    let mut groups: FixedMap<(Option<&HostPattern>, String), Members<'_>> = FixedMap::default();
    for (index, spec) in routes.iter().enumerate() {
        let shape = shape(spec);
        if spec.hosts.is_empty() {
            groups.entry((None, shape.clone())).or_default().push((index, spec));
        }
        for host in &spec.hosts {
            let members = groups.entry((Some(host), shape.clone())).or_default();
            // The same host twice in one route is no conflict with itself.
            if members.last().is_none_or(|(last, _)| *last != index) {
                members.push((index, spec));
            }
        }
    }
    let mut groups: Vec<Group<'_>> =
        groups.into_values().filter(|members| members.len() > 1).map(|members| Group { members }).collect();
    groups.sort_by_key(|group| group.members.first().map(|(index, _)| *index));
    groups
}

/// The pattern without the names of its wildcards. No literal contains a byte below 2.
fn shape(spec: &RouteSpec) -> String {
    let mut shape = String::new();
    for segment in &spec.path.segments {
        shape.push('/');
        match segment {
            Segment::Literal(text) => shape.push_str(text),
            Segment::One(_) => shape.push('\u{1}'),
        }
    }
    match &spec.path.ending {
        Ending::End => {}
        Ending::Rest(_) => shape.push_str("/\u{1}\u{1}"),
        Ending::Regex(regex) => {
            shape.push('\u{0}');
            shape.push_str(regex.as_str());
        }
    }
    shape
}

/// Whether a request exists that both take, with equal rank.
fn is_tie(one: &RouteSpec, other: &RouteSpec) -> bool {
    one.conditions() == other.conditions()
        && one.priority == other.priority
        && (one.methods.is_empty() == other.methods.is_empty())
        && (one.methods.is_empty() || one.methods.iter().any(|method| other.methods.contains(method)))
        && conditions_meet(one, other)
}

fn conditions_meet(one: &RouteSpec, other: &RouteSpec) -> bool {
    let headers = one.headers.iter().all(|condition| {
        let same = other.headers.iter().filter(|other| other.name == condition.name);
        same.into_iter().all(|other| condition.test.compatible(&other.test) == Some(true))
    });
    headers
        && one.query.iter().all(|condition| {
            let same = other.query.iter().filter(|other| other.name == condition.name);
            same.into_iter().all(|other| condition.test.compatible(&other.test) == Some(true))
        })
}

fn same_conditions(one: &RouteSpec, other: &RouteSpec) -> bool {
    one.conditions() == other.conditions()
        && one.headers.iter().all(|condition| other.headers.contains(condition))
        && one.query.iter().all(|condition| other.query.contains(condition))
}

fn same_methods(one: &RouteSpec, other: &RouteSpec) -> bool {
    covers(one, other) && covers(other, one)
}

/// Whether `wide` names every method that `narrow` names, or both name none.
fn covers(wide: &RouteSpec, narrow: &RouteSpec) -> bool {
    wide.methods.is_empty() == narrow.methods.is_empty()
        && narrow.methods.iter().all(|method| wide.methods.contains(method))
}

/// Whether `shadow` takes every request that `spec` matches, and comes first.
fn shadows(shadow: &RouteSpec, spec: &RouteSpec) -> bool {
    let hosts = shadow.hosts.is_empty() == spec.hosts.is_empty()
        && spec.hosts.iter().all(|host| shadow.hosts.contains(host));
    hosts && shadow.priority > spec.priority && covers(shadow, spec) && same_conditions(shadow, spec)
}
