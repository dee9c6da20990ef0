//! Policies, and what they need of each other.

use super::{JWT, findings, policy, route, with};

#[test]
fn roles_need_somebody_who_says_who_calls() {
    assert_eq!(route("policies: { roles: [admin] }"), ["3:3 error[roles-without-authentication]"]);
    let off = with(&format!(
        "{JWT}\nroutes:\n- {{ path: /x, service: a, policies: {{ jwt: off, roles: [admin] }} }}"
    ));
    assert!(off.contains(&"4:3 error[roles-without-authentication]".to_owned()), "{off:?}");
    assert_eq!(with(&format!("{JWT}\nroutes:\n- {{ service: a, policies: {{ roles: [] }} }}")).len(), 1);
}

/// What a rule is written for with an escape or capitals, or with what no path has, is told with what happens instead.
#[test]
fn rules_for_one_spelling_alone_are_told() {
    let rules = |rules: &str| -> Vec<String> {
        let found = with(&format!(
            "policies: {{ jwt: {{ secret: \"${{env:KEY}}\" }}, roles: {rules} }}\nroutes: [{{ path: /*, service: a }}]"
        ));
        found.iter().map(|finding| finding.split_once(' ').unwrap().1.to_owned()).collect()
    };
    let escaped = ["warning[rule-escaped]"];
    assert_eq!(rules("{ rules: { /v1/%40me: [self] } }"), escaped);
    assert_eq!(rules("{ rules: { /v1/%40me/*: [self], /v1/*: [admin] } }"), escaped);
    assert_eq!(rules("{ rules: { 'POST /v1/items%3Adelete': [self], 'GET /v1/*': [self] } }"), escaped);
    assert_eq!(rules("{ rules: { /v1/%40me: [self] }, any: [admin] }"), escaped);
    assert_eq!(rules("{ rules: { /Reports/*: [admin] } }"), ["warning[rule-capitals]"]);
    for fine in [
        "{ rules: { /v1/%40me: [self], /v1/*: [self] } }",
        "{ rules: { /v1/%40me: [self], /v1/@me: [other] } }",
        "{ rules: { /v1/%40me: [self] }, any: [self] }",
        "{ rules: { /v1/%61/%20: [self], '/{Id}/x': [admin] } }",
        "{ rules: { /Reports/*: [admin], /reports/*: anyone } }",
        "{ rules: { '~/v1/.*%40[A-Z]+': [self] } }",
    ] {
        assert!(rules(fine).is_empty(), "{fine}: {:?}", rules(fine));
    }
    let unmatched = ["warning[unmatched-escape]"];
    for lost in ["/files/a%2Fb", "/files/a%5cb", "'~/v1/items%3adelete'", "'~/v1/%7Eme'", "'~/v1/a%00'"] {
        assert_eq!(rules(&format!("{{ rules: {{ {lost}: [self] }} }}")), unmatched, "{lost}");
    }
}

#[test]
fn a_limit_by_consumer_needs_one_too() {
    let found = route("policies: { rate_limit: { limit: 5/s, by: consumer } }");
    assert_eq!(found, ["3:3 warning[limit-without-consumer]"]);
}

#[test]
fn limits_that_say_too_little_or_contradict_themselves_are_found() {
    let limit = |written: &str| route(&format!("policies: {{ rate_limit: {written} }}"));
    assert_eq!(limit("{ by: address }"), ["3:51 error[no-limit]"]);
    assert_eq!(limit("[5/s, 3/minute]"), ["3:51 error[longer-is-less]"]);
    assert_eq!(limit("[5/s, 7/s]"), ["3:57 error[duplicate-window]"]);
    assert_eq!(limit("{ limit: 9/month, window: sliding }"), ["3:60 error[calendar-window]"]);
    assert_eq!(limit("{ limit: { rate: 9/day, burst: 3 } }"), ["3:60 error[burst-without-pace]"]);
    assert_eq!(limit("{ limit: 9/s, by: { header: a, claim: b } }"), ["3:69 error[bad-key]"]);
    assert_eq!(limit("{ limit: 9/s, by: { header: \"a b\" } }"), ["3:79 error[bad-name]"]);
    assert_eq!(limit("{ limit: 9/s, ipv6_prefix: 129 }"), ["3:78 error[bad-value]"]);
    assert_eq!(limit("{ limit: 9/s, cost: { response_header: host } }"), ["3:90 error[reserved-field]"]);
    assert!(limit("[9/s, 9/minute, 90/hour, 900/day, 9000/month, 9000/year]").is_empty());
}

