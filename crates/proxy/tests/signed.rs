//! Signatures over requests on a whole gateway: Kong's `hmac` scheme and HTTP Message Signatures (RFC 9421).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "support/judge.rs"]
mod judge;
#[path = "yaml.rs"]
mod yaml;

#[path = "signed/kong.rs"]
mod kong;
#[path = "signed/message.rs"]
mod message;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use judge::judged;
use sha2::{Digest, Sha256, Sha512};
use std::time::{SystemTime, UNIX_EPOCH};
use torana_credential::jose::{Algorithm, SigningKey};
use torana_testkit::{Client, Origin, Reply, Response};
use yaml::Running;

/// Of RFC 9421 appendix B.1.4.
const ED25519: (&str, &str) =
    ("n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU", "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs");

fn ed25519_pem() -> String {
    let point = URL_SAFE_NO_PAD.decode(ED25519.1).unwrap();
    let der = [&b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"[..], &point].concat();
    format!("-----BEGIN PUBLIC KEY-----\\n{}\\n-----END PUBLIC KEY-----\\n", STANDARD.encode(der))
}

fn file(origin: &Origin) -> String {
    format!(
        "access_log: off
limits: {{ failed_credentials: off }}
services: {{ a: {{ endpoints: [\"{}\"] }} }}
consumers:
- {{ username: alice, custom_id: c-1, hmac: [{{ username: alice, secret: alice-secret }}, {{ username: alice-key, public_key: \"{}\" }}] }}
- {{ username: bob, hmac: [{{ username: bob, secret: Ym9iLXNlY3JldA==, secret_base64: true }}] }}
policies: {{ hmac_auth: {{ realm: test }} }}
routes:
- {{ path: /signed/*, service: a }}
- {{ path: /kong/*, service: a, policies: {{ hmac_auth: {{ schemes: [hmac], enforce_headers: [], signed_date: false, body: digest, algorithms: [hmac-sha1, hmac-sha256], hide_credentials: false }} }} }}
- {{ path: /plain/*, service: a, policies: {{ hmac_auth: {{ body: ignored }} }} }}
- {{ path: /once/*, service: a, policies: {{ hmac_auth: {{ replay: refuse, remember: 8 }} }} }}
- {{ path: /nonce/*, service: a, policies: {{ hmac_auth: {{ replay: refuse, messages: {{ nonce: true, tag: mine }} }} }} }}
- {{ path: /any/*, service: a, policies: {{ key_auth: {{}}, auth: any }} }}
",
        origin.url(),
        ed25519_pem()
    )
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn date(seconds: u64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + std::time::Duration::from_secs(seconds))
}

fn mac(secret: &[u8], text: &str) -> String {
    STANDARD.encode(SigningKey::secret(secret, Algorithm::Hs256).unwrap().sign(text.as_bytes()).unwrap())
}

/// A request that is signed; what of it is signed is what it says, unless changed after.
#[derive(Clone)]
struct Request {
    method: &'static str,
    target: String,
    fields: Vec<(String, String)>,
    body: String,
}

impl Request {
    fn new(method: &'static str, target: &str, body: &str) -> Self {
        Self { method, target: target.into(), fields: Vec::new(), body: body.into() }
    }

    fn field(mut self, name: &str, value: impl Into<String>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    fn value(&self, name: &str) -> String {
        let found = self.fields.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// Kong's scheme over these names.
    fn kong(self, user: &str, secret: &[u8], names: &str) -> Self {
        self.kong_by("1.1", user, secret, names)
    }

    /// The same for a version of HTTP.
    fn kong_by(self, version: &str, user: &str, secret: &[u8], names: &str) -> Self {
        let lines: Vec<String> = names
            .split(' ')
            .map(|name| match name {
                "request-line" => format!("{} {} HTTP/{version}", self.method, self.target),
                "@request-target" => {
                    format!("@request-target: {} {}", self.method.to_ascii_lowercase(), self.target)
                }
                "host" => "host: a".into(),
                "content-length" => format!("content-length: {}", self.body.len()),
                name => format!("{name}: {}", self.value(name)),
            })
            .collect();
        let signature = mac(secret, &lines.join("\n"));
        let shown = format!(
            "hmac username=\"{user}\", algorithm=\"hmac-sha256\", headers=\"{names}\", signature=\"{signature}\""
        );
        self.field("Authorization", shown)
    }

    fn digest(self) -> Self {
        let digest = format!("SHA-256={}", STANDARD.encode(Sha256::digest(&self.body)));
        self.field("Digest", digest)
    }

    fn content_digest(self) -> Self {
        let digest = format!("sha-512=:{}:", STANDARD.encode(Sha512::digest(&self.body)));
        self.field("Content-Digest", digest)
    }

    /// RFC 9421 over these components.
    fn message(self, key: Key, names: &[&str], params: &str) -> Self {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let mut base = String::new();
        for name in names {
            let value = match *name {
                "@method" => self.method.into(),
                "@authority" => "a".into(),
                "@path" => path.to_owned(),
                "@query" => format!("?{query}"),
                "@request-target" => self.target.clone(),
                "@target-uri" => format!("http://a{}", self.target),
                "content-length" => self.body.len().to_string(),
                name => self.value(name),
            };
            base.push_str(&format!("\"{name}\": {value}\n"));
        }
        let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        let input = format!("({}){params}", quoted.join(" "));
        base.push_str(&format!("\"@signature-params\": {input}"));
        let signature = match key {
            Key::Secret(secret) => mac(secret, &base),
            Key::Ed25519 => {
                let seed = URL_SAFE_NO_PAD.decode(ED25519.0).unwrap();
                let der = [&b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20"[..], &seed]
                    .concat();
                let key = SigningKey::pkcs8(&der, Algorithm::EdDsa).unwrap();
                STANDARD.encode(key.sign(base.as_bytes()).unwrap())
            }
        };
        self.field("Signature-Input", format!("sig={input}")).field("Signature", format!("sig=:{signature}:"))
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn set(self, name: &str, change: impl Fn(&str) -> String) -> Self {
        self.with(|request| {
            let field = request.fields.iter_mut().find(|(own, _)| own.eq_ignore_ascii_case(name)).unwrap();
            let changed = change(&field.1);
            assert_ne!(field.1, changed, "nothing has changed");
            field.1 = changed;
        })
    }

    fn send(&self, gateway: &Running) -> Response {
        let fields: String = self.fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = match self.method {
            "GET" if self.body.is_empty() => String::new(),
            _ => format!("Content-Length: {}\r\n", self.body.len()),
        };
        Client::connect(gateway.address).exchange(format!(
            "{} {} HTTP/1.1\r\nHost: a\r\n{length}{fields}\r\n{}",
            self.method, self.target, self.body
        ))
    }
}

#[derive(Clone, Copy)]
enum Key {
    Secret(&'static [u8]),
    Ed25519,
}

const ALICE: &[u8] = b"alice-secret";
const BOB: &[u8] = b"bob-secret";
const WHOLE: [&str; 4] = ["@method", "@authority", "@path", "@query"];

/// What every case is made of: it passes.
fn kong(method: &'static str, target: &str, body: &str) -> Request {
    let request = Request::new(method, target, body).field("Date", date(now()));
    if body.is_empty() {
        request.kong("alice", ALICE, "date @request-target host")
    } else {
        request.digest().kong("alice", ALICE, "date request-line digest")
    }
}

fn message(target: &str, body: &str, key: Key, keyid: &str, params: &str) -> Request {
    let request = Request::new("POST", target, body).content_digest();
    let names = [&WHOLE[..], &["content-digest", "content-length"]].concat();
    request.message(key, &names, &format!(";created={};keyid=\"{keyid}\"{params}", now()))
}

fn judge(gateway: &Running, origin: &Origin, cases: Vec<(&str, Request, u16)>) {
    for (name, request, status) in cases {
        let answer = judged(origin, name, status, &["alice", "signature"], || request.send(gateway));
        if status == 401 {
            assert_eq!(answer.header("WWW-Authenticate"), Some("hmac realm=\"test\""), "{name}");
        }
    }
}

#[test]
fn a_digest_that_is_covered_is_compared_also_where_none_is_asked_for() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&file(&origin));
    let bare = || {
        Request::new("POST", "/plain/a", "x").message(
            Key::Secret(ALICE),
            &WHOLE[..3],
            &format!(";created={};keyid=\"alice\"", now()),
        )
    };
    let changed = |request: Request| request.with(|request| request.body = "y".into());
    let covered = || message("/plain/a?x", "x", Key::Secret(ALICE), "alice", "");
    judge_plain(
        &gateway,
        vec![
            ("no digest", bare(), 200),
            ("no digest, another body", changed(bare()), 200),
            ("a digest", covered(), 200),
            ("a digest, another body", changed(covered()), 401),
            ("Kong's scheme, another body", changed(kong("POST", "/plain/a", "x")), 200),
        ],
    );
}

fn judge_plain(gateway: &Running, cases: Vec<(&str, Request, u16)>) {
    for (name, request, status) in cases {
        assert_eq!(request.send(gateway).status, status, "{name}");
    }
}

#[test]
fn a_signature_is_good_once_where_it_is_said() {
    let origin = Origin::always(Reply::ok("in"));
    let mut gateway = Running::start(&file(&origin));
    let first = kong("GET", "/once/a", "");
    let second = message("/once/a?b", "x", Key::Ed25519, "alice-key", "");
    judge_plain(
        &gateway,
        vec![
            ("Kong's scheme", first.clone(), 200),
            ("Kong's scheme again", first.clone(), 401),
            ("with more around it", first.clone().field("X-Other", "1"), 401),
            ("a message", second.clone(), 200),
            ("a message again", second.clone(), 401),
        ],
    );
    // A reload that changes nothing about it forgets nothing.
    gateway.reload(&file(&origin));
    assert_eq!(first.send(&gateway).status, 401);
    // The third and fourth find a place, the fifth none of those that are left for others; a wrong one takes none.
    for (number, status) in [(1, 200), (2, 200), (3, 429)] {
        assert_eq!(
            kong("GET", &format!("/once/{number}"), "")
                .with(|request| request.fields[0].1.push('x'))
                .send(&gateway)
                .status,
            401
        );
        assert_eq!(kong("GET", &format!("/once/{number}"), "").send(&gateway).status, status, "{number}");
    }
    assert_eq!(first.send(&gateway).status, 401);
    // What one caller has used up is not the others'.
    let bobs = Request::new("GET", "/once/b", "").field("Date", date(now()));
    let bobs = bobs.kong("bob", BOB, "date @request-target host");
    assert_eq!(bobs.send(&gateway).status, 200);
    let nonce = |target: &str, nonce: &str| {
        message(target, "x", Key::Secret(ALICE), "alice", &format!("{nonce};tag=\"mine\""))
    };
    judge_plain(
        &gateway,
        vec![
            ("no nonce", nonce("/nonce/a?a", ""), 401),
            ("an empty nonce", nonce("/nonce/a?a", ";nonce=\"\""), 401),
            ("a nonce", nonce("/nonce/a?a", ";nonce=\"1\""), 200),
            ("the nonce for something else", nonce("/nonce/b?a", ";nonce=\"1\""), 401),
            ("another nonce", nonce("/nonce/a?a", ";nonce=\"2\""), 200),
            (
                "for another purpose",
                message("/nonce/a?a", "x", Key::Secret(ALICE), "alice", ";nonce=\"3\";tag=\"other\""),
                401,
            ),
            (
                "without a nonce elsewhere, again and again",
                message("/signed/a?a", "x", Key::Secret(ALICE), "alice", ""),
                200,
            ),
        ],
    );
}

#[test]
fn services_learn_who_calls_and_see_no_signature() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&file(&origin));
    let spoofed = |request: Request| {
        request
            .field("X-Consumer-Username", "root")
            .field("X-Credential-Identifier", "root")
            .field("X-Consumer-Groups", "root")
    };
    for request in [kong("POST", "/signed/a", "x"), message("/signed/a", "x", Key::Ed25519, "alice-key", "")]
    {
        let body = request.body.clone();
        assert_eq!(spoofed(request).send(&gateway).status, 200);
        let seen = origin.requests().pop().unwrap();
        for hidden in ["Authorization", "Proxy-Authorization", "Signature", "Signature-Input"] {
            assert_eq!(seen.header(hidden), None, "{hidden}");
        }
        assert_eq!(seen.header_all("X-Consumer-Username"), ["alice"]);
        assert_eq!(seen.header("X-Consumer-Custom-ID"), Some("c-1"));
        assert!(seen.header("X-Credential-Identifier").is_some_and(|id| id.starts_with("alice")));
        assert_eq!(seen.body_text(), body);
    }
}

#[test]
fn a_body_is_read_only_for_who_may_have_signed_it() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&file(&origin));
    // Answered before a byte of the body has come: nobody waits for it.
    for shown in [
        String::new(),
        kong("POST", "/signed/a", "")
            .set("Authorization", |value| value.replace("alice", "nobody"))
            .value("Authorization"),
    ] {
        let mut client = Client::connect(gateway.address);
        client.send(format!(
            "POST /signed/a HTTP/1.1\r\nHost: a\r\nDate: {}\r\nAuthorization: {shown}\r\nContent-Length: 100000\r\n\r\n",
            date(now())
        ));
        assert_eq!(client.read_response().status, 401);
    }
    // Somebody with a key pays for no comparison: the body streams past, however long it is.
    let large = "x".repeat(1_100_000);
    assert_eq!(Request::new("POST", "/any/a", &large).field("apikey", "wrong").send(&gateway).status, 401);
    assert_eq!(kong("POST", "/any/a", "x").send(&gateway).status, 200);
}

/// Only a head that announces a long body: whoever waits for that body never answers.
fn announced(request: &Request, gateway: &Running) -> Response {
    let fields: String = request.fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head =
        format!("POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n{fields}\r\n", request.target);
    Client::connect(gateway.address).exchange(head)
}

#[test]
fn who_signs_wrongly_learns_nothing_from_the_bound_of_bodies() {
    let origin = Origin::always(Reply::ok("hello"));
    let gateway = Running::start(&file(&origin));
    let signed = |user: &str, secret: &'static [u8]| {
        let request = Request::new("POST", "/signed/a", "x").field("Date", date(now()));
        request.digest().kong(user, secret, "date request-line digest")
    };
    let message = |keyid: &str, secret| message("/signed/a", "x", Key::Secret(secret), keyid, "");
    assert_eq!(announced(&signed("alice", ALICE), &gateway).status, 413);
    for (name, request) in [
        ("a known name", signed("alice", BOB)),
        ("a name that nobody has", signed("mallory", BOB)),
        ("a known name of a message", message("alice", BOB)),
        ("a public key", message("alice-key", BOB)),
        ("a name of a message that nobody has", message("mallory", BOB)),
    ] {
        assert_eq!(announced(&request, &gateway).status, 401, "{name}");
    }
    assert_eq!(origin.count(), 0);
}

#[test]
fn nothing_is_read_for_an_address_that_guesses() {
    let origin = Origin::always(Reply::ok("hello"));
    let text = file(&origin).replace("failed_credentials: off", "failed_credentials: 2/hour");
    let gateway = Running::start(&text);
    let good = kong("POST", "/signed/a", "x");
    assert_eq!(announced(&good, &gateway).status, 413);
    let wrong = good.clone().set("Authorization", |value| value.replace("alice", "mallory"));
    for status in [401, 401, 429] {
        assert_eq!(wrong.send(&gateway).status, status);
    }
    assert_eq!(announced(&good, &gateway).status, 429);
}

#[test]
fn who_signed_well_before_is_not_held_up_by_others_and_is_not_guessed_for_either() {
    let origin = Origin::always(Reply::ok("hello"));
    let text = file(&origin).replace("failed_credentials: off", "failed_credentials: 2/hour");
    let gateway = Running::start(&text);
    let good = kong("GET", "/signed/a", "");
    let stranger = good.clone().set("Authorization", |value| value.replace("alice", "mallory"));
    let guess = good.clone().set("Authorization", |value| {
        let start = value.find("signature=\"").unwrap() + "signature=\"".len();
        let other = if value[start..].starts_with('A') { 'B' } else { 'A' };
        format!("{}{other}{}", &value[..start], &value[start + 1..])
    });
    assert_eq!(good.send(&gateway).status, 200);
    for status in [401, 401, 429] {
        assert_eq!(stranger.send(&gateway).status, status);
    }
    assert_eq!(kong("GET", "/signed/b", "").send(&gateway).status, 200);
    for status in [401, 401, 429] {
        assert_eq!(guess.send(&gateway).status, status);
    }
    assert_eq!(good.send(&gateway).status, 429);
}
