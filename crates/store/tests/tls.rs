//! A real server behind TLS, with an ACL user: whom the store trusts, and whom it does not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a test")]

mod common;

use common::{PATIENCE, hourly, key, on_worker, settings};
use std::path::Path;
use std::time::Duration;
use torana_limit::Ask;
use torana_store::{
    Decided, LimitStore, Mode, OnFailure, RedisStore, SharedLimit, StoreAddress, StoreSettings, StoredLimit,
    Topology,
};
use torana_testkit::{Authority, HeldPort, Issued, RedisServer, eventually, temp_dir};
use torana_types::Secret;

/// A server that speaks TLS on a port of its own.
struct Secured<F> {
    server: RedisServer,
    port: u16,
    /// Kept until the server is gone.
    _folder: F,
}

impl<F: AsRef<Path>> Secured<F> {
    fn showing(folder: F, certificate: &Issued) -> Self {
        Self::with(folder, certificate, &[])
    }

    fn with(folder: F, certificate: &Issued, more: &[&str]) -> Self {
        let (cert, key) = certificate.write(folder.as_ref(), "server");
        // Held until the server has it.
        let held = HeldPort::free();
        let port = held.port();
        let (port_text, cert, key) =
            (port.to_string(), cert.display().to_string(), key.display().to_string());
        let tls = ["--tls-port", &port_text, "--tls-cert-file", &cert, "--tls-key-file", &key];
        let rest = ["--tls-ca-cert-file", &cert, "--tls-auth-clients", "no"];
        let server = RedisServer::start_with(&[&tls[..], &rest, more].concat());
        Self { server, port, _folder: folder }
    }

    fn trusting(&self, host: &str, authority: Option<&Authority>) -> StoreSettings {
        let ca = authority.map(|authority| authority.pem.clone());
        let place = StoreAddress { host: host.into(), port: self.port };
        StoreSettings { topology: Topology::Single(place), tls: true, ca, ..settings(&self.server) }
    }
}

async fn takes(settings: StoreSettings) -> bool {
    let limit = StoredLimit::new("tls", hourly(1_000));
    RedisStore::new(settings).take(&limit, key("a"), Ask::exactly(1)).await.is_ok()
}

#[test]
fn a_server_with_a_certificate_of_the_authority_is_spoken_to() {
    let authority = Authority::default();
    let secured = Secured::showing(temp_dir(), &authority.issue(&["localhost", "127.0.0.1"]));
    let rights = "on >pass-word ~torana:* resetchannels -@all +eval +evalsha +get +set +time +info +ping +scan +unlink";
    let mut command = vec!["ACL", "SETUSER", "gateway"];
    command.extend(rights.split(' '));
    assert!(secured.server.command(&command).starts_with("+OK"));
    on_worker(async {
        for host in ["localhost", "127.0.0.1"] {
            let trusting = secured.trusting(host, Some(&authority));
            assert!(takes(trusting.clone()).await, "{host}");
            let user = StoreSettings {
                username: Some("gateway".into()),
                password: Some(Secret::new("pass-word")),
                ..trusting.clone()
            };
            assert!(takes(user.clone()).await, "{host}");
            let wrong = StoreSettings {
                password: Some(Secret::new("wrong")),
                timeout: Duration::from_secs(1),
                ..user
            };
            assert!(!takes(wrong).await, "{host}");
        }
        let store = RedisStore::new(secured.trusting("localhost", Some(&authority)));
        let budget = hourly(5);
        let limit =
            SharedLimit::new(store, "tls", budget.clone(), budget, Mode::Leased, OnFailure::Closed, 10);
        let mut passed = 0;
        for _ in 0..9 {
            if let Decided::Granted(grant) = limit.decide(key("b"), Ask::exactly(1)).await {
                passed += grant.granted;
            }
        }
        assert_eq!(passed, 5);
    });
}

