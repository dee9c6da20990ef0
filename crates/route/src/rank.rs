//! Precedence: which of two routes comes first, and by which rule. See the crate's documentation.

use crate::pattern::{HostKind, HostPattern, LowerHost, SegmentKind};
use crate::request::RequestView;
use crate::spec::{MethodMatch, RouteSpec};
use std::cmp::{Ordering, Reverse};

/// The rule that decided between two routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PrecedenceReason {
    /// A more specific host.
    #[error("a more specific host")]
    Host,
    /// More specific at this segment, counted from 1.
    #[error("a more specific segment {0} of the path")]
    Path(usize),
    /// Two regular expressions: priority, then length, then text.
    #[error("the order of regular expressions: priority, then the longer, then by text")]
    Expression,
    /// The method is named.
    #[error("a more specific method")]
    Method,
    /// More conditions on fields and query.
    #[error("more conditions")]
    Conditions,
    /// A higher priority.
    #[error("a higher priority")]
    Priority,
    /// Conditions that cannot be compared: by their text.
    #[error("the text of its conditions, for want of anything better: set a `priority`")]
    Text,
}

/// How specific a host pattern is: the smaller, the more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum HostRank {
    Exact { without_port: bool },
    Suffix { length: Reverse<usize>, without_port: bool },
    Prefix { length: Reverse<usize>, without_port: bool },
    Any,
}

impl HostRank {
    pub(crate) fn of(pattern: &HostPattern) -> Self {
        let without_port = pattern.port().is_none();
        match pattern.kind() {
            HostKind::Exact(_) => Self::Exact { without_port },
            HostKind::Suffix(text) => Self::Suffix { length: Reverse(text.len()), without_port },
            HostKind::Prefix(text) => Self::Prefix { length: Reverse(text.len()), without_port },
        }
    }
}

/// How a route that matches a request compares with others that do.
#[derive(Debug)]
pub(crate) struct Rank<'a> {
    spec: &'a RouteSpec,
    host: HostRank,
    method: MethodMatch,
}

impl<'a> Rank<'a> {
    /// The rank of a route on a request that it matches.
    pub(crate) fn new(spec: &'a RouteSpec, request: &impl RequestView) -> Self {
        let host = LowerHost::new(request.host());
        let matching = spec.hosts.iter().filter(|pattern| pattern.matches(host.as_str(), request.port()));
        Self {
            spec,
            host: matching.map(HostRank::of).min().unwrap_or(HostRank::Any),
            method: spec.method_match(request.method()).unwrap_or(MethodMatch::Any),
        }
    }

    /// Which comes first, and why. Equal only for conflicts.
    pub(crate) fn compare(&self, other: &Self) -> (Ordering, PrecedenceReason) {
        let host = self.host.cmp(&other.host);
        if host.is_ne() {
            return (host, PrecedenceReason::Host);
        }
        let (mut own, mut others) = (self.spec.path.kinds(), other.spec.path.kinds());
        let mut place = 0_usize;
        while let (Some(one), Some(another)) = (own.next(), others.next()) {
            place = place.saturating_add(1);
            if one != another {
                return (one.cmp(&another), PrecedenceReason::Path(place));
            }
            if one == SegmentKind::Regex {
                let expression = expressions(self.spec, other.spec);
                if expression.is_ne() {
                    return (expression, PrecedenceReason::Expression);
                }
            }
        }
        let method = self.method.cmp(&other.method);
        if method.is_ne() {
            return (method, PrecedenceReason::Method);
        }
        below_method(self.spec, other.spec)
    }
}

/// Two regular expressions at the same place.
pub(crate) fn expressions(one: &RouteSpec, other: &RouteSpec) -> Ordering {
    let (text, others) = (one.path.as_str(), other.path.as_str());
    let priority = other.priority.cmp(&one.priority);
    priority.then_with(|| others.len().cmp(&text.len())).then_with(|| text.cmp(others))
}

/// What decides between routes of one path whose methods take the request equally well.
pub(crate) fn below_method(one: &RouteSpec, other: &RouteSpec) -> (Ordering, PrecedenceReason) {
    let conditions = other.conditions().cmp(&one.conditions());
    if conditions.is_ne() {
        return (conditions, PrecedenceReason::Conditions);
    }
    let priority = other.priority.cmp(&one.priority);
    if priority.is_ne() {
        return (priority, PrecedenceReason::Priority);
    }
    let text = one.headers.cmp(&other.headers).then_with(|| one.query.cmp(&other.query));
    (text.then_with(|| one.methods.cmp(&other.methods)), PrecedenceReason::Text)
}
