//! Client certificates of consumers: whose they are, which do not count, and what stands in for one.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use sha2::{Digest, Sha256};
use torana_config::FixedResolver;
use torana_testkit::{Authority, Client, Issued, Origin, Reply, Response, TlsOptions};
use yaml::{Running, resolver};

/// Two authorities that the listener trusts, and one that it does not.
struct World {
    own: Authority,
    partner: Authority,
    stranger: Authority,
    origin: Origin,
}

impl World {
    fn new() -> Self {
        Self {
            own: Authority::named("Own CA"),
            partner: Authority::named("Partner CA"),
            stranger: Authority::named("Own CA"),
            origin: Origin::always(Reply::ok("in")),
        }
    }

    fn files(&self) -> FixedResolver {
        let site = self.own.issue(&["a.test"]);
        resolver()
            .with_file("site.pem", &site.cert)
            .with_file("site.key", &site.key)
            .with_file("both.pem", &format!("{}{}", self.own.pem, self.partner.pem))
            .with_file("own.pem", &self.own.pem)
            .with_file("stranger.pem", &self.stranger.pem)
    }

    /// A gateway of one listener with TLS and one without, with these consumers and policies of `/api`.
    fn gateway(&self, consumers: &str, policies: &str) -> Running {
        let tls =
            "certificates: { cert: site.pem, key: site.key }, client_auth: { ca: both.pem, mode: optional }";
        let text = format!(
            "access_log: off
limits: {{ failed_credentials: off }}
listen: [{{ address: \":8443\", tls: {{ {tls} }} }}, \":8080\"]
services: {{ api: {{ endpoints: [\"{}\"] }} }}
consumers: [{consumers}]
routes:
- {{ path: /api/*, service: api, policies: {{ {policies} }} }}
",
            self.origin.url()
        );
        Running::with_resolver(&text, 1, self.files())
    }

    fn ask(&self, gateway: &Running, certificate: Option<&Issued>, fields: &str) -> Response {
        let options = match certificate {
            Some(certificate) => TlsOptions::showing(&self.own, certificate),
            None => TlsOptions::trusting(&self.own),
        };
        let mut client = Client::connect_tls(gateway.address, &options, "a.test");
        client.exchange(format!("GET /api/x HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n"))
    }
}

fn print(certificate: &Issued) -> String {
    Sha256::digest(certificate.der()).iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

#[test]
fn a_certificate_is_that_of_the_consumer_who_has_its_fingerprint() {
    let world = World::new();
    let (alice, other) = (world.own.issue_client("alice", &[]), world.own.issue_client("alice", &[]));
    let consumers =
        format!("{{ username: alice, groups: [gold], certificates: [{{ sha256: \"{}\" }}] }}", print(&alice));
    let gateway = world.gateway(&consumers, "mtls_auth: on, acl: [gold]");
    let spoofed = "X-Consumer-Username: root\r\nX-Credential-Identifier: x\r\n";
    assert_eq!(world.ask(&gateway, Some(&alice), spoofed).text(), "in");
    let seen = world.origin.requests().pop().unwrap();
    assert_eq!(seen.header_all("X-Consumer-Username"), ["alice"]);
    let id = print(&alice).replace(':', "").to_ascii_lowercase();
    assert_eq!(seen.header_all("X-Credential-Identifier"), [&*id]);
    // Another certificate of the same name by the same authority is another one.
    for certificate in [Some(&other), None] {
        let refused = world.ask(&gateway, certificate, spoofed);
        assert_eq!(refused.status, 401);
        assert_eq!(refused.header("WWW-Authenticate"), Some("Certificate"));
    }
    assert_eq!(world.origin.count(), 1);
}

#[test]
fn only_what_the_listener_has_verified_counts() {
    let world = World::new();
    let alice = world.own.issue_client("alice", &[]);
    let consumers = format!(
        "{{ username: alice, certificates: [{{ sha256: \"{}\" }}, {{ subject: CN=alice }}, {{ name: alice }}] }}",
        print(&alice)
    );
    let gateway = world.gateway(&consumers, "mtls_auth: on");
    // Headers of proxies that end TLS prove nothing, with or without TLS.
    let header = alice.cert.replace('\n', "%0A");
    let fields = format!(
        "X-SSL-Client-Cert: {header}\r\nX-Forwarded-Client-Cert: Hash={};Subject=\"CN=alice\"\r\nSSL-Client-Verify: SUCCESS\r\nClient-Cert: :{}:\r\nX-Client-DN: CN=alice\r\n",
        print(&alice).replace(':', ""),
        alice.cert.lines().filter(|line| !line.starts_with('-')).collect::<String>()
    );
    assert_eq!(world.ask(&gateway, None, &fields).status, 401);
    let request = format!("GET /api/x HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n");
    assert_eq!(Client::connect(gateway.addresses[1]).exchange(request).status, 401);
    // Strangers and the expired do not even get a connection.
    for certificate in [world.stranger.issue_client("alice", &[]), world.own.issue_expired_client("alice")] {
        let options = TlsOptions::showing(&world.own, &certificate);
        let refused = Client::try_connect_tls(gateway.address, &options, "a.test").and_then(|mut client| {
            client.try_send("GET /api/x HTTP/1.1\r\nHost: a.test\r\n\r\n")?;
            client.try_read_response().map_err(std::io::Error::other)
        });
        assert!(refused.is_err(), "{refused:?}");
    }
    assert_eq!(world.origin.count(), 0);
    assert_eq!(world.ask(&gateway, Some(&alice), "").status, 200);
}

#[test]
fn names_are_matched_by_their_kind_and_may_be_bound_to_an_issuer() {
    let world = World::new();
    let consumers = "{ username: dns, certificates: [{ dns: Billing.Example }] },
{ username: subject, certificates: [{ subject: \"cn = batch\" }] },
{ username: any, certificates: [{ name: job-7 }] },
{ username: bound, certificates: [{ name: shared, issuer: \"CN=Own CA\" }] },
{ username: partner, certificates: [{ name: shared, issuer: \"commonName=Partner CA\" }] },
{ username: tricky, certificates: [{ subject: \"CN=root, O=Example\" }] },
{ username: auto }";
    let gateway = world.gateway(consumers, "mtls_auth: on");
    let who = |certificate: &Issued| {
        let answer = world.ask(&gateway, Some(certificate), "");
        match answer.status {
            200 => world.origin.requests().pop().unwrap().header("X-Consumer-Username").unwrap().to_owned(),
            status => status.to_string(),
        }
    };
    for (certificate, expected) in [
        (world.own.issue_client("x", &["billing.example"]), "dns"),
        (world.own.issue_client("billing.example", &[]), "401"),
        (world.own.issue_client("batch", &[]), "subject"),
        (world.own.issue_client("x", &["batch"]), "401"),
        (world.own.issue_client("job-7", &[]), "any"),
        (world.own.issue_client("x", &["job-7"]), "any"),
        (world.own.issue_client("JOB-7", &[]), "401"),
        (world.own.issue_client("shared", &[]), "bound"),
        (world.partner.issue_client("shared", &[]), "partner"),
        (world.own.issue_client("job-7", &["billing.example"]), "401"),
        // One attribute that looks like two.
        (world.own.issue_client("root, O=Example", &[]), "401"),
        // No consumer is found by its own name unless that was asked for.
        (world.own.issue_client("auto", &[]), "401"),
        (world.own.issue_client("", &[]), "401"),
    ] {
        assert_eq!(who(&certificate), expected, "{}", certificate.cert);
    }
}

#[test]
fn consumers_are_found_by_their_own_names_where_that_was_asked_for() {
    let world = World::new();
    let consumers = "{ username: alice, custom_id: c-1 }, { username: bob, custom_id: alice.test }";
    let gateway = world.gateway(consumers, "mtls_auth: { consumer_by: [username, custom_id] }");
    for (certificate, status) in [
        (world.own.issue_client("alice", &[]), 200),
        (world.own.issue_client("x", &["c-1"]), 200),
        (world.own.issue_client("bob", &["alice.test"]), 200),
        (world.own.issue_client("nobody", &[]), 401),
        // It names two consumers.
        (world.own.issue_client("alice", &["alice.test"]), 401),
    ] {
        assert_eq!(world.ask(&gateway, Some(&certificate), "").status, status, "{}", certificate.cert);
    }
}

#[test]
fn a_consumer_is_found_by_that_name_alone_that_was_asked_for() {
    let world = World::new();
    let consumers =
        "{ id: carol, username: dave, custom_id: erin }, { id: dave, username: erin, custom_id: carol }";
    let found = |policies: &str| {
        let gateway = world.gateway(consumers, policies);
        ["carol", "dave", "erin"].map(|name| {
            match world.ask(&gateway, Some(&world.own.issue_client(name, &[])), "").status {
                200 => world.origin.requests().pop().unwrap().header("X-Consumer-Id").unwrap().to_owned(),
                _ => String::new(),
            }
        })
    };
    assert_eq!(found("mtls_auth: { consumer_by: [username] }"), ["", "carol", "dave"]);
    assert_eq!(found("mtls_auth: { consumer_by: [id] }"), ["carol", "dave", ""]);
    assert_eq!(found("mtls_auth: { consumer_by: [custom_id] }"), ["dave", "", "carol"]);
}

#[test]
fn a_policy_may_trust_fewer_authorities_than_its_listener() {
    let world = World::new();
    let consumers = "{ username: alice, certificates: [{ name: alice }] }";
    let (own, partner) = (world.own.issue_client("alice", &[]), world.partner.issue_client("alice", &[]));
    let status = |policies: &str, certificate: &Issued| {
        let gateway = world.gateway(consumers, policies);
        // Twice: what is remembered says the same.
        let first = world.ask(&gateway, Some(certificate), "").status;
        assert_eq!(world.ask(&gateway, Some(certificate), "").status, first);
        first
    };
    assert_eq!(status("mtls_auth: on", &partner), 200);
    assert_eq!(status("mtls_auth: { ca: own.pem }", &own), 200);
    assert_eq!(status("mtls_auth: { ca: own.pem }", &partner), 401);
    // It has the name of the authority that signed, and another key.
    assert_eq!(status("mtls_auth: { ca: stranger.pem }", &own), 401);
}

#[test]
fn everybody_with_a_trusted_certificate_may_pass_by_the_name_in_it() {
    let world = World::new();
    let policies = "mtls_auth: { consumers: optional, group_by: common_name }, acl: [job-7], allow_if: 'claims.issuer == \"CN=Own CA\"'";
    let gateway = world.gateway("", policies);
    let spoofed = "X-Consumer-Username: root\r\n";
    assert_eq!(world.ask(&gateway, Some(&world.own.issue_client("job-7", &[])), spoofed).status, 200);
    assert_eq!(world.origin.requests().pop().unwrap().header("X-Consumer-Username"), None);
    assert_eq!(world.ask(&gateway, Some(&world.own.issue_client("job-8", &[])), "").status, 403);
    assert_eq!(world.ask(&gateway, Some(&world.partner.issue_client("job-7", &[])), "").status, 403);
    assert_eq!(world.ask(&gateway, None, "").status, 401);
    let whole = "mtls_auth: { consumers: optional, group_by: subject }, acl: [\"CN=job-7\"]";
    let gateway = world.gateway("", whole);
    assert_eq!(world.ask(&gateway, Some(&world.own.issue_client("job-7", &[])), "").status, 200);
}

#[test]
fn without_a_certificate_another_way_or_somebody_else_may_stand_in() {
    let world = World::new();
    let consumers = "{ username: alice, certificates: [{ name: alice }], keys: [k-1] }, { username: guest }";
    let alice = world.own.issue_client("alice", &[]);
    let gateway = world.gateway(consumers, "mtls_auth: on, auth: { anonymous: guest }");
    assert_eq!(world.ask(&gateway, Some(&alice), "").status, 200);
    assert_eq!(world.origin.requests().pop().unwrap().header("X-Anonymous-Consumer"), None);
    assert_eq!(world.ask(&gateway, None, "").status, 200);
    let seen = world.origin.requests().pop().unwrap();
    assert_eq!(
        (seen.header("X-Consumer-Username"), seen.header("X-Anonymous-Consumer")),
        (Some("guest"), Some("true"))
    );
    let both = world.gateway(consumers, "mtls_auth: on, key_auth: {}");
    assert_eq!(world.ask(&both, Some(&alice), "apikey: k-1\r\n").status, 200);
    assert_eq!(world.ask(&both, Some(&alice), "").status, 401);
    assert_eq!(world.ask(&both, None, "apikey: k-1\r\n").status, 401);
    let either = world.gateway(consumers, "mtls_auth: on, key_auth: {}, auth: any");
    assert_eq!(world.ask(&either, Some(&alice), "").status, 200);
    assert_eq!(world.ask(&either, None, "apikey: k-1\r\n").status, 200);
    assert_eq!(world.ask(&either, None, "apikey: k-2\r\n").status, 401);
}
