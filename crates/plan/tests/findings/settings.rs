//! What holds for the whole gateway.

use super::{SECRET, route, with};

#[test]
fn secrets_are_judged_without_being_shown() {
    let clear = |secret: &str| {
        with(&format!("policies: {{ jwt: {{ secret: {secret} }} }}\nroutes: [{{ service: a }}]"))
    };
    assert_eq!(clear(&format!("\"{SECRET}\"")), ["2:28 warning[secret-in-clear]"]);
    assert_eq!(clear(&format!("\"${{env:KEY:-{SECRET}}}\"")), ["2:28 warning[secret-in-clear]"]);
    let short = |length| clear(&"x".repeat(length));
    assert_eq!(short(15), ["2:28 error[short-secret]", "2:28 warning[secret-in-clear]"]);
    assert_eq!(short(16), ["2:28 warning[short-secret]", "2:28 warning[secret-in-clear]"]);
    assert_eq!(short(31), short(16));
    assert_eq!(short(32), ["2:28 warning[secret-in-clear]"]);
    let minted = |secret: &str| {
        let mint = format!("upstream_token: {{ issuer: g, secret: {secret} }}");
        let found = with(&format!(
            "policies: {{ jwt: {{ secret: \"${{env:KEY}}\", {mint} }} }}\nroutes: [{{ service: a }}]"
        ));
        found.iter().any(|line| line.ends_with(" error[short-secret]"))
    };
    assert!(minted("fifteen-bytes-1") && !minted("sixteen-bytes-12"));
    assert!(clear("\"\"").contains(&"2:28 error[empty-secret]".to_owned()));
}

#[test]
fn addresses_do_not_collide_and_trust_is_not_blind() {
    let routes = "routes: [{ service: a }]";
    let listen = |lines: &str| with(&format!("{lines}\n{routes}"));
    assert_eq!(listen("listen: [127.0.0.1:80, 127.0.0.1:80]"), ["2:24 error[duplicate-listen]"]);
    assert_eq!(listen("listen: :80\nadmin: 127.0.0.1:80"), ["3:8 error[duplicate-listen]"]);
    assert_eq!(listen("listen: [127.0.0.1:0, 127.0.0.1:0]"), Vec::<String>::new());
    for exposed in
        ["0.0.0.0:8001", "\"[::]:8001\"", ":8001", "8.8.8.8:8001", "\"[2a00::1]:8001\"", "100.128.0.1:1"]
    {
        assert_eq!(listen(&format!("admin: {exposed}")), ["2:8 warning[admin-exposed]"], "{exposed}");
    }
    for own in
        ["127.0.0.1:1", "10.1.2.3:1", "192.168.0.1:1", "100.64.0.1:1", "\"[::1]:1\"", "\"[fd00::1]:1\""]
    {
        assert_eq!(listen(&format!("admin: {own}")), Vec::<String>::new(), "{own}");
    }
    assert_eq!(listen("trusted_proxies: [10.0.0.0/8, 0.0.0.0/0]"), ["2:31 warning[trusts-everybody]"]);
}

#[test]
fn settings_that_let_nothing_through_are_errors() {
    let setting = |line: &str| with(&format!("{line}\nroutes: [{{ service: a }}]"));
    assert_eq!(setting("timeouts: { head: 0s }"), ["2:19 error[zero-deadline]"]);
    assert_eq!(setting("limits: { head_bytes: 1KiB }"), ["2:9 error[limits]"]);
    assert_eq!(setting("limits: { header_count: 257 }"), ["2:25 error[out-of-range]"]);
    assert_eq!(setting("limits: { header_count: 256, head_bytes: 64KiB }"), Vec::<String>::new());
    assert_eq!(setting("limits: { head_bytes: 65537B }"), ["2:23 error[limits]"]);
    assert_eq!(setting("limits: { buffered_bytes: 255KiB }"), ["2:27 warning[limits]"]);
    assert_eq!(setting("limits: { buffered_bytes: 256KiB }"), Vec::<String>::new());
    assert_eq!(setting("request_id: { header: \"a b\" }"), ["2:23 error[bad-name]"]);
    assert_eq!(setting("forwarded: { via: \"a b\" }"), ["2:19 error[bad-name]"]);
    assert_eq!(route("timeouts: { total: 0s }"), ["3:46 error[zero-deadline]"]);
}

#[test]
fn a_store_is_looked_into_and_what_needs_one_says_so() {
    let limit = |store: &str, written: &str| {
        let limit = format!("routes:\n- {{ path: /x, service: a, policies: {{ rate_limit: {written} }} }}");
        with(&format!("store: {store}\n{limit}"))
    };
    let found = ["2:1 note[store-without-key]", "2:1 warning[gateways-unsaid]"];
    assert!(limit("memory", "5/s").is_empty());
    assert_eq!(limit("redis://a:7", "5/s"), found);
    let whole = "{ url: \"redis://a\", gateways: 1, key: \"${env:KEY}\" }";
    assert_eq!(limit(whole, "{ limit: 5/s, mode: exact }").len(), 0);
    assert_eq!(limit("{ cluster: [\"redis://a\", \"redis://b\"] }", "5/s"), found);
    assert_eq!(limit("{ sentinel: { master: main, nodes: [\"redis://a\"] } }", "5/s"), found);
    for wrong in
        ["memry", "\"redis://u:p@a\"", "{ timeout: 5ms }", "{ url: \"redis://a\", cluster: [\"redis://b\"] }"]
    {
        let found = limit(wrong, "5/s");
        assert!(found.iter().any(|line| line.ends_with("error[bad-store]")), "{wrong} {found:?}");
    }
    let needs = |written: &str, code: &str| {
        let found = limit("memory", written);
        assert!(found.iter().any(|line| line.ends_with(code)), "{written} {found:?}");
    };
    needs("{ limit: 5/s, mode: leased }", "error[no-store]");
    needs("{ limit: 5/s, when_store_fails: open }", "error[no-store]");
    let found = limit("redis://a", "{ limit: 5/s, count_refused: true }");
    assert!(found.iter().any(|line| line.ends_with("error[leased-refusals]")), "{found:?}");
    let found = limit("redis://a", "{ limit: 1/day, burst: 4000000, window: steady }");
    assert!(found.iter().any(|line| line.ends_with("error[too-long]")), "{found:?}");
}
