//! Services and what guards them.

use super::{findings, policy, with};
use torana_config::{FixedResolver, render};
use torana_plan::load;

#[test]
fn a_service_that_does_not_exist_is_suggested() {
    let text = "services: { users: { endpoints: [http://a] } }\nroutes: [{ path: /x, service: user }]\n";
    let loaded = load("t.yaml", text, &FixedResolver::default());
    let rendered = render(&loaded.findings, &loaded.source, false);
    assert!(rendered.contains("there is no service `user`"), "{rendered}");
    assert!(rendered.contains("did you mean `users`?"), "{rendered}");
    assert!(rendered.contains("t.yaml:2:31"), "{rendered}");
    assert!(rendered.contains("no route leads to the service `users`"), "{rendered}");
}

#[test]
fn services_are_looked_into() {
    let service =
        |keys: &str| findings(&format!("services:\n  a: {{ {keys} }}\nroutes: [{{ service: a }}]\n"));
    assert_eq!(service("endpoints: [http://a, \"http://a:80\"]"), ["2:30 error[duplicate-endpoint]"]);
    assert_eq!(service("endpoints: [{ url: http://a, weight: 0 }]"), ["2:19 warning[drained-service]"]);
    let ignored = service("balance: round_robin, endpoints: [{ url: http://a, weight: 2 }]");
    assert_eq!(ignored, ["2:17 warning[weights-ignored]"]);
    assert_eq!(service("endpoints: [http://a], host: \"a/b\""), ["2:37 error[bad-host]"]);
    for keys in [
        "endpoints: [h2://a], upgrades: [websocket]",
        "endpoints: [http://a], protocol: http2, upgrades: [x]",
    ] {
        let column = 8 + keys.find("upgrades").unwrap();
        assert_eq!(service(keys), [format!("2:{column} warning[upgrade-over-http2]")]);
    }
    for keys in [
        "endpoints: [h2://a]",
        "endpoints: [h2://a], upgrades: []",
        "endpoints: [h2://a, http://b], upgrades: [websocket]",
        "endpoints: [\"https://a\"], protocol: auto, upgrades: [websocket]",
    ] {
        assert!(service(keys).is_empty(), "{keys}: {:?}", service(keys));
    }
    let unused =
        findings("services: { a: { endpoints: [http://a] } }\nroutes: [{ respond: { status: 204 } }]\n");
    assert_eq!(unused, ["1:13 warning[unused-service]"]);
}

#[test]
fn what_guards_a_service_can_do_what_it_says() {
    let service = |keys: &str| {
        findings(&format!(
            "services: {{ a: {{ endpoints: [http://a], {keys} }} }}\nroutes: [{{ service: a }}]\n"
        ))
    };
    let codes = |keys: &str| {
        service(keys).iter().filter_map(|found| Some(found.split_once(' ')?.1.to_owned())).collect::<Vec<_>>()
    };
    for (keys, expected) in [
        ("retries: { on: [1000] }", "error[bad-status]"),
        ("health: { probes: { good: [1000] } }", "error[bad-status]"),
        ("retries: { methods: [\"a b\"] }", "error[bad-name]"),
        ("retries: { backoff: { base: 1s, max: 1ms } }", "error[backoff]"),
        ("retries: { per_try_timeout: 0s }", "error[zero-deadline]"),
        ("health: { probes: { service: a } }", "error[probes]"),
        ("health: { probes: { kind: grpc, service: \"\" } }", "error[probes]"),
        ("health: { probes: { kind: grpc, path: /x } }", "error[probes]"),
        ("health: { probes: { kind: tcp, body: x } }", "error[probes]"),
        ("retries: { hedge: { after: 0s } }", "error[zero-deadline]"),
        ("retries: { hedge: { after: 1s, at_once: 1 } }", "error[hedge]"),
        ("retries: { hedge: { after: 1s }, attempts: 1 }", "error[hedge]"),
        ("breaker: { on: [] }", "error[breaker]"),
        ("breaker: { window: { slow_share: 5% } }", "error[breaker]"),
        ("breaker: { open_for: 0s }", "error[zero-deadline]"),
        ("breaker: { fallback: { body: a, json: 1 } }", "error[two-bodies]"),
        ("breaker: { stale: { for: 0s } }", "error[breaker]"),
        ("breaker: { stale: { memory: 0B } }", "error[breaker]"),
        ("breaker: { stale: { largest: 0B } }", "error[breaker]"),
        ("breaker: { stale: { memory: 64KiB } }", "error[breaker]"),
        ("health: {}", "warning[health]"),
        ("health: { ejection: { for: off } }", "error[ejection]"),
        ("health: { probes: { healthy_after: 0 } }", "error[probes]"),
        ("health: { probes: { headers: { X-A: [] } } }", "error[too-few]"),
        ("health: { probes: { headers: { X-A: [a, \"b\\r\"] } } }", "error[bad-value]"),
        ("health: { probes: { tls: { server_name: \"a b\" } } }", "error[bad-server-name]"),
        ("health: { probes: { tls: { verify: off } } }", "warning[tls-not-verified]"),
        ("health: { probes: { path: x } }", "error[bad-path]"),
        ("health: { probes: { interval: off } }", "warning[probes]"),
        ("health: { probes: { headers: { \"a b\": c } } }", "error[bad-name]"),
    ] {
        assert_eq!(codes(keys), [expected], "{keys}");
    }
    for keys in [
        "breaker: {}",
        "breaker: { stale: {} }",
        "breaker: { stale: { for: 1h, memory: 1MiB, largest: 1MiB, unmarked: true } }",
        "breaker: { failures: 5, open_for: 30s }",
        "health: { probes: {} }",
        "health: { probes: { tls: {}, headers: { X-A: a, X-B: [a, b] } } }",
        "health: { probes: { tls: off } }",
        "health: { ejection: {} }",
    ] {
        assert_eq!(codes(keys), Vec::<String>::new(), "{keys}");
    }
}

