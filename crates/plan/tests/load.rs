//! Good files become the plan they describe.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

use std::sync::Arc;

use torana_config::written::Balance;
use torana_config::{FixedResolver, Severity, render};
use torana_plan::{Action, BalanceAlgorithm, HostHeader, KeyPart, Plan, PolicyPlan, Scope, load};

fn plan_of(name: &str, text: &str) -> Plan {
    let resolver =
        FixedResolver::default().with_environment("JWT_SECRET", "an example secret of 32 bytes or more");
    let loaded = load(name, text, &resolver);
    let above_notes = loaded.findings.iter().any(|finding| finding.severity > Severity::Note);
    assert!(!above_notes, "{}", render(&loaded.findings, &loaded.source, false));
    loaded.plan.unwrap()
}

fn example(name: &str) -> Plan {
    let text =
        std::fs::read_to_string(format!("{}/../../examples/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    plan_of(name, &text)
}

fn policies(plan: &Plan, name: &str) -> Vec<(&'static str, Scope)> {
    let route = plan.routes.iter().find(|route| &*route.name == name).unwrap();
    route.policies.iter().map(|planned| (planned.policy.name(), planned.scope)).collect()
}

#[test]
fn the_seed_example_is_planned_as_it_reads() {
    let plan = example("seed.yaml");
    assert_eq!(policies(&plan, "/api/auth/login"), [("rate_limit", Scope::Global)]);
    assert_eq!(policies(&plan, "/api/health"), []);
    let all = [("jwt", Scope::Global), ("roles", Scope::Route), ("rate_limit", Scope::Global)];
    assert_eq!(policies(&plan, "/api/users/*/profile"), all);
    assert_eq!(policies(&plan, "/api/search"), [("jwt", Scope::Global), ("rate_limit", Scope::Route)]);
    let public: Vec<&str> =
        plan.routes.iter().filter(|route| !route.protected).map(|route| &*route.name).collect();
    assert_eq!(public, ["/api/auth/login", "/api/health"]);
    let orders = plan.services.iter().find(|service| &*service.name == "orders").unwrap();
    assert_eq!(
        (orders.balance.algorithm, orders.endpoints[0].weight, orders.endpoints[1].weight),
        (BalanceAlgorithm::By(Balance::Weighted), 3, 1)
    );
    let Action::Respond { status, headers, body } = &plan.routes[1].action else { panic!("not answered") };
    assert_eq!((*status, &**body), (200, b"{\"status\":\"ok\"}".as_slice()));
    assert_eq!(headers, &[("Content-Type".to_owned(), "application/json".to_owned())]);
    let Action::Forward { service, .. } = &plan.routes[0].action else { panic!("not forwarded") };
    assert_eq!(&*plan.service(*service).unwrap().name, "auth");
}

#[test]
fn every_example_is_accepted() {
    example("minimal.yaml");
    let plan = example("hosts.yaml");
    let upload = plan.routes.iter().find(|route| &*route.name == "upload").unwrap();
    let Action::Forward { timeouts, strip_prefix, .. } = &upload.action else { panic!("not forwarded") };
    assert_eq!((timeouts.first_byte.as_millis(), timeouts.total), (120_000, None));
    assert_eq!(timeouts.connect.as_millis(), 5_000);
    assert_eq!(strip_prefix.as_deref(), Some("/upload"));
    assert_eq!(plan.services[1].host, HostHeader::Rewrite);
    assert_eq!(plan.services[0].balance.algorithm, BalanceAlgorithm::By(Balance::Weighted));
}

#[test]
fn a_policy_of_a_wide_scope_is_shared_and_keeps_its_identity() {
    let plan = example("seed.yaml");
    let limit = |index: usize| {
        let found = plan.routes[index].policies.iter().find_map(|planned| match &planned.policy {
            PolicyPlan::RateLimit(limit) => Some(limit),
            _ => None,
        });
        found.unwrap()
    };
    assert!(Arc::ptr_eq(limit(0), limit(2)));
    assert_eq!((&*limit(0).id, &*limit(7).id), ("global", "route//api/search"));
    assert_eq!((limit(0).windows[0].burst.get(), &*limit(0).by), (100, &[KeyPart::ConsumerOrAddress][..]));
    let mut again = example("seed.yaml");
    // Consumers are the same where they are exchanged together, which those of another plan are not.
    assert!(again.consumers != plan.consumers && *again.consumers.load_full() == *plan.consumers.load_full());
    again.consumers = Arc::clone(&plan.consumers);
    assert!(plan == again);
}

#[test]
fn a_limit_by_address_comes_before_credentials() {
    let plan = plan_of(
        "t.yaml",
        "services: { a: { endpoints: [http://a], policies: { rate_limit: { limit: 5/s, by: address } } } }
policies: { jwt: { secret: \"${env:JWT_SECRET}\" } }
routes: [{ path: /x, service: a, policies: { roles: { all: [one, two] } } }]\n",
    );
    let expected = [("rate_limit", Scope::Service), ("jwt", Scope::Global), ("roles", Scope::Route)];
    assert_eq!(policies(&plan, "/x"), expected);
}

#[test]
fn limits_by_name_are_replaced_and_switched_off_one_by_one() {
    let plan = plan_of(
        "t.yaml",
        "services: { a: { endpoints: [http://a], policies: { rate_limits: { b: 2/s } } } }
policies: { rate_limit: 9/s, rate_limits: { a: 1/s, b: 1/s, c: { limit: 1/s, by: address } } }
routes:
  - { path: /x, service: a, policies: { rate_limits: { a: off, d: 4/s } } }
  - { path: /y, service: a, policies: { rate_limits: off } }\n",
    );
    let ids = |index: usize| {
        let limits = plan.routes[index].policies.iter().map(|planned| match &planned.policy {
            PolicyPlan::RateLimit(limit) => limit.id.to_string(),
            other => panic!("{}", other.name()),
        });
        limits.collect::<Vec<_>>()
    };
    assert_eq!(ids(0), ["global#c", "global", "service/a#b", "route//x#d"]);
    assert_eq!(ids(1), ["global"]);
}

#[test]
fn routes_without_a_name_get_readable_ones() {
    let plan = plan_of(
        "t.yaml",
        "services: { a: { endpoints: [http://a] } }
routes:
  - { path: /x, service: a }
  - { path: /x, methods: [GET, POST], service: a }
  - { path: /x, host: shop.example.com, service: a }
  - { path: /x, host: shop.example.com, headers: { a: b }, service: a }
  - { service: a, name: rest }\n",
    );
    let names: Vec<&str> = plan.routes.iter().map(|route| &*route.name).collect();
    assert_eq!(names, ["/x", "GET,POST /x", "/x @shop.example.com", "/x @shop.example.com #2", "rest"]);
}
