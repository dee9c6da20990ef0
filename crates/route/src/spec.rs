//! What a route asks for.

use crate::analyze::example;
use crate::condition::{HeaderCondition, QueryCondition, ValueTest};
use crate::mismatch::Mismatch;
use crate::pattern::{HostPattern, LowerHost, PathPattern};
use crate::request::{ExampleRequest, RequestView};

/// All that a route asks for; every part must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteSpec {
    /// Hosts of which one must match; any when empty.
    pub hosts: Vec<HostPattern>,
    /// The path.
    pub path: PathPattern,
    /// Methods of which one must be the request's; any when empty. GET stands for HEAD too.
    pub methods: Vec<Box<str>>,
    /// Conditions on fields.
    pub headers: Vec<HeaderCondition>,
    /// Conditions on query parameters.
    pub query: Vec<QueryCondition>,
    /// Decides between routes that are equally specific: the higher wins.
    pub priority: i32,
}

/// How a route's methods take a request's: the smaller, the more specific.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum MethodMatch {
    Named,
    GetForHead,
    Any,
}

impl RouteSpec {
    /// A route for every request to this path.
    #[must_use]
    pub const fn new(path: PathPattern) -> Self {
        Self {
            hosts: Vec::new(),
            path,
            methods: Vec::new(),
            headers: Vec::new(),
            query: Vec::new(),
            priority: 0,
        }
    }

    /// A request that the route takes; nothing where none can be made up, as for some regular expressions.
    #[must_use]
    pub fn example(&self) -> Option<ExampleRequest> {
        example::of(&[self])
    }

    /// How many conditions there are beside host, path and method.
    pub(crate) fn conditions(&self) -> usize {
        self.headers.len().saturating_add(self.query.len())
    }

    /// Whether it asks something of a value that may be there more than once.
    #[must_use]
    pub fn asks_for_values(&self) -> bool {
        // That a parameter is there at all is read otherwise where `;` parts them, or under a name that is alike.
        let is_of_value = |condition: &HeaderCondition| !matches!(condition.test, ValueTest::Present(_));
        !self.query.is_empty() || self.headers.iter().any(is_of_value)
    }

    pub(crate) fn method_match(&self, method: &[u8]) -> Option<MethodMatch> {
        let named = |wanted: &[u8]| self.methods.iter().any(|method| method.as_bytes() == wanted);
        if self.methods.is_empty() {
            Some(MethodMatch::Any)
        } else if named(method) {
            Some(MethodMatch::Named)
        } else if method == b"HEAD" && named(b"GET") {
            Some(MethodMatch::GetForHead)
        } else {
            None
        }
    }

    pub(crate) fn conditions_hold(&self, request: &impl RequestView) -> bool {
        self.headers.iter().all(|condition| condition.holds(request))
            && self.query.iter().all(|condition| condition.holds(request))
    }

    /// The first thing that does not match; `None` when all does.
    pub(crate) fn mismatch(&self, request: &impl RequestView) -> Option<Mismatch> {
        let host = LowerHost::new(request.host());
        let host_matches = self.hosts.is_empty()
            || self.hosts.iter().any(|pattern| pattern.matches(host.as_str(), request.port()));
        if !host_matches {
            return Some(Mismatch::Host);
        }
        if !self.path.matches(request.path()) {
            return Some(Mismatch::Path);
        }
        if self.method_match(request.method()).is_none() {
            return Some(Mismatch::Method);
        }
        let header = self.headers.iter().find(|condition| !condition.holds(request));
        let query = self.query.iter().find(|condition| !condition.holds(request));
        header
            .map(|condition| Mismatch::Header(condition.name.clone()))
            .or_else(|| query.map(|condition| Mismatch::Query(condition.name.clone())))
    }
}
