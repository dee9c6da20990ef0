//! Keys that are fetched: found by URL or discovery, renewed, kept through an outage, never asked for in a
//! flood, and 503 where there never were any.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use torana_credential::jose::{Algorithm, SigningKey};
use torana_testkit::{Authority, Client, Gate, HeldPort, Origin, Reply, Response, TlsFront, eventually};
use yaml::Running;

const PATIENCE: Duration = Duration::from_secs(30);

/// A key pair: what signs, and the public half as a JWK.
struct Pair {
    signing: SigningKey,
    public: Value,
}

fn pair(id: &str) -> Pair {
    let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let private = EcdsaKeyPair::generate_pkcs8(kind, &SystemRandom::new()).unwrap();
    let public = EcdsaKeyPair::from_pkcs8(kind, private.as_ref()).unwrap();
    let (x, y) = public.public_key().as_ref()[1..].split_at(32);
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    let public = json!({"kty": "EC", "crv": "P-256", "kid": id, "use": "sig", "x": x, "y": y});
    let signing = SigningKey::pkcs8(private.as_ref(), Algorithm::Es256).unwrap().with_id(Some(id));
    Pair { signing, public }
}

fn token(pair: &Pair, claims: &Value) -> String {
    pair.signing.token(claims.as_object().unwrap()).unwrap()
}

/// An issuer that answers what a test says.
struct Issuer {
    origin: Origin,
    answer: Arc<Mutex<(u16, String)>>,
}

impl Issuer {
    fn with(keys: &[&Pair]) -> Self {
        let answer = Arc::new(Mutex::new((200, set(keys))));
        let told = Arc::clone(&answer);
        let origin = Origin::respond(move |request| {
            let (status, body) = told.lock().unwrap().clone();
            if request.target.contains("openid-configuration") {
                let base = format!("http://{}", request.header("Host").unwrap());
                return Reply::ok(json!({"issuer": base, "jwks_uri": format!("{base}/keys")}).to_string());
            }
            if status == 302 {
                return Reply::status(302).header("Location", "/elsewhere");
            }
            Reply::status(status).body(body)
        });
        Self { origin, answer }
    }

    fn say(&self, status: u16, body: String) {
        *self.answer.lock().unwrap() = (status, body);
    }

    fn url(&self) -> String {
        format!("http://{}", self.origin.addr())
    }

    fn requests(&self) -> usize {
        self.origin.requests().len()
    }

    fn asked(&self) -> usize {
        self.origin.requests().iter().filter(|request| request.target.contains("/keys")).count()
    }
}

fn set(keys: &[&Pair]) -> String {
    json!({ "keys": keys.iter().map(|pair| &pair.public).collect::<Vec<_>>() }).to_string()
}

fn gateway(jwt: &str) -> Running {
    limited(jwt, "limits: { failed_credentials: off }\n")
}

fn limited(jwt: &str, limits: &str) -> Running {
    Running::start(&format!(
        "access_log: off
{limits}policies: {{ jwt: {{ required_claims: [], {jwt} }} }}
routes: [{{ respond: {{ body: in }} }}]
"
    ))
}

fn ask(gateway: &Running, token: &str) -> Response {
    gateway.ask(&format!("GET / HTTP/1.1\nHost: a\nAuthorization: Bearer {token}"))
}

#[test]
fn a_token_is_verified_by_the_keys_of_its_issuer_from_the_first_request_on() {
    let (known, stranger) = (pair("one"), pair("one"));
    let issuer = Issuer::with(&[&known]);
    let gateway = gateway(&format!("jwks: \"{}/keys\"", issuer.url()));
    assert_eq!(ask(&gateway, &token(&known, &json!({"sub": "u"}))).status, 200);
    assert_eq!(ask(&gateway, &token(&stranger, &json!({"sub": "u"}))).status, 401);
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"one"}"#);
    assert_eq!(ask(&gateway, &format!("{none}.e30.")).status, 401);
    assert_eq!(issuer.asked(), 1);
}

