//! TLS of the built binary, as clients of other makes see it, and what `check` says of wrong files.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

mod process;

use process::{PATIENCE, Process, replace, torana};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use torana_testkit::{Authority, Client, Issued, Origin, Reply, TlsFront, TlsOptions, eventually, get};

fn tool(name: &str) -> PathBuf {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let path = root.join("target/tools").join(name);
    if !path.exists() {
        let installed = Command::new(root.join("scripts/tools")).status().expect("scripts/tools runs");
        assert!(installed.success(), "scripts/tools failed");
    }
    path
}

const FILE: &str = "access_log: off
listen:
  address: 127.0.0.1:0
  tls: { certificates: [{ cert: a.pem, key: a.key }, { cert: b.pem, key: b.key }] }
routes: [{ path: /, respond: { body: hello } }]
";

struct Site {
    folder: tempfile::TempDir,
    authority: Authority,
}

impl Site {
    fn new() -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap(), authority: Authority::default() };
        site.authority.issue(&["localhost", "127.0.0.1"]).write(site.folder.path(), "a");
        site.authority.issue(&["*.b.test"]).write(site.folder.path(), "b");
        std::fs::write(site.path("ca.pem"), &site.authority.pem).unwrap();
        std::fs::write(site.path("torana.yaml"), FILE).unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self) -> Process {
        Process::run(&self.path("torana.yaml"))
    }

    /// What `check` says of the file, and whether it would be served.
    fn check(&self) -> (bool, String) {
        let done = torana().arg("check").arg(self.path("torana.yaml")).output().unwrap();
        (done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned())
    }

    fn openssl(&self, process: &Process, arguments: &[&str]) -> Output {
        Command::new("openssl")
            .args(["s_client", "-connect", &process.address.to_string(), "-CAfile"])
            .arg(self.path("ca.pem"))
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("openssl runs")
    }
}

#[test]
fn the_intermediate_profile_of_mozilla_is_kept() {
    let site = Site::new();
    let process = site.run();
    let scanned = Command::new(tool("sslyze/bin/sslyze"))
        .args(["--mozilla_config=intermediate", "--certinfo_ca_file"])
        .arg(site.path("ca.pem"))
        .arg(format!("localhost:{}", process.address.port()))
        .output()
        .expect("sslyze runs");
    let said = String::from_utf8_lossy(&scanned.stdout);
    assert!(scanned.status.success() && said.contains("OK - Compliant"), "{said}");
}

#[test]
fn openssl_finds_certificates_by_name_and_no_old_version() {
    let site = Site::new();
    let process = site.run();
    for (name, subject) in [("localhost", "CN = localhost"), ("x.b.test", "CN = *.b.test")] {
        let said = site.openssl(&process, &["-servername", name, "-verify_return_error"]);
        let text = String::from_utf8_lossy(&said.stdout);
        assert!(text.replace("CN=", "CN = ").contains(subject), "{name}: {text}");
        assert!(text.contains("Verify return code: 0 (ok)"), "{name}: {text}");
    }
    for version in ["-tls1_2", "-tls1_3"] {
        let text = site.openssl(&process, &["-servername", "localhost", version]);
        assert!(text.status.success(), "{version}: {}", String::from_utf8_lossy(&text.stderr));
    }
    for version in ["-tls1", "-tls1_1"] {
        let refused =
            site.openssl(&process, &["-servername", "localhost", version, "-cipher", "ALL:@SECLEVEL=0"]);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && said.contains("SSL alert number"), "{version}: {said}");
    }
    eventually(PATIENCE, || process.log().contains("a connection was turned away"));
    let log = process.log();
    assert!(log.contains("peer=127.0.0.1:") && log.contains("listener=1 reason=\""), "{log}");
}

#[test]
fn a_changed_certificate_is_shown_without_a_restart_and_a_broken_one_is_not() {
    let site = Site::new();
    let process = site.run();
    let shown = || {
        let fresh = TlsOptions::trusting(&site.authority);
        Client::connect_tls(process.address, &fresh, "localhost").server_certificate()
    };
    let before = shown();
    let new = site.authority.issue(&["localhost"]);
    // The pair fits together only once both files are there.
    replace(&site.path("a.pem"), &new.cert);
    eventually(PATIENCE, || process.log().contains("not reloaded"));
    assert!(process.log().contains("the key does not belong to the certificate"), "{}", process.log());
    assert_eq!(shown(), before, "what was in force stays so");
    replace(&site.path("a.key"), &new.key);
    eventually(PATIENCE, || shown() == new.der());
}

fn has(said: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(said.contains(wanted), "`{wanted}` is not in\n{said}");
    }
}

