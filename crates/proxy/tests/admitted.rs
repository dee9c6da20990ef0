//! Who is admitted, on a whole gateway: every way to say who calls and what callers may do, with credentials that are
//! good, malformed, expired, used before, spoofed, made with another key, of another scheme, or there twice.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "admitted/allowed.rs"]
mod allowed;
#[path = "admitted/asked.rs"]
mod asked;
#[path = "admitted/certificates.rs"]
mod certificates;
#[path = "support/doors.rs"]
mod doors;
#[path = "support/guard.rs"]
mod guard;
#[path = "admitted/keys.rs"]
mod keys;
#[path = "admitted/signatures.rs"]
mod signatures;
#[path = "admitted/tokens.rs"]
mod tokens;
#[path = "yaml.rs"]
mod yaml;

use std::time::{SystemTime, UNIX_EPOCH};
use torana_testkit::{Authority, Client, Issued, Origin, Reply, Response, TlsOptions};
use yaml::{Running, resolver};

/// A request, and the status that it is answered with.
struct Case {
    what: &'static str,
    /// The line of the request without its version.
    line: String,
    /// Its fields, with line feeds between them.
    fields: String,
    /// Whether it comes over TLS, and with which certificate.
    over: Over,
    status: u16,
}

/// What a request comes over.
enum Over {
    Plain,
    Tls(Option<Issued>),
}

fn case(what: &'static str, line: &str, fields: impl Into<String>, status: u16) -> Case {
    Case { what, line: line.into(), fields: fields.into(), over: Over::Plain, status }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A service that nobody answers for.
const DOWN: &str = "http://127.0.0.1:9";

struct World {
    authority: Authority,
    partner: Authority,
    origin: Origin,
    door: Origin,
    login: Origin,
}

impl World {
    fn new() -> Self {
        Self {
            authority: Authority::named("Own CA"),
            partner: Authority::named("Partner CA"),
            origin: Origin::always(Reply::ok("in")),
            door: doors::door(),
            login: doors::login(),
        }
    }

    fn gateway(&self) -> Running {
        let site = self.authority.issue(&["a.test"]);
        let files = resolver()
            .with_file("site.pem", &site.cert)
            .with_file("site.key", &site.key)
            .with_file("ca.pem", &format!("{}{}", self.authority.pem, self.partner.pem));
        let routes: Vec<&str> = [
            tokens::ROUTES,
            keys::ROUTES,
            signatures::ROUTES,
            certificates::ROUTES,
            asked::ROUTES,
            allowed::ROUTES,
        ]
        .concat();
        let text = format!(
            "access_log: off
limits: {{ failed_credentials: off }}
listen:
- \":8080\"
- {{ address: \":8443\", tls: {{ certificates: {{ cert: site.pem, key: site.key }}, client_auth: {{ ca: ca.pem, mode: optional }} }} }}
services:
  api: {{ endpoints: [\"{}\"] }}
  door: {{ endpoints: [\"{}\"] }}
  login: {{ endpoints: [\"{}\"] }}
  down: {{ endpoints: [\"{DOWN}\"] }}
consumers:
- username: alice
  groups: [gold]
  keys: [key-of-alice, {{ key: old-key-of-alice, expires_at: 1 }}]
  basic: [{{ username: alice, password: \"secret:of alice\" }}]
  hmac: [{{ username: alice, secret: secret-of-alice }}]
  jwt: [{{ key: alice-app, secret: \"{}\" }}]
  sigv4: [{{ access_key_id: AKIDALICE, secret_access_key: secret-of-alice }}]
  certificates: [{{ name: alice }}]
- username: bob
  keys: [key-of-bob]
  basic: [{{ username: bob, password: secret-of-bob }}]
  hmac: [{{ username: bob, secret: secret-of-bob }}]
  jwt: [{{ key: bob-app, algorithm: HS512, secret: \"{}\" }}]
  certificates: [{{ name: bob, issuer: \"CN=Own CA\" }}]
- username: guest
routes:
{}
",
            self.origin.url(),
            self.door.url(),
            self.login.url(),
            tokens::OF_ALICE,
            tokens::OF_BOB,
            routes.join("\n"),
        );
        Running::with_resolver(&text, 1, files)
    }

    fn send(&self, gateway: &Running, case: &Case) -> Response {
        let body = if case.line.starts_with("GET") { "" } else { "Content-Length: 0\n" };
        let head = format!("{} HTTP/1.1\nHost: a.test\n{body}{}", case.line, case.fields);
        let head = format!("{}\r\n\r\n", head.trim_end().replace('\n', "\r\n"));
        let mut client = match &case.over {
            Over::Plain => Client::connect(gateway.addresses[0]),
            Over::Tls(certificate) => {
                let options = certificate.as_ref().map_or_else(
                    || TlsOptions::trusting(&self.authority),
                    |certificate| TlsOptions::showing(&self.authority, certificate),
                );
                Client::connect_tls(gateway.addresses[1], &options, "a.test")
            }
        };
        if case.line.starts_with("HEAD") {
            return client.send(head).read_response_to_head();
        }
        client.exchange(head)
    }
}

#[test]
fn a_table_of_who_is_admitted_and_who_is_not() {
    let world = World::new();
    let gateway = world.gateway();
    let cases: Vec<Case> = [
        tokens::cases(),
        keys::cases(),
        signatures::cases(),
        certificates::cases(&world),
        asked::cases(),
        allowed::cases(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut wrong = Vec::new();
    for case in &cases {
        let before = world.origin.count();
        let answer = world.send(&gateway, case);
        let arrived = world.origin.count() - before;
        let shown = format!("{}: {} {}", case.what, case.line, case.fields);
        if answer.status != case.status || arrived != usize::from(case.status == 200) {
            wrong.push(format!("{} in place of {}, {arrived} arrived: {shown}", answer.status, case.status));
        }
        let text = answer.text();
        // What somebody reads who is not let in says nothing of callers, credentials or rules.
        if matches!(answer.status, 401 | 403)
            && answer.header("Content-Type") == Some("application/problem+json")
        {
            for inner in ["reason", "alice", "bob", "gold", "admin", "secret", "expired", "key"] {
                assert!(!text.contains(inner), "{shown}: {text}");
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(cases.len() >= 200, "{} cases", cases.len());
    for status in [200, 401, 403, 503] {
        let number = cases.iter().filter(|case| case.status == status).count();
        assert!(number >= 8, "{number} cases of {status}");
    }
}