#[test]
fn discovery_finds_the_keys_and_the_issuer_must_be_the_one_that_was_asked() {
    let key = pair("one");
    let issuer = Issuer::with(&[&key]);
    let url = issuer.url();
    let gateway = gateway(&format!("discovery: \"{url}\", audience: api"));
    let claims = |issuer: &str| json!({"sub": "u", "iss": issuer, "aud": "api"});
    assert_eq!(ask(&gateway, &token(&key, &claims(&url))).status, 200);
    assert_eq!(ask(&gateway, &token(&key, &claims("http://other.test"))).status, 401);
    assert_eq!(ask(&gateway, &token(&key, &json!({"sub": "u", "aud": "api"}))).status, 401);
}

#[test]
fn an_issuer_may_be_written_by_the_place_of_its_configuration_alone_or_beside_others() {
    let key = pair("one");
    let issuer = Issuer::with(&[&key]);
    let url = issuer.url();
    let claims = |issuer: &str| json!({"sub": "u", "iss": issuer, "aud": "api"});
    let written = format!("discovery: \"{url}/.well-known/openid-configuration\", audience: api");
    let beside = format!("issuers: [{{ {written} }}, {{ issuer: other, secret: \"${{env:KEY}}\" }}]");
    for written in [written, beside] {
        let gateway = gateway(&written);
        assert_eq!(ask(&gateway, &token(&key, &claims(&url))).status, 200, "{written}");
        for other in [&*format!("{url}/.well-known/openid-configuration"), "other", "http://other.test"] {
            assert_eq!(ask(&gateway, &token(&key, &claims(other))).status, 401, "{written} {other}");
        }
    }
}

#[test]
fn of_a_set_with_bad_keys_the_good_ones_count_and_none_beside_a_secret() {
    let (good, weak) = (pair("good"), json!({"kty": "RSA", "kid": "weak", "n": "AQAB", "e": "AQAB"}));
    let issuer = Issuer::with(&[&good]);
    issuer.say(200, json!({"keys": [weak, good.public]}).to_string());
    let claims = json!({"sub": "u"});
    let keys = format!("jwks: \"{}/keys\"", issuer.url());
    assert_eq!(ask(&gateway(&keys), &token(&good, &claims)).status, 200);
    for bad in [vec![weak], vec![json!({"kty": "oct", "k": "AAAA"}), good.public.clone()]] {
        issuer.say(200, json!({ "keys": bad }).to_string());
        assert_eq!(ask(&gateway(&keys), &token(&good, &claims)).status, 503, "{bad:?}");
    }
}

#[test]
fn a_new_key_is_fetched_when_a_token_names_it_but_made_up_names_cause_no_flood() {
    let (old, new) = (pair("old"), pair("new"));
    let issuer = Issuer::with(&[&old]);
    let keys = format!("jwks: {{ url: \"{}/keys\", cooldown: 300ms }}", issuer.url());
    let gateway = gateway(&keys);
    let claims = json!({"sub": "u"});
    assert_eq!(ask(&gateway, &token(&old, &claims)).status, 200);
    issuer.say(200, set(&[&new]));
    eventually(PATIENCE, || ask(&gateway, &token(&new, &claims)).status == 200);
    // What was verified by the key that is gone is not believed any more.
    assert_eq!(ask(&gateway, &token(&old, &claims)).status, 401);
    let before = issuer.asked();
    let started = std::time::Instant::now();
    for number in 0..200 {
        let stranger = token(&pair(&format!("made-up-{number}")), &claims);
        assert_eq!(ask(&gateway, &stranger).status, 401);
    }
    let most = 2 + usize::try_from(started.elapsed().as_millis() / 300).unwrap();
    assert!(issuer.asked() - before <= most, "{} of at most {most}", issuer.asked() - before);
}