#[test]
fn check_says_what_is_wrong_with_certificates_and_keys() {
    let site = Site::new();
    let good: Issued = site.authority.issue(&["localhost"]);
    let other = site.authority.issue(&["other.test"]);
    let (served, said) = site.check();
    assert!(served && said.is_empty(), "{said}");
    let with = |cert: &str, key: &str| {
        std::fs::write(site.path("a.pem"), cert).unwrap();
        std::fs::write(site.path("a.key"), key).unwrap();
        site.check()
    };
    let (served, said) = with(&good.cert, &other.key);
    assert!(!served);
    has(&said, &["torana.yaml:4:", "key-mismatch", "`a.key`", "does not belong", "CN=localhost"]);
    let (served, said) = with(&[&other.cert[..], &good.cert].concat(), &good.key);
    assert!(!served);
    let line = other.cert.lines().count() + 1;
    has(&said, &[&format!("the key belongs to the certificate at line {line}: put that one first")]);
    let (served, said) = with(&good.key, &good.cert);
    assert!(!served);
    has(
        &said,
        &["it holds no certificate, only `PRIVATE KEY`", "it holds no private key, only `CERTIFICATE`"],
    );
    let (served, said) = with("hello", &good.key);
    assert!(!served);
    has(&said, &["it is not PEM"]);
    let wrong_order = [&good.cert[..], &Authority::named("stranger").pem, &site.authority.pem].concat();
    let (served, said) = with(&wrong_order, &good.key);
    assert!(served, "clients may cope: {said}");
    let line = good.cert.lines().count() + 1;
    has(
        &said,
        &[
            "chain-out-of-order",
            &format!("line {line}: `CN=stranger`"),
            "put `CN=Authority of the tests` here",
        ],
    );
    let expired = site.authority.issue_expired(&["localhost"]);
    let (served, said) = with(&expired.cert, &expired.key);
    assert!(served, "the other certificates must be served: {said}");
    has(&said, &["certificate-expired", "expired on 20"]);
    let soon = site.authority.issue_for_days(&["localhost"], 12);
    let (_, said) = with(&soon.cert, &soon.key);
    has(&said, &["certificate-expires-soon", "expires in 12 days"]);
    let nameless = site.authority.issue(&[]);
    let (_, said) = with(&nameless.cert, &nameless.key);
    has(&said, &["certificate-without-names"]);
    let client = site.authority.issue_client("a client", &["localhost"]);
    let (served, said) = with(&client.cert, &client.key);
    assert!(served, "{said}");
    has(&said, &["torana.yaml:4:", "certificate-of-another-purpose", "CN=a client", "`serverAuth`"]);
    std::fs::remove_file(site.path("a.key")).unwrap();
    let (served, said) = site.check();
    assert!(!served);
    has(&said, &["the file `a.key`: it does not exist"]);
}

#[test]
fn check_says_what_is_odd_about_tls_in_the_file() {
    let site = Site::new();
    let with = |text: &str| {
        std::fs::write(site.path("torana.yaml"), text).unwrap();
        site.check()
    };
    let routes = "routes: [{ path: /, service: s }]\n";
    let (served, said) = with(&format!(
        "services: {{ s: {{ endpoints: [\"https://s.test\"], tls: {{ verify: off }} }} }}\n{routes}"
    ));
    assert!(served);
    has(&said, &["tls-not-verified", "torana.yaml:1:"]);
    let (served, said) = with(&format!(
        "services: {{ s: {{ endpoints: [\"http://s.test\"], tls: {{ ca: ca.pem }} }} }}\n{routes}"
    ));
    assert!(served);
    has(&said, &["tls-unused"]);
    let (served, said) = with(&format!(
        "services: {{ s: {{ endpoints: [\"https://s.test\"], tls: {{ server_name: \"a b\", ca: a.pem }} }} }}\n{routes}"
    ));
    assert!(!served);
    has(&said, &["bad-server-name", "no-authority"]);
    site.authority.issue_server(&["localhost"]).write(site.folder.path(), "server");
    let (served, said) = with(&format!(
        "services: {{ s: {{ endpoints: [\"https://s.test\"], tls: {{ certificate: {{ cert: server.pem, key: server.key }} }} }} }}\n{routes}"
    ));
    assert!(served, "{said}");
    has(&said, &["certificate-of-another-purpose", "`clientAuth`: services refuse it"]);
    let own = "certificates: { cert: a.pem, key: a.key }";
    let respond = "routes: [{ path: /, respond: { body: hello } }]\n";
    let (served, said) =
        with(&format!("listen: {{ address: \":1\", redirect_https: 443, tls: {{ {own} }} }}\n{respond}"));
    assert!(!served);
    has(&said, &["redirect-to-itself"]);
    let twice = "certificates: [{ cert: a.pem, key: a.key }, { cert: a.pem, key: a.key }]";
    let (served, said) = with(&format!("listen: {{ address: \":1\", tls: {{ {twice} }} }}\n{respond}"));
    assert!(served);
    has(&said, &["certificate-never-shown"]);
    let key = std::fs::read_to_string(site.path("a.key")).unwrap().replace('\n', "\n        ");
    let (served, said) = with(&format!(
        "listen:\n  address: \":1\"\n  tls:\n    certificates:\n      cert: a.pem\n      key: |\n        {key}\n{respond}"
    ));
    assert!(served, "{said}");
    has(&said, &["secret-in-clear"]);
    let inside = key.lines().nth(1).unwrap().trim();
    assert!(!said.contains(inside), "the key itself is shown:\n{said}");
}

#[test]
fn endpoints_are_verified_by_what_the_system_trusts() {
    let (authority, stranger) = (Authority::default(), Authority::named("somebody else"));
    let origin = Origin::always(Reply::ok("inside"));
    let folder = tempfile::tempdir().unwrap();
    let system = folder.path().join("system.pem");
    std::fs::write(&system, &authority.pem).unwrap();
    for (authority, status) in [(&authority, 200), (&stranger, 502)] {
        let front = TlsFront::new(origin.addr(), &authority.issue(&["localhost"]), None);
        let file = folder.path().join("torana.yaml");
        let text = format!(
            "access_log: off\nservices: {{ s: {{ endpoints: [\"https://localhost:{}\"] }} }}\nroutes: [{{ path: /, service: s }}]\n",
            front.addr().port()
        );
        std::fs::write(&file, text).unwrap();
        let mut command = torana();
        command.arg("run").arg(&file).args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        // Where the system's authorities are, as openssl and others are told.
        let process = Process::start(command.env("SSL_CERT_FILE", &system).env_remove("SSL_CERT_DIR"));
        assert_eq!(get(process.address, "/").status, status);
    }
    assert_eq!(origin.count(), 1);
}
