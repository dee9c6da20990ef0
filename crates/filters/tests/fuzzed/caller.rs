//! Who calls: nothing panics, no request is anybody's that shows none of the secrets, what is shown is found no more once
//! it was verified, and what expressions ask of a request has the same answer each time.

use serde_json::json;
use std::sync::{Arc, LazyLock};
use tokio::runtime::{Builder, Runtime};
use torana_config::FixedResolver;
use torana_credential::jose::KeySet;
use torana_expression::Expression;
use torana_fault::Reason;
use torana_filter::{Exchange, Moment, Offline, OnRequest, Verdict};
use torana_filters::{
    AuthenticationFilter, BasicAuthFilter, Discovered, ExchangeFacts, Filter, HmacAuthFilter, JwtFilter,
    KeyAuthFilter, Method, OidcLoginFilter, Place, Places, Provider, RemoteKeys, SigV4Filter,
};
use torana_http::h1::{BodyFraming, HeadLimits, parse_request};
use torana_plan::{AuthenticationPlan, KeysPlan, OidcLoginPlan, PolicyPlan, load};

const KEY: &str = "a key that nobody guesses, 32 bytes and more";
const ISSUER: &str = "https://login.test";

/// Every way whose callers show what strangers may send; each accepts alice, and nothing is enough but what she knows.
const TEXT: &str = r#"
consumers:
  - username: alice
    keys: ["${env:KEY}"]
    basic: [{ username: alice, password: "${env:KEY}" }]
    hmac: [{ username: alice, secret: "${env:KEY}" }]
    sigv4: [{ access_key_id: AKIDALICE, secret_access_key: "${env:KEY}" }]
policies:
  auth: any
  cors: { origins: ["https://app.test", "https://*.dev.test"], credentials: true }
  csrf: on
  bot_detection: on
  jwt: { secret: "${env:KEY}", audience: api, from: { headers: [Authorization], cookies: [token], query: [token] } }
  key_auth: { headers: [apikey], cookies: [apikey], query: [apikey], body: [apikey] }
  basic_auth: on
  hmac_auth: on
  sigv4: { regions: [eu-west-1], services: [execute-api] }
  oidc_login: { issuer: "https://login.test", client_id: shop, client_secret: "${env:KEY}", session_keys: "${env:KEY}",
                external_url: "https://shop.test" }