#[test]
fn a_new_key_without_a_name_is_fetched_when_the_known_ones_verify_nothing() {
    let (old, new) = (pair("old"), pair("new"));
    let nameless = |pair: &Pair, id: &str| set(&[pair]).replace(&format!("\"kid\":\"{id}\","), "");
    let issuer = Issuer::with(&[&old]);
    issuer.say(200, nameless(&old, "old"));
    assert!(!nameless(&old, "old").contains("kid"));
    let gateway =
        gateway(&format!("jwks: {{ url: \"{}/keys\", refresh: 1h, cooldown: 300ms }}", issuer.url()));
    let claims = json!({"sub": "u"});
    assert_eq!(ask(&gateway, &token(&old, &claims)).status, 200);
    issuer.say(200, nameless(&new, "new"));
    eventually(PATIENCE, || ask(&gateway, &token(&new, &claims)).status == 200);
    assert_eq!(ask(&gateway, &token(&old, &claims)).status, 401);
}

#[test]
fn the_last_good_keys_stay_through_an_outage_and_bad_answers() {
    let (key, other) = (pair("one"), pair("two"));
    let issuer = Issuer::with(&[&key]);
    let keys = format!("jwks: {{ url: \"{}/keys\", refresh: 50ms, max_size: 8KiB }}", issuer.url());
    let gateway = gateway(&keys);
    let claims = json!({"sub": "u"});
    assert_eq!(ask(&gateway, &token(&key, &claims)).status, 200);
    let secret = json!({"keys": [{"kty": "oct", "k": URL_SAFE_NO_PAD.encode([7; 32]), "kid": "one"}]});
    for (status, body) in [
        (500, String::new()),
        (302, String::new()),
        (200, "not json".into()),
        (200, json!({"keys": []}).to_string()),
        (200, secret.to_string()),
        (200, " ".repeat(9_000) + &set(&[&other])),
    ] {
        issuer.say(status, body);
        let before = issuer.asked();
        eventually(PATIENCE, || issuer.asked() > before + 1);
        assert_eq!(ask(&gateway, &token(&key, &json!({"sub": "v", "n": before}))).status, 200, "{status}");
        // It may be a new key, which cannot be known now: no 401, which would be counted too.
        assert_eq!(ask(&gateway, &token(&other, &claims)).status, 503, "{status}");
    }
    let page = gateway.metrics.render();
    let said = |name: &str| {
        let start = format!("{name}{{url=\"{}/keys\"}} ", issuer.url());
        page.lines().find_map(|line| line.strip_prefix(&start)?.parse::<f64>().ok()).expect(name)
    };
    assert!(said("torana_keys_fetch_failures_total") >= 6.0, "{page}");
    assert!(said("torana_keys_fetched_timestamp_seconds") > 1.0e9, "{page}");
    // The bad answers cost nothing but time: good ones come into force again.
    issuer.say(200, set(&[&other]));
    eventually(Duration::from_secs(60), || ask(&gateway, &token(&other, &claims)).status == 200);
}