#[test]
fn what_a_narrower_scope_removes_is_told() {
    let found = with(&format!(
        "{JWT}\nroutes:\n- {{ path: /x, service: a, policies: {{ jwt: off, rate_limit: off }} }}\n- {{ path: /y, service: a, policies: {{ jwt: {{ secret: \"${{env:KEY}}\" }} }} }}"
    ));
    let expected = [
        "4:3 note[public-route]",
        "4:39 note[policy-off]",
        "4:49 warning[nothing-to-switch-off]",
        "5:39 note[policy-replaced]",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_body_that_is_signed_is_not_changed_before() {
    for (ways, expected) in [
        ("key_auth: { body: [k] }, hmac_auth: on", 1),
        ("key_auth: { body: [k] }, sigv4: on, auth: all", 1),
        ("key_auth: { body: [k] }, sigv4: on, auth: any", 0),
        ("key_auth: { body: [k], hide_credentials: false }, hmac_auth: on", 0),
        ("key_auth: on, hmac_auth: on", 0),
        ("key_auth: { body: [k] }, basic_auth: on", 0),
    ] {
        let text = format!(
            "consumers: [{{ username: a }}]\npolicies: {{ {ways} }}\nroutes: [{{ path: /a, respond: {{}} }}, {{ path: /b, respond: {{}} }}]\n"
        );
        let found = findings(&text);
        let said = found.iter().filter(|line| line.contains("error[contradiction]")).count();
        assert_eq!(said, expected, "{ways}: {found:?}");
    }
}

#[test]
fn who_is_asked_must_be_there_and_asked_in_a_way_that_can_be() {
    assert_eq!(policy("forward_auth: { service: b }"), Vec::<String>::new());
    assert_eq!(
        policy("forward_auth: { url: \"https://c.test/x?m={method}\" }"),
        ["1:43 warning[unused-service]"]
    );
    let without_b = |rest: &str| policy(&format!("forward_auth: {{ service: b, {rest} }}"));
    let finds =
        |written: &str, found: &str| assert!(policy(written).contains(&found.to_owned()), "{written}");
    finds("forward_auth: { service: bb }", "7:30 error[unknown-service]");
    finds("forward_auth: {}", "7:19 error[who-is-asked]");
    for good in ["headers: [Authorization, Cookie, X-Key]", "ttl: 5s"] {
        assert_eq!(
            policy(&format!("forward_auth: {{ service: b, cache: {{ {good} }} }}")),
            Vec::<String>::new()
        );
    }
    for chosen in [
        "request_headers: [X-Key], cache: { headers: [x-key] }",
        "request_headers: [X-Key, Accept-Language, User-Agent, X-Requested-With], cache: { headers: [X-Key] }",
        "request_headers: [Accept], cache: { headers: [] }",
    ] {
        assert_eq!(
            policy(&format!("forward_auth: {{ service: b, {chosen} }}")),
            Vec::<String>::new(),
            "{chosen}"
        );
    }
    finds("forward_auth: { service: b, url: \"http://c.test\" }", "7:19 error[who-is-asked]");
    for (rest, code) in [
        ("path: x", "error[bad-target]"),
        ("path: \"/{pth}\"", "error[bad-target]"),
        ("path: \"/a#b\"", "error[bad-target]"),
        ("timeout: 0s", "error[zero-deadline]"),
        ("refusals: [200]", "error[bad-status]"),
        ("refusals: [304]", "error[bad-status]"),
        ("refusals: [500]", "error[bad-status]"),
        ("request_headers: [Host]", "error[reserved-field]"),
        ("response_headers: [Content-Length]", "error[reserved-field]"),
        ("response_headers: [\"*\"]", "error[bad-name]"),
        ("refusal_headers: [\"a b\"]", "error[bad-name]"),
        ("cache: { ttl: 500ms }", "error[no-ttl]"),
        ("request_headers: [\"*\"], cache: {}", "warning[cache-of-nothing]"),
        ("cache: { headers: [Authorization] }", "error[cache-of-everybody]"),
        ("cache: { headers: [cookie, X-Key] }", "error[cache-of-everybody]"),
        ("request_headers: [\"*\"], cache: { headers: [authorization] }", "error[cache-of-everybody]"),
        (
            "request_headers: [\"*\"], cache: { headers: [Authorization, Cookie] }",
            "warning[cache-of-everybody]",
        ),
        ("request_headers: [X-Api-Key], cache: { headers: [Accept] }", "error[cache-of-everybody]"),
        ("request_headers: [X-Tenant, Accept], cache: { headers: [] }", "error[cache-of-everybody]"),
        ("on_failure: allow", "warning[fails-open]"),
    ] {
        let mut found = without_b(rest);
        found.retain(|one| !one.contains("public-route"));
        assert!(found.len() == 1 && found[0].ends_with(code), "{rest}: {found:?}");
    }
}

#[test]
fn fields_of_an_answer_are_given_to_whom_they_are_for() {
    let asked = |rest: &str| policy(&format!("forward_auth: {{ service: b, {rest} }}"));
    for fine in ["client_headers: [set-cookie, X-Session, WWW-Authenticate]", "client_headers: []"] {
        assert_eq!(asked(fine), Vec::<String>::new(), "{fine}");
    }
    for (rest, code) in [
        ("client_headers: [\"*\"]", "error[bad-name]"),
        ("client_headers: [Transfer-Encoding]", "error[reserved-field]"),
        ("client_headers: [cache-control]", "error[reserved-field]"),
        ("client_headers: [X-Consumer-ID]", "error[reserved-field]"),
        ("client_headers: [Access-Control-Allow-Origin]", "error[reserved-field]"),
        ("client_headers: [Via]", "error[reserved-field]"),
        ("client_headers: [x-request-id]", "error[reserved-field]"),
        ("response_headers: [X-User, set-cookie]", "error[reserved-field]"),
    ] {
        let found = asked(rest);
        assert!(found.len() == 1 && found[0].ends_with(code), "{rest}: {found:?}");
    }
}

#[test]
fn introspection_is_asked_with_a_secret_that_does_not_stand_in_the_file() {
    let good = "service: b, client: { id: g, secret: \"${env:KEY}\" }";
    assert_eq!(policy(&format!("oauth2_introspection: {{ {good} }}")), Vec::<String>::new());
    let clear = "oauth2_introspection: { service: b, client: { id: g, secret: in-the-clear } }";
    assert_eq!(policy(clear), ["7:66 warning[secret-in-clear]"]);
    for (rest, code) in [
        ("scopes: [\"a b\"]", "error[bad-scope]"),
        ("scopes: [\"a\\\"\"]", "error[bad-value]"),
        ("realm: \"a\\nb\"", "error[bad-value]"),
        ("from: {}", "error[no-source]"),
        ("claims_to_headers: { sub: Host }", "error[reserved-field]"),
        ("path: introspect", "error[bad-target]"),
    ] {
        let found = policy(&format!("oauth2_introspection: {{ {good}, {rest} }}"));
        assert!(found.len() == 1 && found[0].ends_with(code), "{rest}: {found:?}");
    }
}

#[test]
fn a_refusal_has_a_status_that_an_answer_can_have_and_a_body_where_it_can_have_one() {
    let status =
        |keys: &str| route(&format!("policies: {{ ip_restriction: {{ deny: [192.0.2.1], {keys} }} }}"));
    for fine in ["status: 400", "status: 451", "status: 599", "status: 503, message: later"] {
        assert_eq!(status(fine), Vec::<String>::new(), "{fine}");
    }
    for surprising in ["status: 200", "status: 204", "status: 302", "status: 304", "status: 399, message: x"]
    {
        assert_eq!(status(surprising), ["3:84 warning[refusal-status]"], "{surprising}");
    }
    for wrong in ["status: 0", "status: 100", "status: 199", "status: 600"] {
        assert_eq!(status(wrong), ["3:84 error[out-of-range]"], "{wrong}");
    }
    for bodiless in ["status: 204, message: x", "status: 205, message: x", "status: 304, message: x"] {
        assert_eq!(status(bodiless), ["3:84 warning[refusal-status]", "3:89 error[body-not-allowed]"]);
    }
}
