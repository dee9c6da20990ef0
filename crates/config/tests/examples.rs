//! Every example file is read without a finding and says what it is meant to say.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

use torana_config::written::{Balance, BalanceForm, Switch};
use torana_config::{Config, FixedResolver, Path, parse, render};

fn load(name: &str) -> Config {
    let path = format!("{}/../../examples/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.starts_with("# yaml-language-server: $schema=../schema/torana.schema.json\n"));
    let resolver =
        FixedResolver::default().with_environment("JWT_SECRET", "an example secret of 32 bytes or more");
    let parsed = parse(name, &text, &resolver);
    assert!(parsed.findings.is_empty(), "{}", render(&parsed.findings, &parsed.source, false));
    let document = parsed.document.unwrap();
    let shown = format!("{document:?} {}", document.redacted());
    assert!(!shown.contains("an example secret"), "{shown}");
    document.config().clone()
}

#[test]
fn seed() {
    let config = load("seed.yaml");
    assert_eq!(config.services.len(), 6);
    assert_eq!(config.services["orders"].endpoints[0].weight(), 3);
    assert_eq!(config.services["search"].balance, Some(BalanceForm::Word(Balance::LeastConnections)));
    let Some(Switch::On(jwt)) = &config.policies.jwt else { panic!("no jwt") };
    let secret = jwt.secret.as_ref().unwrap();
    assert_eq!(secret.expose(), "an example secret of 32 bytes or more");
    assert_eq!(config.routes[0].policies.jwt, Some(Switch::OFF));
}

#[test]
fn minimal() {
    let config = load("minimal.yaml");
    assert_eq!(config.listen.as_slice()[0].address().to_string(), "0.0.0.0:8000");
    assert_eq!(config.admin, Switch::OFF);
    assert_eq!(config.services["app"].pool.max_connections.get(), 100);
}

#[test]
fn hosts() {
    let config = load("hosts.yaml");
    assert_eq!(config.listen.as_slice().len(), 2);
    assert_eq!(config.routes[3].host.as_ref().unwrap().as_slice().len(), 2);
    assert_eq!(config.limits.body_bytes.on().unwrap().as_u64(), 10_000_000);
}

#[test]
fn protect() {
    let config = load("protect.yaml");
    assert_eq!(config.consumers.inline().len(), 1);
    assert!(config.policies.jwt.is_some() && config.policies.key_auth.is_some());
    assert_eq!(config.routes.len(), 5);
}

#[test]
fn places_are_found_by_path() {
    let text = "services: { a: { endpoints: [http://a] } }\nroutes:\n  - path: /x\n    service: a\n";
    let document = parse("p.yaml", text, &FixedResolver::default()).document.unwrap();
    let at = |path: Path| document.span_at(&path).to_string();
    assert_eq!(at(Path::root().key("routes").index(0).key("service")), "p.yaml:4:14");
    assert_eq!(at(Path::root().key("routes").index(0).key("policies").key("jwt")), "p.yaml:3:5");
    let key = document.key_span_at(&Path::root().key("services").key("a"));
    assert_eq!(key.to_string(), "p.yaml:1:13");
}
