//! The tree agrees with a matcher that tries every route, on random routes and requests.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "tests may overflow loudly")]

use proptest::prelude::*;
use std::ops::ControlFlow;
use torana_route::{
    AnchoredRegex, HeaderCondition, HostPattern, Outcome, PathPattern, QueryCondition, RequestView,
    RouteFinding, RouteSpec, Router, ValueTest, Verdict, analyze,
};

#[derive(Debug, Clone)]
struct Request {
    host: &'static str,
    port: Option<u16>,
    method: &'static str,
    path: String,
    query: Option<&'static str>,
    header: Option<&'static str>,
}

impl RequestView for Request {
    fn host(&self) -> &[u8] {
        self.host.as_bytes()
    }

    fn port(&self) -> Option<u16> {
        self.port
    }

    fn method(&self) -> &[u8] {
        self.method.as_bytes()
    }

    fn path(&self) -> &[u8] {
        self.path.as_bytes()
    }

    fn query(&self) -> Option<&[u8]> {
        self.query.map(str::as_bytes)
    }

    fn header(&self, name: &str) -> (usize, Option<&[u8]>) {
        match self.header {
            Some(value) if name == "x-a" => (1, Some(value.as_bytes())),
            _ => (0, None),
        }
    }
}

fn segment() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "c", "*", "{x}", "{y}"])
}

fn path_pattern() -> impl Strategy<Value = PathPattern> {
    let plain =
        (prop::collection::vec(segment(), 0..4), prop::sample::select(vec!["", "/", "/*", "/{rest...}"]))
            .prop_filter_map("valid", |(segments, end)| {
                let text = segments.iter().map(|part| format!("/{part}")).collect::<String>() + end;
                PathPattern::parse(&text).ok()
            });
    let expressions =
        vec!["~/a/.*", "~/a/[bc]", "~/[ab]/.*", "~/a/b/c", "~/.*", "~/a/(b|c)/.*", "~/a/b/?(?<r>.*)"];
    let regex = prop::sample::select(expressions).prop_map(|text| PathPattern::parse(text).unwrap());
    prop_oneof![4 => plain, 1 => regex]
}

fn value_test() -> impl Strategy<Value = ValueTest> {
    prop_oneof![
        prop::sample::select(vec!["1", "2"]).prop_map(|text| ValueTest::Exact(text.into())),
        prop::sample::select(vec!["[12]", "1.*"])
            .prop_map(|text| ValueTest::Regex(AnchoredRegex::parse(text).unwrap())),
        any::<bool>().prop_map(ValueTest::Present),
    ]
}

fn route() -> impl Strategy<Value = RouteSpec> {
    let hosts = prop::sample::select(vec!["a.test", "*.test", "*.a.test", "a.*", "a.test:81", "b.a.*"]);
    let methods = prop::sample::select(vec!["GET", "POST", "HEAD"]);
    let hosts = prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(hosts, 1..3)];
    let methods = prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(methods, 1..3)];
    let headers = prop::option::weighted(0.3, value_test());
    let query = prop::option::weighted(0.3, value_test());
    (hosts, path_pattern(), methods, headers, query, -1..2_i32).prop_map(
        |(hosts, path, methods, header, query, priority)| RouteSpec {
            hosts: hosts.into_iter().map(|host| HostPattern::parse(host).unwrap()).collect(),
            path,
            methods: methods.into_iter().map(Into::into).collect(),
            headers: header.into_iter().map(|test| HeaderCondition { name: "x-a".into(), test }).collect(),
            query: query.into_iter().map(|test| QueryCondition { name: "q".into(), test }).collect(),
            priority,
        },
    )
}

