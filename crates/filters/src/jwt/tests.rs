use super::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde_json::json;
use sha2::Sha256;
use torana_config::written::Algorithm;
use torana_filter::Moment;
use torana_types::{Secret, TimeSpan};

const SECRET: &str = "a secret of at least thirty-two bytes";
const NOW: u64 = 1_000_000;

fn filter() -> JwtFilter {
    JwtFilter::prepare(&Arc::new(JwtPlan {
        secret: Secret::new(SECRET.to_owned()),
        algorithms: vec![Algorithm::Hs256],
        leeway: TimeSpan::from_secs(30),
        claims_to_headers: vec![("sub".into(), "X-User-Id".into()), ("roles".into(), "X-Roles".into())],
        consumer_claim: "sub".into(),
        roles_claim: "roles".into(),
        realm: "torana".into(),
    }))
}

fn sign_text(header: &str, claims: &str, secret: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
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

async fn refusal(filter: &JwtFilter, token: &str, now: u64) -> Option<Fault> {
    let mut exchange = with(&[&format!("Bearer {token}")], now);
    match filter.on_request(&mut exchange, &torana_filter::Offline).await {
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
        assert!(matches!(filter.on_request(&mut exchange, &torana_filter::Offline).await, Verdict::Continue));
        let identity = exchange.identity.unwrap();
        assert_eq!((identity.consumer.as_str(), identity.roles.len()), ("u1", 2));
        let values: Vec<_> = exchange.request.fields.get_all("X-User-Id").collect();
        assert_eq!(values, [b"u1"]);
        assert_eq!(exchange.request.fields.get_str("X-Roles"), Some("user,admin"));
    }
    assert_eq!(filter.cache.len(), 1);
}

#[tokio::test]
async fn times_have_leeway_and_are_compared_on_every_use() {
    let filter = filter();
    let token = sign(&json!({"sub": "u", "exp": NOW}));
    assert!(refusal(&filter, &token, NOW + 29).await.is_none());
    assert_eq!(filter.cache.len(), 1);
    let fault = refusal(&filter, &token, NOW + 30).await.unwrap();
    assert_eq!(fault.reason, Reason::CredentialsExpired);
    let (name, value) = &fault.fields()[0];
    assert_eq!(*name, "WWW-Authenticate");
    assert!(value.starts_with(r#"Bearer realm="torana", error="invalid_token""#), "{value}");
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
        sign_text(r#"{"alg":"HS256"}"#, r#"{"sub":"u","roles":[1]}"#, SECRET),
        sign_text(r#"{"alg":"HS256"}"#, r#"{"sub":"a\r\nX-Admin: 1"}"#, SECRET),
        format!("{head}.{changed}"),
        format!("{head}."),
        format!("{good}."),
        format!("{good}="),
        head.to_owned(),
        "x".repeat(9_000),
        "....".into(),
    ];
    for token in cases {
        let fault = refusal(&filter, &token, NOW).await;
        assert_eq!(fault.map(|fault| fault.reason), Some(Reason::CredentialsInvalid), "{token}");
    }
    assert_eq!(filter.cache.len(), 0);
    assert!(refusal(&filter, &good, NOW).await.is_none());
}

#[tokio::test]
async fn no_token_is_a_challenge_without_an_error() {
    let filter = filter();
    for values in [&[][..], &["Basic dTpw"], &["Bearer"], &["Bearer "]] {
        let Verdict::Fail(fault) = filter.on_request(&mut with(values, NOW), &torana_filter::Offline).await
        else {
            panic!("nothing was shown")
        };
        assert_eq!(fault.reason, Reason::CredentialsMissing);
        assert_eq!(fault.fields(), [("WWW-Authenticate", r#"Bearer realm="torana""#.to_owned())]);
    }
    let good = format!("Bearer {}", sign(&json!({"sub": "u"})));
    let Verdict::Fail(fault) =
        filter.on_request(&mut with(&[&good, &good], NOW), &torana_filter::Offline).await
    else {
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
    assert!(filter.cache.len() <= 16 * 512);
    assert!(filter.cache.len() > 1_000);
}
