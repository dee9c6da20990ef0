//! AWS Signature Version 4 on a whole gateway, against botocore's own signer.
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

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use judge::judged;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use torana_testkit::{Client, Origin, Reply, Response, tool};
use yaml::Running;

fn file(origin: &Origin) -> String {
    format!(
        "access_log: off
limits: {{ failed_credentials: off }}
services: {{ a: {{ endpoints: [\"{}\"] }} }}
consumers:
- {{ username: alice, sigv4: [{{ access_key_id: AKIDALICE, secret_access_key: \"alice/secret+key\" }}] }}
- {{ username: bob, sigv4: [{{ access_key_id: AKIDBOB, secret_access_key: bob-secret, session_token: \"bob/session==\" }}] }}
policies: {{ sigv4: {{}} }}
routes:
- {{ path: /signed/*, service: a }}
- {{ path: /narrow/*, service: a, policies: {{ sigv4: {{ regions: [eu-west-1], services: [execute-api], presigned: false, chunked_payload: false, hide_credentials: false }} }} }}
- {{ path: /loose/*, service: a, policies: {{ sigv4: {{ unsigned_payload: true, max_expires: 1h, max_body: 1KiB }} }} }}
- {{ path: /once/*, service: a, policies: {{ sigv4: {{ replay: refuse }} }} }}
",
        origin.url()
    )
}

/// The signer; ends with its standard input.
struct Signer {
    process: Child,
    lines: BufReader<ChildStdout>,
}

impl Signer {
    fn start() -> Self {
        let mut process = Command::new(tool("python/bin/python"))
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sigv4_signer.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a signer");
        let lines = BufReader::new(process.stdout.take().unwrap());
        Self { process, lines }
    }

    /// Signs as alice for the region and service that nothing forbids, unless `changes` say otherwise.
    fn sign(&mut self, form: &str, method: &str, target: &str, changes: Value) -> Signed {
        let mut job = json!({
            "form": form, "method": method, "target": target, "key": "AKIDALICE", "secret": "alice/secret+key",
            "region": "eu-west-1", "service": if form.starts_with("s3") || form == "chunked" || form == "unsigned" { "s3" } else { "execute-api" },
        });
        let Value::Object(changes) = changes else { panic!("changes are an object") };
        job.as_object_mut().unwrap().extend(changes);
        writeln!(self.process.stdin.as_mut().unwrap(), "{job}").unwrap();
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        let signed: Value = serde_json::from_str(&line).expect("a signed request");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let fields = signed["headers"].as_array().unwrap().iter();
        Signed {
            method: text(&signed["method"]),
            target: text(&signed["target"]),
            fields: fields.map(|pair| (text(&pair[0]), text(&pair[1]))).collect(),
            body: STANDARD.decode(text(&signed["body"])).unwrap(),
        }
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

#[derive(Clone)]
struct Signed {
    method: String,
    target: String,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Signed {
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn field(self, name: &str, value: &str) -> Self {
        self.with(|signed| signed.fields.push((name.into(), value.into())))
    }

    fn set(self, name: &str, from: &str, to: &str) -> Self {
        self.with(|signed| {
            let field = signed.fields.iter_mut().find(|(own, _)| own.eq_ignore_ascii_case(name)).unwrap();
            let changed = field.1.replacen(from, to, 1);
            assert_ne!(field.1, changed, "nothing has changed");
            field.1 = changed;
        })
    }

    fn target(self, from: &str, to: &str) -> Self {
        self.with(|signed| {
            let changed = signed.target.replacen(from, to, 1);
            assert_ne!(signed.target, changed, "nothing has changed");
            signed.target = changed;
        })
    }

    fn body(self, body: &str) -> Self {
        self.with(|signed| signed.body = body.into())
    }

    fn send(&self, gateway: &Running) -> Response {
        self.send_to(gateway, "gateway.example")
    }

    fn send_to(&self, gateway: &Running, host: &str) -> Response {
        let fields = self.fields.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("content-length"));
        let fields: String = fields.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = match self.body.len() {
            0 if self.method == "GET" => String::new(),
            length => format!("Content-Length: {length}\r\n"),
        };
        let head =
            format!("{} {} HTTP/1.1\r\nHost: {host}\r\n{length}{fields}\r\n", self.method, self.target);
        Client::connect(gateway.address).exchange([head.as_bytes(), &self.body].concat())
    }
}

fn judge(gateway: &Running, origin: &Origin, cases: Vec<(&str, Signed, u16)>) {
    for (name, signed, status) in cases {
        let answer = judged(origin, name, status, &["AKID", "signature"], || signed.send(gateway));
        if status == 401 {
            assert_eq!(answer.header("WWW-Authenticate"), Some("AWS4-HMAC-SHA256"), "{name}");
        }
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn what_botocore_signs_is_accepted() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&file(&origin));
    let mut signer = Signer::start();
    let mut sign =
        |form: &str, method: &str, target: &str, changes: Value| signer.sign(form, method, target, changes);
    let cases = vec![
        ("plain", sign("header", "GET", "/signed/a", json!({})), 200),
        ("a query", sign("header", "GET", "/signed/a?b=2&a=%20x&a=1&c", json!({})), 200),
        ("an encoded path", sign("header", "GET", "/signed/a%20b/%C3%A9~", json!({})), 200),
        ("dots and slashes", sign("header", "GET", "/signed//x/../a/./b/", json!({})), 200),
        ("a body", sign("header", "POST", "/signed/a", json!({"body": "{\"n\": 1}"})), 200),
        (
            "fields",
            sign(
                "header",
                "GET",
                "/signed/a",
                json!({"headers": {"X-Amz-Meta-A": "  a   b ", "Content-Type": "text/plain"}}),
            ),
            200,
        ),
        ("Date", sign("header", "GET", "/signed/a", json!({"headers": {"Date": "now"}})), 200),
        (
            "a session",
            sign(
                "header",
                "GET",
                "/signed/a",
                json!({"key": "AKIDBOB", "secret": "bob-secret", "token": "bob/session=="}),
            ),
            200,
        ),
        ("S3", sign("s3", "PUT", "/signed/a%20b?acl", json!({"body": "some text"})), 200),
        ("S3 without a body", sign("s3", "GET", "/signed/a%2Bb", json!({})), 200),
        ("S3 with a plus", sign("s3", "GET", "/signed/a+b@c", json!({})), 200),
        ("a path that is left open", sign("header", "GET", "/signed/a/b/", json!({})), 200),
        (
            "S3 with a plus for its escape",
            sign("s3", "GET", "/signed/a%2Bb", json!({})).target("%2B", "+"),
            401,
        ),
        (
            "an open path for a closed one",
            sign("header", "GET", "/signed/a", json!({})).target("/a", "/a/."),
            401,
        ),
        ("a space for a plus", sign("header", "GET", "/signed/a?b=%2B", json!({})).target("%2B", "+"), 401),
        ("a semicolon", sign("header", "GET", "/signed/a?b=x%3Badmin%3D1", json!({})), 200),
        (
            "a parameter out of a value",
            sign("header", "GET", "/signed/a?b=x%3Badmin%3D1", json!({})).target("%3Badmin%3D1", ";admin=1"),
            401,
        ),
        (
            "a parameter out of a value, presigned",
            sign("query", "GET", "/signed/a?b=x%3Badmin%3D1", json!({})).target("%3Badmin%3D1", ";admin=1"),
            401,
        ),
        ("presigned", sign("query", "GET", "/signed/a?b=1", json!({})), 200),
        (
            "presigned for a session",
            sign(
                "query",
                "GET",
                "/signed/a",
                json!({"key": "AKIDBOB", "secret": "bob-secret", "token": "bob/session=="}),
            ),
            200,
        ),
        ("presigned for S3", sign("s3_query", "GET", "/signed/a%20b?x=y", json!({"expires": 60})), 200),
        (
            "presigned a while ago",
            sign("query", "GET", "/signed/a", json!({"expires": 7200, "shift": -3600})),
            200,
        ),
        ("unsigned", sign("unsigned", "PUT", "/loose/a", json!({"body": "x".repeat(5000)})), 200),
        (
            "presigned with a body",
            sign("s3_query", "PUT", "/loose/a", json!({"expires": 60})).body("any"),
            200,
        ),
        ("unsigned without a body", sign("unsigned", "GET", "/signed/a", json!({})), 200),
        (
            "chunked",
            sign("chunked", "PUT", "/signed/a", json!({"body": "x".repeat(100_000), "chunk": 30_000})),
            200,
        ),
        ("chunked and empty", sign("chunked", "PUT", "/signed/a", json!({})), 200),
    ];
    judge(&gateway, &origin, cases);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn what_is_altered_afterwards_is_refused() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&file(&origin));
    let mut signer = Signer::start();
    let mut sign =
        |form: &str, method: &str, target: &str, changes: Value| signer.sign(form, method, target, changes);
    let get = sign("header", "GET", "/signed/a?b=1", json!({"headers": {"X-Amz-Meta-A": "b"}}));
    let post = sign("header", "POST", "/signed/a", json!({"body": "{\"n\": 1}"}));
    let s3 = sign("s3", "PUT", "/signed/a", json!({"body": "some text"}));
    let url = sign("query", "GET", "/signed/a?b=1", json!({"expires": 600}));
    let cases = vec![
        ("nothing", get.clone().with(|signed| signed.fields.clear()), 401),
        ("another scheme", get.clone().set("Authorization", "AWS4-HMAC-SHA256", "Bearer"), 401),
        ("another method", get.clone().with(|signed| signed.method = "DELETE".into()), 401),
        ("another path", get.clone().target("/signed/a", "/signed/b"), 401),
        ("another query", get.clone().target("b=1", "b=2"), 401),
        ("more in the query", get.clone().target("b=1", "b=1&c"), 401),
        ("another field", get.clone().set("X-Amz-Meta-A", "b", "c"), 401),
        ("a field twice", get.clone().field("X-Amz-Meta-A", "b"), 401),
        ("one more field", get.clone().field("X-Amz-Meta-B", "b"), 401),
        ("another time", get.clone().set("X-Amz-Date", "Z", "0Z"), 401),
        ("another signature", get.clone().set("Authorization", "Signature=", "Signature=0"), 401),
        (
            "cut",
            get.clone().with(|signed| {
                let field = signed.fields.iter_mut().find(|(name, _)| name == "Authorization").unwrap();
                field.1.pop();
            }),
            401,
        ),
        ("another scope", get.clone().set("Authorization", "eu-west-1", "eu-west-2"), 401),
        ("nobody", get.clone().set("Authorization", "AKIDALICE", "AKIDNOBODY"), 401),
        ("somebody else", get.clone().set("Authorization", "AKIDALICE", "AKIDBOB"), 401),
        ("malformed", get.clone().set("Authorization", "SignedHeaders", "Signed"), 401),
        (
            "twice",
            get.clone().with(|signed| {
                let again = signed.fields.iter().find(|(name, _)| name == "Authorization").unwrap().clone();
                signed.fields.push(again);
            }),
            401,
        ),
        ("in both places", url.clone().with(|signed| signed.fields = get.fields.clone()), 401),
        ("a token out of nowhere", get.clone().field("X-Amz-Security-Token", "x"), 401),
        ("body tampered with", post.clone().body("{\"n\": 2}"), 401),
        ("body taken away", post.clone().body(""), 401),
        ("S3 body tampered with", s3.clone().body("other text"), 401),
        (
            "S3 body and hash tampered with",
            s3.clone().body("").with(|signed| {
                let field = signed
                    .fields
                    .iter_mut()
                    .find(|(name, _)| name.eq_ignore_ascii_case("x-amz-content-sha256"))
                    .unwrap();
                field.1 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".into();
            }),
            401,
        ),
        ("too long a body", post.clone().body(&"x".repeat(1_100_000)), 413),
        ("wrong key", sign("header", "GET", "/signed/a", json!({"secret": "wrong"})), 401),
        ("expired", sign("header", "GET", "/signed/a", json!({"shift": -400})), 401),
        ("from the future", sign("header", "GET", "/signed/a", json!({"shift": 400})), 401),
        (
            "no session",
            sign("header", "GET", "/signed/a", json!({"key": "AKIDBOB", "secret": "bob-secret"})),
            401,
        ),
        (
            "another session",
            sign(
                "header",
                "GET",
                "/signed/a",
                json!({"key": "AKIDBOB", "secret": "bob-secret", "token": "bob/session="}),
            ),
            401,
        ),
        ("a session of nobody", sign("header", "GET", "/signed/a", json!({"token": "x"})), 401),
        ("presigned", url.clone(), 200),
        ("presigned, for longer", url.clone().target("Expires=600", "Expires=601"), 401),
        ("presigned, another query", url.clone().target("b=1", "b=2"), 401),
        (
            "presigned, another field signed",
            url.clone().target("SignedHeaders=host", "SignedHeaders=accept%3Bhost"),
            401,
        ),
        (
            "presigned, repeated",
            url.clone().target("&X-Amz-Expires", "&X-Amz-Expires=600&X-Amz-Expires"),
            401,
        ),
        ("presigned, with a body", url.clone().with(|signed| signed.method = "GET".into()).body("x"), 401),
        ("presigned, expired", sign("query", "GET", "/signed/a", json!({"expires": 60, "shift": -61})), 401),
        (
            "presigned, from the future",
            sign("query", "GET", "/signed/a", json!({"expires": 60, "shift": 400})),
            401,
        ),
        ("presigned for too long", sign("query", "GET", "/loose/a", json!({"expires": 3601})), 401),
        ("presigned, wrong key", sign("query", "GET", "/signed/a", json!({"secret": "wrong"})), 401),
        ("presigned with an unsigned body", sign("s3_query", "PUT", "/signed/a", json!({})).body("x"), 401),
        ("unsigned", sign("unsigned", "PUT", "/signed/a", json!({"body": "x"})), 401),
        (
            "spoofed",
            get.clone().with(|signed| signed.fields = vec![("X-Consumer-Username".into(), "alice".into())]),
            401,
        ),
        ("another region", sign("header", "GET", "/narrow/a", json!({"region": "us-east-1"})), 401),
        ("another service", sign("s3", "GET", "/narrow/a", json!({})), 401),
        ("presigned where none may be", sign("query", "GET", "/narrow/a", json!({})), 401),
        (
            "chunked where none may be",
            sign("chunked", "PUT", "/narrow/a", json!({"body": "x", "service": "execute-api"})),
            401,
        ),
        ("the right region and service", sign("header", "GET", "/narrow/a", json!({})), 200),
    ];
    judge(&gateway, &origin, cases);
    assert_eq!(get.send(&gateway).status, 200);
    assert_eq!(get.send_to(&gateway, "other.example").status, 401);
}

#[test]
fn chunks_are_verified_and_the_service_gets_what_they_carry() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&file(&origin));
    let mut signer = Signer::start();
    let body = "0123456789".repeat(300);
    let changes = json!({"body": body, "chunk": 1000, "headers": {"Content-Type": "text/plain"}});
    let good = signer.sign("chunked", "PUT", "/signed/a", changes);
    assert_eq!(good.send(&gateway).status, 200);
    let seen = origin.requests().pop().unwrap();
    assert_eq!(seen.body_text(), body);
    assert_eq!(seen.header("Content-Length"), Some("3000"));
    for gone in ["Content-Encoding", "X-Amz-Decoded-Content-Length", "X-Amz-Content-Sha256", "Authorization"]
    {
        assert_eq!(seen.header(gone), None, "{gone}");
    }
    let first = 3 + 17 + 64 + 2 + 1000 + 2;
    let count = origin.count();
    for (name, changed) in [
        ("data", good.clone().with(|signed| signed.body[100] ^= 1)),
        ("a signature", good.clone().with(|signed| signed.body[30] ^= 1)),
        (
            "without the first chunk",
            good.clone().with(|signed| {
                signed.body.drain(..first);
            }),
        ),
        ("chunks exchanged", good.clone().with(|signed| signed.body[..2 * first].rotate_left(first))),
        ("without the last", good.clone().with(|signed| signed.body.truncate(3 * first))),
        ("with something after", good.clone().with(|signed| signed.body.extend(b"x"))),
        ("not in chunks", good.clone().body(&body)),
        ("another length", good.clone().set("X-Amz-Decoded-Content-Length", "3000", "2999")),
    ] {
        assert_eq!(changed.send(&gateway).status, 401, "{name}");
    }
    assert_eq!(origin.count(), count);
    let encoded = json!({"body": "x", "headers": {}});
    let encoded = signer.sign("chunked", "PUT", "/signed/a", encoded).with(|signed| {
        // Not signed by botocore when it is added afterwards: the signature covers the field, so it is refused.
        signed.fields.push(("Content-Encoding".into(), "gzip".into()));
    });
    assert_eq!(encoded.send(&gateway).status, 401);
}

#[test]
fn a_signature_is_good_once_where_it_is_said() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&file(&origin));
    let mut signer = Signer::start();
    for form in ["header", "s3", "query", "s3_query", "chunked"] {
        let signed = signer.sign(form, "PUT", &format!("/once/{form}"), json!({}));
        assert_eq!(signed.clone().target("/once/", "/once/x").send(&gateway).status, 401, "{form}");
        assert_eq!(signed.send(&gateway).status, 200, "{form}");
        assert_eq!(signed.send(&gateway).status, 401, "{form}");
        // Elsewhere it may come again.
        let elsewhere = signer.sign(form, "PUT", "/signed/a", json!({}));
        assert_eq!((elsewhere.send(&gateway).status, elsewhere.send(&gateway).status), (200, 200), "{form}");
    }
}

#[test]
fn services_learn_who_calls_and_see_no_signature() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&file(&origin));
    let mut signer = Signer::start();
    let session = json!({"key": "AKIDBOB", "secret": "bob-secret", "token": "bob/session=="});
    for form in ["header", "query"] {
        let signed = signer.sign(form, "GET", "/signed/a?b=1", session.clone());
        let spoofed = signed.field("X-Consumer-Username", "root").field("X-Credential-Identifier", "root");
        assert_eq!(spoofed.send(&gateway).status, 200);
        let seen = origin.requests().pop().unwrap();
        assert_eq!(seen.target, "/signed/a?b=1");
        assert_eq!((seen.header("Authorization"), seen.header("X-Amz-Security-Token")), (None, None));
        assert_eq!(seen.header_all("X-Consumer-Username"), ["bob"]);
        assert_eq!(seen.header_all("X-Credential-Identifier"), ["AKIDBOB"]);
    }
    let shown = signer.sign("header", "GET", "/narrow/a", json!({}));
    assert_eq!(shown.send(&gateway).status, 200);
    assert!(origin.requests().pop().unwrap().header("Authorization").is_some());
}

/// Only a head that announces a long body: whoever waits for that body never answers.
fn announced(signed: &Signed, gateway: &Running) -> u16 {
    let fields = signed.fields.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("content-length"));
    let fields: String = fields.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!(
        "{} {} HTTP/1.1\r\nHost: gateway.example\r\nContent-Length: 2000000\r\n{fields}\r\n",
        signed.method, signed.target
    );
    Client::connect(gateway.address).exchange(head).status
}

#[test]
fn who_signs_wrongly_learns_nothing_from_the_bound_of_bodies() {
    let origin = Origin::always(Reply::ok("hello"));
    let gateway = Running::start(&file(&origin).replace("credentials: off", "credentials: 3/hour"));
    let mut signer = Signer::start();
    let mut sign = |form: &str, key: &str, secret: &str| {
        signer.sign(form, "POST", "/signed/a", json!({ "key": key, "secret": secret, "body": "x" }))
    };
    // S3 says the hash of the body in the head, so that the signature is verified first.
    let good = sign("s3", "AKIDALICE", "alice/secret+key");
    assert_eq!(announced(&good, &gateway), 413);
    assert_eq!(announced(&sign("s3", "AKIDALICE", "wrong"), &gateway), 401);
    assert_eq!(announced(&sign("s3", "AKIDNOBODY", "wrong"), &gateway), 401);
    // Others do not: known keys and others are the same before the body is there.
    assert_eq!(announced(&sign("header", "AKIDALICE", "wrong"), &gateway), 413);
    assert_eq!(announced(&sign("header", "AKIDNOBODY", "wrong"), &gateway), 413);
    assert_eq!(sign("header", "AKIDNOBODY", "wrong").send(&gateway).status, 401);
    for form in ["s3", "header"] {
        assert_eq!(announced(&sign(form, "AKIDALICE", "alice/secret+key"), &gateway), 429, "{form}");
    }
}
