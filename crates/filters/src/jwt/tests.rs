use super::*;
use crate::authentication::{AuthenticationFilter, FailureLimit, Method, Place};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use torana_config::FixedResolver;
use torana_credential::jose::{Algorithm, KeySet, SigningKey, VerifyingKey};
use torana_filter::{Moment, Offline, OnRequest, Verdict};
use torana_plan::{AuthenticationPlan, KeysPlan, PolicyPlan, load};

mod genuine;

const SECRET: &str = "a secret of at least thirty-two bytes";
const NOW: u64 = 1_000_000;

/// The plan of a policy as people write it, except that a token need not end, unless it says what claims it asks for.
fn plan(keys: &str) -> Arc<JwtPlan> {
    let lax = if keys.contains("required_claims") { "" } else { ", required_claims: []" };
    planned(&format!("{keys}{lax}"))
}

/// The plan of a policy as people write it.
fn planned(keys: &str) -> Arc<JwtPlan> {
    let text = format!("policies: {{ jwt: {{ {keys} }} }}\nroutes: [{{ respond: {{ status: 204 }} }}]\n");
    let resolver = FixedResolver::default().with_environment("KEY", SECRET);
    let loaded = load("t.yaml", &text, &resolver);
    let plan = loaded.plan.unwrap_or_else(|| panic!("{:?}", loaded.findings));
    match &plan.routes[0].policies[0].policy {
        PolicyPlan::Authentication(AuthenticationPlan::Jwt(plan)) => Arc::clone(plan),
        other => panic!("{other:?}"),
    }
}

struct Tested {
    method: Arc<Method>,
    filter: AuthenticationFilter,
}

impl Tested {
    fn new(keys: &str) -> Self {
        Self::with(keys, None)
    }

    fn with(keys: &str, failures: Option<Arc<FailureLimit>>) -> Self {
        Self::of(&plan(keys), failures)
    }

    fn of(plan: &Arc<JwtPlan>, failures: Option<Arc<FailureLimit>>) -> Self {
        let jwt = JwtFilter::prepare(plan, |plan| Arc::new(RemoteKeys::new(plan)));
        let method = Arc::new(Method::Jwt(jwt));
        let place = Place { all: true, last: true, ..Place::default() };
        Self { filter: AuthenticationFilter::new(Arc::clone(&method), place, failures), method }
    }

    fn remembered(&self) -> usize {
        let Method::Jwt(jwt) = &*self.method else { panic!("jwt was prepared") };
        jwt.cache.len()
    }

    async fn on_request(&self, exchange: &mut Exchange) -> Verdict {
        self.filter.on_request(exchange, &Offline).await
    }
}

fn filter() -> Tested {
    Tested::new("secret: \"${env:KEY}\", claims_to_headers: { sub: X-User-Id, roles: X-Roles }")
}

fn sign_text(header: &str, claims: &str, secret: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let key = SigningKey::secret(secret.as_bytes(), Algorithm::Hs256).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()).unwrap()))
}

