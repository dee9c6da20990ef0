//! All routes compiled: one tree of segments for each host pattern.
//!
//! A lookup walks the trees from the most specific host to none, and each tree depth first with the more
//! specific branch first, so the first leaf with a route that takes the request entirely holds the winner.
//! The cost depends on the number of segments of the path and, where a branch fails late, on the branches
//! with `{name}` that were taken in vain: each node is visited at most once, so a path of `n` segments costs
//! at most `2^n` and never more than the number of distinct pattern prefixes that match it. The number of
//! literal routes does not matter.

mod build;
mod find;
mod tree;

use crate::mismatch::Mismatch;
use crate::rank::{HostRank, PrecedenceReason, Rank};
use crate::request::RequestView;
use crate::spec::RouteSpec;
use crate::{RouteConflict, analyze};
use std::fmt;
use std::ops::ControlFlow;
use tree::Hosts;

/// The compiled routes.
#[derive(Debug, Default)]
pub struct Router {
    specs: Vec<RouteSpec>,
    hosts: Hosts,
}

/// What became of a lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// This route takes the request: its place in the list that was given to [`Router::build`].
    Matched {
        /// The place.
        route: usize,
    },
    /// Routes match, but none takes the method.
    MethodNotAllowed {
        /// The methods that would be taken.
        allow: Allow,
    },
    /// No route matches host, path and conditions.
    NotFound,
}

/// The value of `Allow` (RFC 9110 section 10.2.1): sorted, with HEAD where there is GET, and OPTIONS, which
/// the gateway answers itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    methods: Vec<String>,
}

impl Allow {
    fn new(methods: impl Iterator<Item = String>) -> Self {
        let mut methods: Vec<String> = methods.collect();
        if methods.iter().any(|method| method == "GET") {
            methods.push("HEAD".into());
        }
        methods.push("OPTIONS".into());
        methods.sort_unstable();
        methods.dedup();
        Self { methods }
    }

    /// The methods.
    #[must_use]
    pub fn methods(&self) -> &[String] {
        &self.methods
    }
}

impl fmt::Display for Allow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.methods.join(", "))
    }
}

/// A route in an explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its place in the list.
    pub route: usize,
    /// What became of it.
    pub verdict: Verdict,
}

/// What became of a route on a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It takes the request.
    Won,
    /// It matches, but another comes first.
    Lost {
        /// The route that takes the request.
        to: usize,
        /// The rule that decided.
        by: PrecedenceReason,
    },
    /// It does not match.
    Mismatched(Mismatch),
}

impl Router {
    /// Compiles routes.
    ///
    /// # Errors
    /// The pairs of routes that match the same requests without one coming first.
    pub fn build(routes: Vec<RouteSpec>) -> Result<Self, Vec<RouteConflict>> {
        let conflicts = analyze::conflicts(&routes);
        if !conflicts.is_empty() {
            return Err(conflicts);
        }
        Ok(Self { hosts: build::build(&routes), specs: routes })
    }

    /// How many routes there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.specs.len()
    }

    /// Whether there is no route.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.specs.is_empty()
    }

    /// What a route asks for.
    #[must_use]
    pub fn spec(&self, route: usize) -> Option<&RouteSpec> {
        self.specs.get(route)
    }

    /// Finds the route of a request. Does not allocate where a route takes it without conditions on an
    /// encoded query.
    #[must_use]
    pub fn find(&self, request: &impl RequestView) -> Outcome {
        find::find(&self.hosts, &self.specs, request)
    }

    /// Visits every route that takes the request, more specific ones first, until `visit` breaks. Costs what
    /// a lookup that fails costs: no route is tried that the tree rules out.
    pub fn each(&self, request: &impl RequestView, visit: &mut dyn FnMut(usize) -> ControlFlow<()>) {
        find::each(&self.hosts, &self.specs, request, visit);
    }

    /// Says of every route what becomes of it, the winner first and those that do not match last. Tries every
    /// route: for people, not for serving.
    #[must_use]
    pub fn explain(&self, request: &impl RequestView) -> Vec<Candidate> {
        let mut matching: Vec<(usize, Rank<'_>)> = Vec::new();
        let mut others = Vec::new();
        for (route, spec) in self.specs.iter().enumerate() {
            match spec.mismatch(request) {
                None => matching.push((route, Rank::new(spec, request))),
                Some(mismatch) => others.push(Candidate { route, verdict: Verdict::Mismatched(mismatch) }),
            }
        }
        matching.sort_by(|(_, one), (_, other)| one.compare(other).0);
        let mut candidates = Vec::with_capacity(self.specs.len());
        if let Some((winner, best)) = matching.first() {
            candidates.push(Candidate { route: *winner, verdict: Verdict::Won });
            candidates.extend(matching.iter().skip(1).map(|(route, rank)| {
                let by = best.compare(rank).1;
                Candidate { route: *route, verdict: Verdict::Lost { to: *winner, by } }
            }));
        }
        candidates.extend(others);
        candidates
    }

    /// The places of all routes, more specific ones first: the order in which a request would meet them if
    /// all of them matched.
    #[must_use]
    pub fn in_order(&self) -> Vec<usize> {
        let host = |spec: &RouteSpec| spec.hosts.iter().map(HostRank::of).min().unwrap_or(HostRank::Any);
        let mut order: Vec<(usize, &RouteSpec)> = self.specs.iter().enumerate().collect();
        order.sort_by(|(_, one), (_, other)| {
            host(one)
                .cmp(&host(other))
                .then_with(|| one.hosts.cmp(&other.hosts))
                .then_with(|| one.path.order(&other.path))
                .then_with(|| one.methods.is_empty().cmp(&other.methods.is_empty()))
                .then_with(|| crate::rank::below_method(one, other).0)
        });
        order.into_iter().map(|(route, _)| route).collect()
    }
}