#[test]
fn the_last_good_keys_stay_where_only_the_way_changes_in_which_they_are_fetched() {
    let (key, other) = (pair("one"), pair("two"));
    let issuer = Issuer::with(&[&key]);
    let text = |options: &str| {
        format!(
            "access_log: off
limits: {{ failed_credentials: off }}
policies: {{ jwt: {{ required_claims: [], jwks: {{ url: \"{}/keys\", {options} }} }} }}
routes: [{{ respond: {{ body: in }} }}]
",
            issuer.url()
        )
    };
    let good = token(&key, &json!({"sub": "u"}));
    let mut gateway = Running::start(&text("refresh: 1h"));
    assert_eq!(ask(&gateway, &good).status, 200);
    issuer.say(500, String::new());
    let asked = issuer.asked();
    gateway.reload(&text("refresh: 50ms, cooldown: 10ms"));
    assert_eq!(ask(&gateway, &good).status, 200, "the issuer answers nothing of use just now");
    eventually(PATIENCE, || issuer.asked() > asked);
    assert_eq!(ask(&gateway, &good).status, 200);
    // It may be a new key, which cannot be known now.
    assert_eq!(ask(&gateway, &token(&other, &json!({"sub": "u"}))).status, 503);
    issuer.say(200, set(&[&other]));
    eventually(PATIENCE, || ask(&gateway, &good).status == 401);
    assert_eq!(ask(&gateway, &token(&other, &json!({"sub": "u"}))).status, 200);
}

#[test]
fn where_there_never_were_keys_the_answer_is_503_and_not_a_lie() {
    let key = pair("one");
    let closed = HeldPort::free();
    let address = closed.addr();
    // With the limit on wrong credentials that is in force where none is written, too, and more than it lets be wrong.
    for limits in ["limits: { failed_credentials: off }\n", ""] {
        let gateway = limited(&format!("jwks: \"http://{address}/keys\""), limits);
        for number in 0..70 {
            let refused = ask(&gateway, &token(&key, &json!({"sub": number.to_string()})));
            assert_eq!(refused.status, 503);
            let problem: Map<String, Value> = serde_json::from_str(&refused.text()).unwrap();
            assert_eq!(problem["reason"], "keys_unavailable");
            assert!(!refused.text().contains(&address.port().to_string()));
        }
        eventually(PATIENCE, || gateway.metrics.render().contains("reason=\"keys_unavailable\""));
    }
}

#[test]
fn keys_behind_https_come_from_who_proves_its_name_or_not_at_all() {
    let key = pair("one");
    let issuer = Issuer::with(&[&key]);
    let front = TlsFront::new(issuer.origin.addr(), &Authority::default().issue(&["127.0.0.1"]), None);
    // The system does not know who signed its certificate, although it would give the right keys.
    let gateway = gateway(&format!("jwks: \"https://{}/keys\"", front.addr()));
    let answer = ask(&gateway, &token(&key, &json!({"sub": "u"})));
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.text().contains("keys_unavailable"), "{}", answer.text());
    assert_eq!(issuer.asked(), 0);
}

#[test]
fn keys_are_fetched_for_the_configuration_in_force_and_no_other() {
    fetched_while_in_force("jwks", "/keys");
}

#[test]
fn issuers_are_asked_for_the_configuration_in_force_and_no_other() {
    fetched_while_in_force("discovery", "");
}

fn fetched_while_in_force(way: &str, path: &str) {
    let key = pair("one");
    let (before, after) = (Issuer::with(&[&key]), Issuer::with(&[&key]));
    let gate = Gate::new();
    let held = gate.clone();
    let slow = Origin::respond(move |_| Reply::ok("at last").after(&held));
    let text = |issuer: &Issuer| {
        format!(
            "access_log: off
services: {{ slow: {{ endpoints: [\"{}\"] }} }}
policies: {{ jwt: {{ required_claims: [], audience: api, {way}: {{ url: \"{}{path}\", refresh: 50ms }} }} }}
routes: [{{ path: /slow, service: slow }}, {{ path: /*, respond: {{ body: in }} }}]
",
            slow.url(),
            issuer.url()
        )
    };
    let good = |issuer: &Issuer| token(&key, &json!({"sub": "u", "aud": "api", "iss": issuer.url()}));
    let mut gateway = Running::start(&text(&before));
    // What is under way holds the configuration that it began with, and its keys.
    let mut client = Client::connect(gateway.address).deadline(PATIENCE * 4);
    let head = format!("GET /slow HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n", good(&before));
    client.send(head);
    eventually(PATIENCE, || slow.requests().len() == 1);
    let renewed = before.asked() + 2;
    eventually(PATIENCE, || before.asked() >= renewed);

    gateway.reload(&text(&after));
    assert_eq!(ask(&gateway, &good(&after)).status, 200);
    let (old, new) = (before.requests(), after.asked());
    eventually(PATIENCE, || after.asked() >= new + 20);
    assert!(before.requests() <= old + 2, "beside those that were on their way");

    // The same keys again, which nobody has fetched meanwhile; and the same, which somebody fetches.
    for _ in 0..2 {
        gateway.reload(&text(&before));
        assert_eq!(ask(&gateway, &good(&before)).status, 200);
        let renewed = before.asked() + 5;
        eventually(PATIENCE, || before.asked() >= renewed);
    }
    gate.open();
    assert_eq!(client.read_response().text(), "at last");
}