fn request() -> impl Strategy<Value = Request> {
    let path = prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "d"]), 0..5);
    (
        prop::sample::select(vec!["a.test", "b.a.test", "A.test.", "b.test", "a.b", "other", ""]),
        prop::option::of(80_u16..82),
        prop::sample::select(vec!["GET", "HEAD", "POST", "PUT"]),
        (path, any::<bool>()),
        prop::option::of(prop::sample::select(vec!["q=1", "q=2&q=1", "z=1", "%71=%31", "q"])),
        prop::option::of(prop::sample::select(vec!["1", "2", "12"])),
    )
        .prop_map(|(host, port, method, (segments, slash), query, header)| {
            let mut path: String = segments.iter().map(|part| format!("/{part}")).collect();
            if slash || path.is_empty() {
                path.push('/');
            }
            Request { host, port, method, path, query, header }
        })
}

/// Drops routes until none is in conflict.
fn router(mut routes: Vec<RouteSpec>) -> Router {
    loop {
        match Router::build(routes.clone()) {
            Ok(router) => return router,
            Err(conflicts) => {
                let second = conflicts.iter().map(|conflict| conflict.second).max().unwrap();
                routes.remove(second);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn the_tree_agrees_with_trying_every_route(
        routes in prop::collection::vec(route(), 1..16),
        requests in prop::collection::vec(request(), 8),
    ) {
        let router = router(routes);
        for request in requests {
            let candidates = router.explain(&request);
            prop_assert_eq!(candidates.len(), router.len());
            let winner = candidates.iter().find(|candidate| candidate.verdict == Verdict::Won);
            let found = router.find(&request);
            match (&found, winner) {
                (Outcome::Matched { route }, Some(winner)) => prop_assert_eq!(*route, winner.route),
                (Outcome::Matched { .. }, None) => prop_assert!(false, "nothing matches {:?}", request),
                (_, Some(winner)) => prop_assert!(false, "{:?} matches {:?}", winner, request),
                (Outcome::NotFound, None) => {}
                (Outcome::MethodNotAllowed { allow }, None) => {
                    // Each method that is offered is taken.
                    for method in allow.methods().iter().filter(|method| *method != "OPTIONS") {
                        let method: &'static str = ["GET", "POST", "HEAD"]
                            .into_iter().find(|known| known == method).expect("a method of a route");
                        let again = Request { method, ..request.clone() };
                        let matched = matches!(router.find(&again), Outcome::Matched { .. });
                        prop_assert!(matched, "{} {:?}", method, again);
                    }
                }
            }
        }
    }

    #[test]
    fn every_route_that_matches_is_visited_in_order(
        routes in prop::collection::vec(route(), 1..16),
        requests in prop::collection::vec(request(), 8),
    ) {
        let router = router(routes);
        for request in requests {
            let mut visited: Vec<usize> = Vec::new();
            router.each(&request, &mut |route| {
                if !visited.contains(&route) {
                    visited.push(route);
                }
                ControlFlow::Continue(())
            });
            let candidates = router.explain(&request);
            let matching = candidates.iter().filter(|candidate| {
                !matches!(candidate.verdict, Verdict::Mismatched(_))
            });
            prop_assert_eq!(visited, matching.map(|candidate| candidate.route).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_called_shadowed_never_wins(
        routes in prop::collection::vec(route(), 2..20),
        requests in prop::collection::vec(request(), 20),
    ) {
        let router = router(routes);
        let specs: Vec<RouteSpec> =
            (0..router.len()).filter_map(|route| router.spec(route).cloned()).collect();
        for finding in analyze(&specs) {
            let RouteFinding::Shadowed { route: shadowed, .. } = finding else {
                prop_assert!(false, "a router was built in spite of {:?}", finding);
                continue;
            };
            for request in &requests {
                prop_assert_ne!(router.find(request), Outcome::Matched { route: shadowed });
            }
        }
    }
}

#[test]
fn conflicts_come_with_an_example() {
    let spec = |path: &str| RouteSpec::new(PathPattern::parse(path).unwrap());
    let conflicts = Router::build(vec![spec("/users/{id}"), spec("/users/*/x"), spec("/users/{name}")]);
    let conflicts = conflicts.unwrap_err();
    assert_eq!(conflicts.len(), 1);
    assert_eq!((conflicts[0].first, conflicts[0].second), (0, 2));
    assert_eq!(conflicts[0].example.as_ref().unwrap().to_string(), "GET http://gateway/users/id");
}