#[test]
fn connections_of_many_clients_introduce_none() {
    for service in ["endpoints: [h2://a]", "endpoints: [http://a], protocol: http2"] {
        let found = findings(&format!(
            "services: {{ a: {{ proxy_protocol: v1, {service} }} }}\nroutes: [{{ service: a }}]\n"
        ));
        assert_eq!(found, ["1:18 error[http2-introduced]"], "{service}");
    }
}

#[test]
fn windows_of_http_2_are_those_that_can_be() {
    let with_window =
        |text: &str| with(&format!("routes: [{{ path: /x, service: a }}]\nhttp2: {{ {text} }}"));
    assert_eq!(with_window("stream_window: 64KiB, connection_window: 1MiB"), [""; 0]);
    assert_eq!(with_window("stream_window: 0"), ["3:25 error[http2-window]"]);
    assert_eq!(with_window("connection_window: 3GiB"), ["3:29 error[http2-window]"]);
    assert_eq!(with_window("stream_window: 2MiB, connection_window: 1MiB"), ["3:50 error[http2-window]"]);
}

#[test]
fn certificates_are_asked_for_and_each_is_one_thing() {
    let unasked = policy("mtls_auth: on");
    assert!(unasked.contains(&"7:5 warning[no-client-certificates]".to_owned()), "{unasked:?}");
    assert!(
        policy("mtls_auth: { ca: missing.pem }").iter().any(|one| one.ends_with("error[unreadable-file]"))
    );
    let consumer = |certificates: &str| {
        with(&format!(
            "consumers: [{{ username: u, certificates: [{certificates}] }}]\nroutes: [{{ path: /x, service: a }}]"
        ))
    };
    let print = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    for good in [
        format!("{{ sha256: {print} }}"),
        "{ subject: \"CN=a\" }, { dns: a.test }, { name: a.test }".into(),
        "{ uri: \"x://y\", issuer: \"CN=ca\" }, { uri: \"x://y\" }".into(),
    ] {
        assert_eq!(consumer(&good), Vec::<String>::new(), "{good}");
    }
    for bad in [
        "{}".to_owned(),
        "{ issuer: CN=ca }".into(),
        "{ sha256: 00 }".into(),
        format!("{{ sha256: {print}, name: a }}"),
        format!("{{ sha256: {print}, issuer: CN=ca }}"),
        "{ name: a, dns: a }".into(),
        "{ name: \"\" }".into(),
        "{ dns: A.test }, { dns: a.test }".into(),
    ] {
        assert_eq!(consumer(&bad), ["2:13 error[bad-consumer]"], "{bad}");
    }
    // Spellings of one name are one name; its order is part of it.
    for other in ["O=E,CN=a", "o = E, cn = a", "organizationName=E, OID.2.5.4.3=a"] {
        let two = format!("{{ subject: \"O=E, CN=a\" }}, {{ subject: \"{other}\" }}");
        assert_eq!(consumer(&two), ["2:13 error[bad-consumer]"], "{other}");
    }
    assert_eq!(consumer("{ subject: \"O=E, CN=a\" }, { subject: \"CN=a, O=E\" }"), Vec::<String>::new());
    let tpp = "{ subject: \"C = ES, O = Bank, organizationIdentifier = PSDES-BDE-3DFD21, CN = tpp\" }";
    assert_eq!(consumer(tpp), Vec::<String>::new());
    for (certificates, place) in [
        ("{ subject: /O=E/CN=a }", "2:54"),
        ("{ subject: Nick=a }", "2:54"),
        ("{ subject: CN=a }, { name: b, issuer: \"My CA\" }, { subject: a }", "2:81"),
    ] {
        assert_eq!(consumer(certificates), [format!("{place} warning[unreadable-name]")], "{certificates}");
    }
}