fn sign(claims: &serde_json::Value) -> String {
    sign_text(r#"{"alg":"HS256","typ":"JWT"}"#, &claims.to_string(), SECRET)
}

fn with(authorization: &[&str], now: u64) -> Exchange {
    let mut exchange = Exchange::default();
    for value in authorization {
        exchange.request.fields.append("Authorization", value.as_bytes()).unwrap();
    }
    exchange.moment = Moment { unix_seconds: now, ..Moment::default() };
    exchange
}

async fn refusal(filter: &Tested, token: &str, now: u64) -> Option<Fault> {
    let mut exchange = with(&[&format!("Bearer {token}")], now);
    match filter.on_request(&mut exchange).await {
        Verdict::Continue => None,
        Verdict::Fail(fault) => {
            assert!(exchange.identity.is_none());
            Some(fault)
        }
        Verdict::Respond(_) => panic!("jwt answers nothing"),
    }
}

#[tokio::test]
async fn a_good_token_says_who_calls() {
    let filter = filter();
    let token = sign(&json!({"sub": "u1", "roles": ["user", "admin"], "exp": NOW + 60, "nbf": NOW}));
    for scheme in ["Bearer", "bearer", "BEARER "] {
        let mut exchange = with(&[&format!("{scheme} {token}")], NOW);
        exchange.request.fields.append("X-User-Id", b"spoofed").unwrap();
        assert!(matches!(filter.on_request(&mut exchange).await, Verdict::Continue));
        let identity = exchange.identity.unwrap();
        assert_eq!((identity.consumer.as_str(), identity.roles.len()), ("u1", 2));
        let values: Vec<_> = exchange.request.fields.get_all("X-User-Id").collect();
        assert_eq!(values, [b"u1"]);
        assert_eq!(exchange.request.fields.get_str("X-Roles"), Some("user,admin"));
    }
    assert_eq!(filter.remembered(), 1);
}

#[tokio::test]
async fn times_have_leeway_and_are_compared_on_every_use() {
    let filter = filter();
    let token = sign(&json!({"sub": "u", "exp": NOW}));
    assert!(refusal(&filter, &token, NOW + 29).await.is_none());
    assert_eq!(filter.remembered(), 1);
    let fault = refusal(&filter, &token, NOW + 30).await.unwrap();
    assert_eq!(fault.reason, Reason::CredentialsExpired);
    let (name, value) = &fault.fields()[0];
    assert_eq!(*name, "WWW-Authenticate");
    assert_eq!(value, r#"Bearer realm="torana", error="invalid_token""#, "what is wrong with it is not told");
    let early = sign(&json!({"sub": "u", "nbf": NOW + 31}));
    assert_eq!(refusal(&filter, &early, NOW).await.unwrap().reason, Reason::CredentialsInvalid);
    assert!(refusal(&filter, &early, NOW + 1).await.is_none());
}

#[tokio::test]
async fn what_is_not_signed_by_us_is_refused() {
    let filter = filter();
    let claims = r#"{"sub":"u"}"#;
    let good = sign_text(r#"{"alg":"HS256"}"#, claims, SECRET);
    let (head, signature) = good.rsplit_once('.').unwrap();
    let mut changed = signature.to_owned();
    let first = if changed.starts_with('A') { "B" } else { "A" };
    changed.replace_range(..1, first);
    let cases = [
        sign_text(r#"{"alg":"HS256"}"#, claims, "another secret"),
        sign_text(r#"{"alg":"none"}"#, claims, SECRET),
        sign_text(r#"{"alg":"hs256"}"#, claims, SECRET),
        sign_text(r#"{"alg":"HS512"}"#, claims, SECRET),
        sign_text(r#"{"typ":"JWT"}"#, claims, SECRET),
        sign_text(r#"{"alg":"HS256","alg":"none"}"#, claims, SECRET),
        sign_text(r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, claims, SECRET),
        sign_text(r#"{"alg":"HS256"}"#, r#"{"sub":"u","sub":"admin"}"#, SECRET),
        sign_text(r#"{"alg":"HS256"}"#, "[]", SECRET),
        sign_text(r#"{"alg":"HS256"}"#, "{}", SECRET),
        sign_text(r#"{"alg":"HS256"}"#, r#"{"sub":""}"#, SECRET),
        sign_text(r#"{"alg":"HS256"}"#, r#"{"sub":"u","exp":"soon"}"#, SECRET),
        sign_text(r#"{"alg":"HS256"}"#, r#"{"sub":"u","exp":-1}"#, SECRET),
        format!("{head}.{changed}"),
        format!("{head}."),
        format!("{good}."),
        format!("{good}="),
        head.to_owned(),
        "x".repeat(20_000),
        "....".into(),
    ];
    for token in cases {
        let fault = refusal(&filter, &token, NOW).await;
        assert_eq!(fault.map(|fault| fault.reason), Some(Reason::CredentialsInvalid), "{token}");
    }
    assert_eq!(filter.remembered(), 0);
    assert!(refusal(&filter, &good, NOW).await.is_none());
}

#[tokio::test]
async fn no_token_is_a_challenge_without_an_error() {
    let filter = filter();
    for values in [&[][..], &["Basic dTpw"], &["Bearer"], &["Bearer "]] {
        let Verdict::Fail(fault) = filter.on_request(&mut with(values, NOW)).await else {
            panic!("nothing was shown")
        };
        assert_eq!(fault.reason, Reason::CredentialsMissing);
        assert_eq!(fault.fields(), [("WWW-Authenticate", r#"Bearer realm="torana""#.to_owned())]);
    }
    let good = format!("Bearer {}", sign(&json!({"sub": "u"})));
    let Verdict::Fail(fault) = filter.on_request(&mut with(&[&good, &good], NOW)).await else {
        panic!("two fields are ambiguous")
    };
    assert_eq!(fault.reason, Reason::CredentialsInvalid);
}

#[tokio::test]
async fn the_cache_stays_bounded() {
    let filter = filter();
    for number in 0..20_000 {
        assert!(refusal(&filter, &sign(&json!({"sub": number})), NOW).await.is_none());
    }
    assert!(filter.remembered() <= 16 * 512);
    assert!(filter.remembered() > 1_000);
}

async fn reason(filter: &Tested, claims: serde_json::Value) -> Option<Reason> {
    refusal(filter, &sign(&claims), NOW).await.map(|fault| fault.reason)
}

#[tokio::test]
async fn whom_a_token_is_from_and_for_is_checked() {
    let filter = Tested::new(
        "secret: \"${env:KEY}\", issuer: [https://a.test, b], audience: [api, web], required_claims: [tenant]",
    );
    let invalid = Some(Reason::CredentialsInvalid);
    let good = json!({"sub": "u", "iss": "b", "aud": ["x", "web"], "tenant": 1});
    assert_eq!(reason(&filter, good.clone()).await, None);
    for (claim, value) in [
        ("iss", json!("c")),
        ("iss", json!(["b"])),
        ("iss", json!(null)),
        ("aud", json!("other")),
        ("aud", json!([])),
        ("aud", json!({"web": 1})),
        ("aud", json!(null)),
    ] {
        let mut claims = good.clone();
        claims[claim] = value;
        assert_eq!(reason(&filter, claims.clone()).await, invalid, "{claims}");
    }
    for missing in ["iss", "aud", "tenant", "sub"] {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().shift_remove(missing);
        assert_eq!(reason(&filter, claims).await, invalid, "{missing}");
    }
}

#[tokio::test]
async fn ages_and_lifetimes_are_bounded() {
    let filter = Tested::new("secret: \"${env:KEY}\", leeway: 0s, max_age: 1m, max_lifetime: 1h");
    let good = |issued: u64, expires: u64| json!({"sub": "u", "iat": issued, "exp": expires});
    assert_eq!(reason(&filter, good(NOW - 59, NOW + 3_600)).await, None);
    assert_eq!(reason(&filter, good(NOW - 60, NOW + 9)).await, Some(Reason::CredentialsExpired));
    assert_eq!(reason(&filter, good(NOW + 1, NOW + 9)).await, Some(Reason::CredentialsInvalid));
    assert_eq!(reason(&filter, good(NOW, NOW + 3_601)).await, Some(Reason::CredentialsInvalid));
    assert_eq!(reason(&filter, json!({"sub": "u", "iat": NOW})).await, Some(Reason::CredentialsInvalid));
    assert_eq!(reason(&filter, json!({"sub": "u", "exp": NOW + 9})).await, Some(Reason::CredentialsInvalid));
}

#[tokio::test]
async fn the_type_of_a_token_can_be_asked_for() {
    let filter = Tested::new("secret: \"${env:KEY}\", types: [application/AT+jwt]");
    for (header, accepted) in [
        (r#"{"alg":"HS256","typ":"at+JWT"}"#, true),
        (r#"{"alg":"HS256","typ":"application/at+jwt"}"#, true),
        (r#"{"alg":"HS256","typ":"JWT"}"#, false),
        (r#"{"alg":"HS256"}"#, false),
    ] {
        let token = sign_text(header, r#"{"sub":"u"}"#, SECRET);
        assert_eq!(refusal(&filter, &token, NOW).await.is_none(), accepted, "{header}");
    }
}

#[tokio::test]
async fn a_token_is_found_where_it_is_looked_for_and_there_is_only_one() {
    let keys = "secret: \"${env:KEY}\", upstream_token: strip, from: { headers: [Authorization, X-Token], cookies: [session], query: [jwt] }";
    let filter = Tested::new(keys);
    let token = sign(&json!({"sub": "u"}));
    let other = sign(&json!({"sub": "v"}));
    let request = |fields: &[(&str, String)], query: Option<&str>| {
        let mut exchange = with(&[], NOW);
        for (name, value) in fields {
            exchange.request.fields.append(*name, value.as_bytes()).unwrap();
        }
        assert!(exchange.request.set_query(query.map(str::as_bytes)));
        exchange
    };
    let cookie = ("Cookie", format!("a=1; session={token}; b=2"));
    let accepted = [
        request(&[("Authorization", format!("Bearer {token}"))], None),
        request(&[("X-Token", token.clone())], None),
        request(&[("X-Token", format!("bearer {token}")), ("Authorization", "Basic dTpw".into())], None),
        request(std::slice::from_ref(&cookie), None),
        request(&[], Some(&format!("a=1&jwt={token}"))),
        request(std::slice::from_ref(&cookie), Some(&format!("jwt={token}"))),
        request(&[("Cookie", format!("session={token}; a=b session={token}"))], None),
        request(&[], Some(&format!("jwt={token}&Jwt={token}"))),
    ];
    for mut exchange in accepted {
        assert!(matches!(filter.on_request(&mut exchange).await, Verdict::Continue));
        let left: Vec<_> = exchange.request.fields.iter().map(|(_, value)| value.to_vec()).collect();
        let query = exchange.request.query().unwrap_or_default().to_vec();
        let text = String::from_utf8_lossy(&[left.concat(), query].concat()).into_owned();
        assert!(!text.contains(&token), "{text}");
    }
    let refused = [
        request(std::slice::from_ref(&cookie), Some(&format!("jwt={other}"))),
        request(&[("Authorization", format!("Bearer {token}")), ("X-Token", other.clone())], None),
        request(&[("X-Token", token.clone()), ("X-Token", token.clone())], None),
        request(&[], Some(&format!("jwt={token}&jwt={other}"))),
        request(&[], Some(&format!("jwt={token}&JWT={other}"))),
        request(&[("Cookie", format!("session={token}; a=b session={other}"))], None),
        request(&[("Cookie", format!("session={token}; Session={other}"))], None),
        request(&[("Authorization", format!("Bearer {token}"))], Some(&format!("%20jwt={other}"))),
        request(&[("Authorization", format!("Bearer {token}"))], Some(&format!("jwt%00={other}"))),
    ];
    for mut exchange in refused {
        let Verdict::Fail(fault) = filter.on_request(&mut exchange).await else { panic!("two tokens") };
        assert_eq!(fault.reason, Reason::CredentialsInvalid);
    }
    assert!(
        matches!(filter.on_request(&mut request(&[], Some("jwt="))).await, Verdict::Fail(fault) if fault.reason == Reason::CredentialsMissing)
    );
}

#[tokio::test]
async fn a_group_that_is_text_is_one_and_only_a_scope_is_words() {
    for (claim, value, groups) in [
        ("team", json!("not admin"), &["not admin"][..]),
        ("team", json!(" eu "), &["eu"]),
        ("team", json!(["not admin", "eu"]), &["not admin", "eu"]),
        ("team", json!(" "), &[]),
        ("team", json!(null), &[]),
        ("scope", json!("read write"), &["read", "write"]),
        ("scp", json!("read write"), &["read", "write"]),
    ] {
        let filter = Tested::new(&format!("secret: \"${{env:KEY}}\", groups_claim: {claim}"));
        let mut exchange = with(&[&format!("Bearer {}", sign(&json!({"sub": "u", claim: value})))], NOW);
        assert!(matches!(filter.on_request(&mut exchange).await, Verdict::Continue));
        assert_eq!(exchange.identity.unwrap().authenticated_groups, groups, "{claim} {value}");
    }
}

#[tokio::test]
async fn the_service_can_have_a_token_of_the_gateways_own() {
    let filter = Tested::new(
        "secret: \"${env:KEY}\", upstream_token: { secret: the-secret-of-the-service-32-bytes, issuer: gate, audience: inner, lifetime: 1m }",
    );
    let token = sign(&json!({"sub": "u", "iss": "outer", "exp": NOW + 20, "tier": "gold"}));
    let mut seen = Vec::new();
    for later in [0, 1] {
        let mut exchange = with(&[&format!("Bearer {token}")], NOW + later);
        assert!(matches!(filter.on_request(&mut exchange).await, Verdict::Continue));
        let sent = exchange.request.fields.get_str("Authorization").unwrap().to_owned();
        let inner = sent.strip_prefix("Bearer ").unwrap();
        let parsed = Token::parse(inner.as_bytes()).unwrap();
        let verifies = |secret: &str| {
            VerifyingKey::secret(secret.as_bytes(), &[Algorithm::Hs256]).unwrap().verifies(&parsed)
        };
        assert!(verifies("the-secret-of-the-service-32-bytes"));
        assert!(!verifies(SECRET), "callers' tokens have another key");
        assert!(!verifies("the-secret-of-the-service-32-bytez"));
        let (signed, _) = inner.rsplit_once('.').unwrap();
        let other = token.rsplit_once('.').unwrap().1;
        let exchanged = format!("{signed}.{other}");
        let exchanged = Token::parse(exchanged.as_bytes()).unwrap();
        let key = VerifyingKey::secret(b"the-secret-of-the-service-32-bytes", &[Algorithm::Hs256]).unwrap();
        assert!(!key.verifies(&exchanged), "another signature");
        let claims = parsed.claims().unwrap();
        let claims = claims.map();
        assert_eq!((claims["sub"].as_str(), claims["tier"].as_str()), (Some("u"), Some("gold")));
        assert_eq!((claims["iss"].as_str(), claims["aud"].as_str()), (Some("gate"), Some("inner")));
        assert_eq!(claims["exp"], NOW + 50, "as long as the caller's is accepted");
        assert_ne!(inner, token);
        seen.push(sent);
    }
    assert_eq!(seen[0], seen[1], "signed once");
    assert_eq!(exchange_identity(&filter, &token).await, "outer");
}

#[tokio::test]
async fn a_token_of_the_gateways_own_is_good_when_sent_and_signed_as_seldom_as_that_allows() {
    let minted = async |filter: &Tested, token: &str, now: u64| {
        let mut exchange = with(&[&format!("Bearer {token}")], now);
        assert!(matches!(filter.on_request(&mut exchange).await, Verdict::Continue), "{now}");
        let sent = exchange.request.fields.get_str("Authorization").unwrap().to_owned();
        let parsed = Token::parse(sent.strip_prefix("Bearer ").unwrap().as_bytes()).unwrap();
        let claims = parsed.claims().unwrap();
        let time = |name: &str| claims.map()[name].as_u64().unwrap();
        assert!(time("exp") > now, "it has ended at {now}");
        (time("iat"), time("exp"))
    };
    let mint = |lifetime: &str, more: &str| {
        Tested::new(&format!(
            "secret: \"${{env:KEY}}\", upstream_token: {{ secret: the-secret-of-the-service-32-bytes, issuer: gate, lifetime: {lifetime} }}{more}"
        ))
    };
    // The caller's ends first: signing again would gain nothing.
    let filter = mint("1h", "");
    let token = sign(&json!({"sub": "u", "exp": NOW + 300}));
    for later in [0, 1, 200, 299, 300, 329] {
        assert_eq!(minted(&filter, &token, NOW + later).await, (NOW, NOW + 330), "{later}");
    }
    // Nor is it sent when it has ended, although the caller's is still accepted.
    let late = sign(&json!({"sub": "u", "exp": NOW - 10}));
    assert_eq!(minted(&filter, &late, NOW).await, (NOW, NOW + 20));
    // The caller's is longer: at half time, and then as long as both.
    let filter = mint("1m", "");
    let token = sign(&json!({"sub": "u", "exp": NOW + 60}));
    for (later, iat, exp) in [(0, 0, 60), (29, 0, 60), (30, 30, 90), (59, 30, 90), (60, 30, 90), (89, 30, 90)]
    {
        assert_eq!(minted(&filter, &token, NOW + later).await, (NOW + iat, NOW + exp), "{later}");
    }
    // An age ends it too.
    let filter = mint("1h", ", max_age: 1m, leeway: 0s");
    let token = sign(&json!({"sub": "u", "iat": NOW, "exp": NOW + 500}));
    for later in [0, 40, 59] {
        assert_eq!(minted(&filter, &token, NOW + later).await, (NOW, NOW + 60), "{later}");
    }
    // And one of a second is as good.
    let filter = mint("1s", "");
    let token = sign(&json!({"sub": "u", "exp": NOW + 60}));
    assert_eq!(minted(&filter, &token, NOW).await, (NOW, NOW + 1));
    assert_eq!(minted(&filter, &token, NOW + 1).await, (NOW + 1, NOW + 2));
}

async fn exchange_identity(filter: &Tested, token: &str) -> String {
    let mut exchange = with(&[&format!("Bearer {token}")], NOW);
    assert!(matches!(filter.on_request(&mut exchange).await, Verdict::Continue));
    exchange.identity.unwrap().credential.as_ref().unwrap().id.to_string()
}

#[tokio::test]
async fn several_issuers_have_keys_of_their_own() {
    let filter = Tested::new(
        "issuers: [{ issuer: a, secret: the-first-secret-of-at-least-32-bytes }, { issuer: b, secret: another-secret-of-at-least-32-bytes, audience: x }]",
    );
    let signed = |issuer: &str, secret: &str, audience: &str| {
        sign_text(
            r#"{"alg":"HS256"}"#,
            &json!({"sub": "u", "iss": issuer, "aud": audience}).to_string(),
            secret,
        )
    };
    let (first, second) = ("the-first-secret-of-at-least-32-bytes", "another-secret-of-at-least-32-bytes");
    for (token, accepted) in [
        (signed("a", first, ""), true),
        (signed("b", second, "x"), true),
        (signed("a", second, "x"), false),
        (signed("b", first, "x"), false),
        (signed("b", second, "y"), false),
        (signed("c", first, "x"), false),
        (sign_text(r#"{"alg":"HS256"}"#, r#"{"sub":"u"}"#, first), false),
    ] {
        assert_eq!(refusal(&filter, &token, NOW).await.is_none(), accepted, "{token}");
    }
}

#[tokio::test]
async fn guessing_from_one_address_is_limited_and_disturbs_nobody_who_is_known() {
    let limit = Arc::new(FailureLimit::new(&"3/minute".parse().unwrap()));
    let filter = Tested::with("secret: \"${env:KEY}\"", Some(limit));
    let known = sign(&json!({"sub": "known"}));
    assert!(refusal(&filter, &known, NOW).await.is_none());
    for number in 0..3 {
        let wrong = sign_text(r#"{"alg":"HS256"}"#, &json!({"sub": number}).to_string(), "wrong");
        assert_eq!(refusal(&filter, &wrong, NOW).await.unwrap().reason, Reason::CredentialsInvalid);
    }
    let fresh = sign(&json!({"sub": "fresh"}));
    let fault = refusal(&filter, &fresh, NOW).await.unwrap();
    assert_eq!((fault.reason, fault.status()), (Reason::AuthenticationLimited, 429));
    assert!(fault.fields().iter().any(|(name, _)| *name == "Retry-After"));
    assert!(refusal(&filter, &known, NOW).await.is_none());
    let mut elsewhere = with(&[&format!("Bearer {fresh}")], NOW);
    elsewhere.client_address = "192.0.2.7".parse().unwrap();
    assert!(matches!(filter.on_request(&mut elsewhere).await, Verdict::Continue));
}

#[tokio::test]
async fn keys_that_nobody_fetches_are_not_the_callers_fault() {
    let filter = Tested::new("jwks: \"http://127.0.0.1:9/keys\"");
    let token = sign_text(r#"{"alg":"ES256"}"#, r#"{"sub":"u"}"#, SECRET);
    let fault = refusal(&filter, &token, NOW).await.unwrap();
    assert_eq!((fault.reason, fault.status()), (Reason::KeysUnavailable, 503));
}

#[tokio::test]
async fn times_that_are_not_to_be_compared_are_not() {
    let (ended, early) = (json!({"sub": "u", "exp": 1}), json!({"sub": "u", "nbf": NOW * 2, "iat": NOW * 2}));
    let odd = json!({"sub": "u", "exp": "tomorrow"});
    let lax = Tested::new("secret: \"${env:KEY}\", unchecked_times: [exp, nbf, iat]");
    let only = Tested::new("secret: \"${env:KEY}\", unchecked_times: [exp]");
    for (claims, lax_takes, only_takes) in [(&ended, true, true), (&odd, true, true), (&early, true, false)] {
        let token = sign(claims);
        // Twice: what is remembered is no other verdict.
        for _ in 0..2 {
            assert_eq!(refusal(&lax, &token, NOW).await.is_none(), lax_takes, "{claims}");
            assert_eq!(refusal(&only, &token, NOW).await.is_none(), only_takes, "{claims}");
            assert!(refusal(&filter(), &token, NOW).await.is_some(), "{claims}");
        }
    }
}

#[tokio::test]
async fn a_token_has_to_end_unless_the_file_says_otherwise() {
    let (endless, ends) = (json!({"sub": "u"}), json!({"sub": "u", "exp": NOW + 60}));
    let (young, odd) = (json!({"sub": "u", "iat": NOW}), json!({"sub": "u", "exp": NOW - 60}));
    for (options, takes) in [
        ("", [false, true, false, false]),
        (", max_lifetime: 1h", [false, true, false, false]),
        (", max_age: 1h", [false, false, true, false]),
        (", max_age: 1h, required_claims: [exp]", [false, false, false, false]),
        (", required_claims: []", [true, true, true, false]),
        (", required_claims: [exp]", [false, true, false, false]),
        (", unchecked_times: [exp]", [true, true, true, true]),
        // Kong's `claims_to_verify: [exp]`, and the same without it.
        (", unchecked_times: [nbf, iat]", [false, true, false, false]),
        (", unchecked_times: [exp, nbf, iat]", [true, true, true, true]),
    ] {
        let filter = Tested::of(&planned(&format!("secret: \"${{env:KEY}}\"{options}")), None);
        for (claims, takes) in [&endless, &ends, &young, &odd].into_iter().zip(takes) {
            assert_eq!(refusal(&filter, &sign(claims), NOW).await.is_none(), takes, "{options}: {claims}");
        }
    }
}

#[tokio::test]
async fn a_realm_that_has_no_name_is_left_out() {
    let filter = Tested::new("secret: \"${env:KEY}\", realm: \"\"");
    for (shown, challenge) in [(None, "Bearer"), (Some("Bearer x"), "Bearer error=\"invalid_token\"")] {
        let Verdict::Fail(fault) = filter.on_request(&mut with(shown.as_slice(), NOW)).await else {
            panic!("nobody is known")
        };
        assert_eq!(fault.fields(), [("WWW-Authenticate", challenge.to_owned())]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_good_keys_stay_for_requests_under_way_when_nobody_fetches_them_any_more() {
    let plan = plan("jwks: { url: \"http://127.0.0.1:9/keys\", cooldown: 0s }");
    let KeysPlan::Remote(plan) = &plan.issuers[0].keys else { panic!("they are fetched") };
    let text = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]});
    let set = || KeySet::parse(text.to_string().as_bytes(), &[], true).unwrap();
    let keys = RemoteKeys::new(plan);
    let first = keys.begin().unwrap();
    assert!(keys.begin().is_none(), "somebody fetches already");
    keys.store(Ok((set(), None)));
    keys.end();
    assert!(keys.fetcher().is_none());
    // It is woken, to see that it has ended.
    first.notified().await;

    let began = tokio::time::Instant::now();
    let (generation, _) = keys.current_or_first().await.unwrap();
    assert!(keys.newer_than(generation).await.unwrap().is_none());
    assert_eq!(began.elapsed(), std::time::Duration::ZERO, "nobody is waited for");

    let second = keys.begin().unwrap();
    assert!(keys.fetcher().is_some_and(|fetcher| Arc::ptr_eq(&fetcher, &second)));
    assert!(!Arc::ptr_eq(&first, &second));
    assert_eq!(keys.current_or_first().await.unwrap().0, generation);
}