routes: [{ path: /*, respond: { status: 204 } }]
"#;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime"));

/// What is asked beside who calls, then the ways.
static ASKED: LazyLock<(Vec<Filter>, Vec<Arc<Method>>)> = LazyLock::new(|| {
    let resolver = FixedResolver::default().with_environment("KEY", KEY);
    let loaded = load("fuzz.yaml", TEXT, &resolver);
    let plan = loaded.plan.unwrap_or_else(|| panic!("{:?}", loaded.findings));
    let (mut others, mut ways) = (Vec::new(), Vec::new());
    for planned in &plan.routes[0].policies {
        match &planned.policy {
            PolicyPlan::Authentication(plan) => ways.push(Arc::new(method(plan))),
            policy => others.extend(Filter::stateless(policy).ok()),
        }
    }
    assert_eq!(ways.len(), 6);
    (others, ways)
});

static EXPRESSIONS: LazyLock<Vec<Expression>> = LazyLock::new(|| {
    let texts = [
        r#"request.path.startsWith("/a") && request.host == "a.test" && request.size > 3"#,
        r#"request.method in ["GET", "POST"] || request.query.contains("a=%41")"#,
        r#"request.parameters.a == "1" || has(request.parameters.apikey)"#,
        r#"request.headers.origin.endsWith(".test") || "cookie" in request.headers"#,
        r#"request.headers["accept"].split(",").exists(one, one.matches("^a.*b$"))"#,
        r#"int(request.headers["x-number"]) > 2 || double(request.parameters.number) < 1.5"#,
        r#"timestamp(request.headers["date"]) < now || duration(request.parameters.age) < duration("1h")"#,
        r#"cidr(request.parameters.net).containsIP(client.address)"#,
    ];
    let compiled: Vec<_> = texts.into_iter().filter_map(|text| Expression::condition(text).ok()).collect();
    assert!(compiled.len() >= 5, "{}", compiled.len());
    compiled
});

fn method(plan: &AuthenticationPlan) -> Method {
    match plan {
        AuthenticationPlan::Jwt(plan) => {
            Method::Jwt(JwtFilter::prepare(plan, |plan| Arc::new(RemoteKeys::new(plan))))
        }
        AuthenticationPlan::KeyAuth(plan) => Method::KeyAuth(KeyAuthFilter::prepare(plan)),
        AuthenticationPlan::BasicAuth(plan) => Method::BasicAuth(BasicAuthFilter::prepare(plan)),
        AuthenticationPlan::HmacAuth(plan) => Method::HmacAuth(HmacAuthFilter::prepare(plan)),
        AuthenticationPlan::SigV4(plan) => Method::SigV4(SigV4Filter::prepare(plan)),
        AuthenticationPlan::OidcLogin(plan) => {
            let provider = Arc::new(Provider::new(&plan.provider, keys(plan)));
            Method::OidcLogin(Box::new(OidcLoginFilter::prepare(plan, provider, Arc::default())))
        }
        other => panic!("{} asks others", other.name()),
    }
}

/// Keys and places as if they had been fetched.
fn keys(plan: &OidcLoginPlan) -> Arc<RemoteKeys> {
    let KeysPlan::Remote(remote) = &plan.id_token.issuers[0].keys else { panic!("keys are fetched") };
    let keys = Arc::new(RemoteKeys::new(remote));
    let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]});
    let set = KeySet::parse(set.to_string().as_bytes(), &[], true).expect("a set");
    let place = |path: &str| format!("{ISSUER}{path}").parse().expect("a URL");
    let places = Places {
        issuer: ISSUER.into(),
        authorization: place("/auth"),
        token: place("/token"),
        end_session: Some(place("/end")),
        names_issuer: true,
    };
    let found = Discovered { issuer: ISSUER.into(), places: Some(Arc::new(places)) };
    keys.store(Ok((set, Some(found))));
    keys
}

/// Any bytes: the head of a request, a line each, then perhaps an empty line and a body.
pub fn check(input: &[u8]) {
    let end = input.windows(2).position(|pair| pair == b"\n\n").unwrap_or(input.len());
    let (head, body) = input.split_at(end);
    let body = body.get(2..).unwrap_or_default();
    if let Some(exchange) = read(head, body, None) {
        facts(&exchange);
        nobody(exchange);
    }
    if let Some(exchange) = read(head, body, Some(KEY)) {
        let _ = is_somebody(exchange);
    }
}

/// Whether a request that shows nothing else is alice's with her key.
pub fn is_known_by_key(head: &[u8]) -> bool {
    read(head, b"", Some(KEY)).is_some_and(is_somebody)
}

/// The request, with this key besides.
fn read(head: &[u8], body: &[u8], key: Option<&str>) -> Option<Exchange> {
    let mut text = Vec::new();
    for line in head.split(|byte| *byte == b'\n') {
        text.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        text.extend_from_slice(b"\r\n");
    }
    if let Some(key) = key {
        text.extend_from_slice(format!("apikey: {key}\r\n").as_bytes());
    }
    text.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    let mut exchange = Exchange {
        client_address: "10.1.2.3".parse().expect("an address"),
        secure: true,
        moment: Moment { unix_seconds: 1_618_884_473, ..Moment::default() },
        ..Exchange::default()
    };
    parse_request(&text, 0, &HeadLimits::default(), &mut exchange.request).ok()??;
    if exchange.request.framing != BodyFraming::None {
        exchange.body = Some(body.to_vec().into());
    }
    Some(exchange)
}

fn facts(exchange: &Exchange) {
    let facts = ExchangeFacts::new(exchange);
    for expression in EXPRESSIONS.iter() {
        assert_eq!(expression.holds(&facts), expression.holds(&facts), "{}", expression.source());
    }
}

fn nobody(mut exchange: Exchange) {
    for filter in &ASKED.0 {
        // Who is refused by one may be let pass by another configuration.
        let _ = RUNTIME.block_on(filter.on_request(&mut exchange, &Offline));
    }
    let (verdict, _) = ask(&mut exchange);
    assert!(exchange.identity.is_none(), "somebody who showed nothing: {verdict:?}");
    assert!(!matches!(verdict, Verdict::Continue), "nobody is let in");
}

fn is_somebody(mut exchange: Exchange) -> bool {
    let (verdict, by) = ask(&mut exchange);
    let Some(identity) = exchange.identity.take() else { return false };
    assert_eq!((&*identity.consumer, by), ("alice", "key_auth"));
    if !matches!(verdict, Verdict::Continue) {
        // A browser that comes back from a login is answered, whoever it is.
        return true;
    }
    // The service sees no key: not hers, and none that another reader would find.
    assert!(exchange.request.fields.get("apikey").is_none());
    exchange.refusal = None;
    let keys = ASKED.1.iter().find(|way| way.name() == "key_auth").expect("it is asked");
    let alone = AuthenticationFilter::new(
        Arc::clone(keys),
        Place { all: true, last: true, ..Place::default() },
        None,
    );
    match RUNTIME.block_on(alone.on_request(&mut exchange, &Offline)) {
        Verdict::Fail(fault) => assert_eq!(fault.reason, Reason::CredentialsMissing, "{fault}"),
        other => panic!("a key is left: {other:?}"),
    }
    true
}

/// Asks one way after the other, of which one is enough. The outcome, and who was asked last.
fn ask(exchange: &mut Exchange) -> (Verdict, &'static str) {
    let ways = &ASKED.1;
    let (mut verdict, mut by) = (Verdict::Continue, "");
    for (place, way) in ways.iter().enumerate() {
        let others = ways.iter().filter(|other| !Arc::ptr_eq(other, way)).cloned().collect();
        let place = Place { last: place + 1 == ways.len(), others, ..Place::default() };
        let filter = AuthenticationFilter::new(Arc::clone(way), place, None);
        if exchange.identity.is_none() {
            by = filter.name();
        }
        verdict = RUNTIME.block_on(filter.on_request(exchange, &Offline));
        if !matches!(verdict, Verdict::Continue) {
            break;
        }
    }
    (verdict, by)
}