#[test]
fn a_cluster_behind_tls_is_spoken_to_by_whom_it_shows_itself() {
    let (authority, stranger) = (Authority::default(), Authority::named("somebody who is not trusted"));
    let certificate = authority.issue(&["localhost", "127.0.0.1"]);
    // Its port and ten thousand more, which it would take by itself, may be none.
    let bus = HeldPort::free();
    let bus = bus.port().to_string();
    let cluster = ["--cluster-enabled", "yes", "--tls-cluster", "yes", "--cluster-port", &bus];
    let secured = Secured::with(temp_dir(), &certificate, &cluster);
    let slots: Vec<String> = (0..16_384).map(|slot| slot.to_string()).collect();
    let words: Vec<&str> =
        ["CLUSTER", "ADDSLOTS"].into_iter().chain(slots.iter().map(String::as_str)).collect();
    assert!(secured.server.command(&words).starts_with("+OK"));
    eventually(PATIENCE, || secured.server.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok"));
    let trusting = |authority| {
        let topology = Topology::Cluster(vec![StoreAddress { host: "localhost".into(), port: secured.port }]);
        StoreSettings { topology, ..secured.trusting("localhost", Some(authority)) }
    };
    on_worker(async {
        assert!(takes(trusting(&authority)).await);
        let untrusting = StoreSettings { timeout: Duration::from_secs(1), ..trusting(&stranger) };
        assert!(!takes(untrusting).await);
    });
}

#[test]
fn sentinels_are_asked_by_tls_as_the_server_is_that_they_name() {
    let (authority, stranger) = (Authority::default(), Authority::named("somebody who is not trusted"));
    let certificate = authority.issue(&["localhost", "127.0.0.1"]);
    let secured = Secured::showing(temp_dir(), &certificate);
    let folder = temp_dir();
    let (cert, key) = certificate.write(folder.path(), "sentinel");
    let ca = folder.path().join("authority.pem");
    std::fs::write(&ca, &authority.pem).unwrap();
    let held = HeldPort::free();
    let port = held.port();
    // It speaks to servers as it would replicate from them.
    let _sentinel = RedisServer::sentinel(&format!(
        "tls-port {port}
tls-cert-file {}
tls-key-file {}
tls-ca-cert-file {}
tls-auth-clients no
tls-replication yes
sentinel monitor main 127.0.0.1 {} 1
",
        cert.display(),
        key.display(),
        ca.display(),
        secured.port
    ));
    let by_sentinel = |authority: &Authority| {
        let sentinels = vec![StoreAddress { host: "localhost".into(), port }];
        let topology = Topology::Sentinel { master: "main".into(), sentinels };
        StoreSettings { topology, ..secured.trusting("localhost", Some(authority)) }
    };
    on_worker(async {
        assert!(takes(by_sentinel(&authority)).await);
        let quick = StoreSettings { timeout: Duration::from_secs(1), ..by_sentinel(&stranger) };
        assert!(!takes(quick.clone()).await, "an authority that did not sign");
        let plain = StoreSettings { tls: false, ca: None, ..quick };
        assert!(!takes(plain).await, "no clear text to a port of TLS");
    });
}

#[test]
fn a_server_that_nobody_vouches_for_is_told_nothing() {
    let (authority, stranger) = (Authority::default(), Authority::named("somebody who is not trusted"));
    let secured = Secured::showing(temp_dir(), &authority.issue(&["localhost"]));
    let expired = Secured::showing(temp_dir(), &authority.issue_expired(&["localhost"]));
    let elsewhere = Secured::showing(temp_dir(), &authority.issue(&["other.internal"]));
    on_worker(async {
        let quick = |settings: StoreSettings| StoreSettings {
            timeout: Duration::from_secs(1),
            connect_timeout: PATIENCE,
            ..settings
        };
        assert!(!takes(quick(secured.trusting("localhost", Some(&stranger)))).await, "another authority");
        assert!(!takes(quick(secured.trusting("localhost", None))).await, "the system does not know it");
        assert!(!takes(quick(secured.trusting("127.0.0.1", Some(&authority)))).await, "another name");
        assert!(!takes(quick(expired.trusting("localhost", Some(&authority)))).await, "expired");
        assert!(!takes(quick(elsewhere.trusting("localhost", Some(&authority)))).await, "for somebody else");
        let plain = StoreSettings { tls: false, ca: None, ..secured.trusting("localhost", None) };
        assert!(!takes(quick(plain)).await, "no clear text to a port of TLS");
        assert!(takes(secured.trusting("localhost", Some(&authority))).await, "and with all right it is");
    });
    for server in [&expired, &elsewhere] {
        let seen = server.server.command(&["INFO", "commandstats"]);
        assert!(!seen.contains("cmdstat_eval") && !seen.contains("cmdstat_auth"), "{seen}");
    }
}
