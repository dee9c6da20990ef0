//! The commands as a user types them, and the tour of the demo.
#![allow(clippy::panic, reason = "tests fail by panicking")]

mod process;

use process::{PATIENCE, Process, torana};
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use torana_testkit::eventually_some;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn run(arguments: &[&str]) -> Output {
    torana().args(arguments).current_dir(root()).output().expect("torana runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn every_example_is_good() {
    for entry in std::fs::read_dir(root().join("examples")).expect("the examples") {
        let path = entry.expect("an entry").path();
        let checked = run(&["check", &path.to_string_lossy()]);
        assert!(checked.status.success(), "{}\n{}", path.display(), text(&checked.stderr));
    }
}

#[test]
fn check_says_where_and_exits_with_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("broken.yaml");
    std::fs::write(&path, "routes:\n- { path: /a, servise: x }\n- { path: b, respond: {} }\n")
        .expect("written");
    let path = path.to_string_lossy();
    let checked = run(&["check", &path]);
    let said = text(&checked.stderr);
    assert_eq!(checked.status.code(), Some(1));
    assert!(
        said.contains("broken.yaml:2:") && said.contains("servise") && said.contains("service"),
        "{said}"
    );
    let json = run(&["check", "--json", &path]);
    let findings: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert!(findings.as_array().is_some_and(|findings| !findings.is_empty()));
    // What `check` refuses `run` refuses too, before it listens.
    assert_eq!(run(&["run", &path]).status.code(), Some(1));
    assert_eq!(run(&["check", "no/such/file"]).status.code(), Some(1));
    let json = run(&["check", "--json", "no/such/file"]);
    let findings: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!((json.status.code(), &findings[0]["code"]), (Some(1), &"unreadable-file".into()));
    for workers in ["0", "x", "65536"] {
        let refused = run(&["run", &path, "--workers", workers]);
        assert_eq!(refused.status.code(), Some(2));
        assert!(text(&refused.stderr).contains("expected a number from 1 to 65535"), "{workers}");
    }
    assert_eq!(run(&["check"]).status.code(), Some(2));
}

#[test]
fn explain_and_routes_tell_what_serves() {
    let seed = "examples/seed.yaml";
    let told = text(&run(&["explain", seed, "GET", "/api/users/7/profile"]).stdout);
    for part in ["/api/users/*/profile", "before /api/users/*", "segment 3", "401", "roles", "not reached"] {
        assert!(told.contains(part), "{part} is not in\n{told}");
    }
    let token = text(&run(&["token", "--sub", "u1", "--role", "user"]).stdout);
    let field = format!("Authorization: Bearer {}", token.trim());
    let told = text(&run(&["explain", seed, "GET", "http://api.test/api/orders/7", "-H", &field]).stdout);
    assert!(told.contains("forward   to orders as /api/orders/7"), "{told}");
    assert!(!told.contains(token.trim()), "the token is shown\n{told}");
    let table = text(&run(&["routes", seed]).stdout);
    let place = |path: &str| table.find(path).unwrap_or_else(|| panic!("{path} is not in\n{table}"));
    assert!(place("/api/users/*/profile") < place("/api/users/* "), "{table}");
}

#[test]
fn help_names_every_command() {
    let help = text(&run(&["--help"]).stdout);
    for command in ["run", "check", "explain", "routes", "demo", "token"] {
        assert!(help.contains(&format!("  {command} ")), "{help}");
        assert!(run(&[command, "--help"]).status.success());
    }
    assert!(help.contains("Exit codes"), "{help}");
}

#[test]
fn a_body_is_explained_by_its_length() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("torana.yaml");
    std::fs::write(&file, "limits: { body_bytes: 4B }\nroutes: [{ respond: { body: x } }]\n")
        .expect("written");
    let file = file.to_string_lossy();
    for (body, answer) in [("four", "answer    200"), ("fives", "answer    413")] {
        let told = run(&["explain", &file, "POST", "/", "--body", body]);
        let said = text(&told.stdout);
        assert!(said.contains(answer), "{body}: {said}\n{}", text(&told.stderr));
    }
}

#[test]
fn a_log_that_cannot_be_written_is_found_before_serving() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("torana.yaml");
    for (to, good) in [("nowhere/a.log", false), (".", false), ("a.log", true)] {
        let log = folder.path().join(to);
        let written = format!("access_log: {{ to: {log:?} }}\nroutes: [{{ respond: {{ body: x }} }}]\n");
        std::fs::write(&file, written).expect("written");
        let checked = torana().arg("check").arg(&file).output().expect("torana runs");
        assert_eq!(checked.status.success(), good, "{to}: {}", text(&checked.stderr));
        assert!(!folder.path().join("a.log").exists(), "a check writes nothing");
    }
}

#[test]
fn the_tour_of_the_demo_works_when_pasted() {
    let mut command = torana();
    command.args(["demo", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]).stdout(Stdio::piped());
    let mut demo = Process::start(&mut command);
    let mut output = demo.child.stdout.take().expect("piped");
    let mut tour = String::new();
    let mut piece = [0; 4096];
    while !tour.contains("torana_requests_total") {
        let count = output.read(&mut piece).expect("readable");
        assert!(count > 0, "the tour ended early:\n{tour}");
        tour.push_str(&text(piece.get(..count).unwrap_or_default()));
    }
    let (_, lines) = tour.split_once("Paste these lines into another shell:\n").expect("what to paste");
    let shell = Command::new("bash").arg("-c").arg(lines).output().expect("bash runs");
    let said = text(&shell.stdout);
    for part in [
        "{\"status\":\"ok\"}",
        "HTTP/1.1 401 Unauthorized",
        "\"asked_by\":\"alice\"",
        "HTTP/1.1 403 Forbidden",
        "6 orders-1",
        "2 orders-2",
        "20 200",
        "5 429",
        "users-1 stops",
        "6 200",
        "lacks the role admin",
        "status=\"429\",reason=\"rate_limited\"} 5",
    ] {
        assert!(said.contains(part), "{part} is not in\n{said}\n{}", text(&shell.stderr));
    }
    demo.signal(rustix::process::Signal::INT);
    assert!(demo.wait().success());
    let folder = std::env::temp_dir().join(format!("torana-demo-{}", demo.child.id()));
    eventually_some(PATIENCE, || (!folder.exists()).then_some(()));
}

#[test]
fn a_token_for_nobody_or_for_no_time_is_refused() {
    for (arguments, why) in [
        (["--sub", "", "--expires", "1h"], "--sub is empty"),
        (["--sub", "user", "--expires", "0s"], "--expires 0s is too short"),
        (["--sub", "user", "--expires", "500ms"], "--expires 500ms is too short"),
    ] {
        let refused = torana().arg("token").args(arguments).output().expect("torana runs");
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}");
        assert!(
            refused.stdout.is_empty() && text(&refused.stderr).contains(why),
            "{}",
            text(&refused.stderr)
        );
    }
}

#[test]
fn warnings_can_be_denied_and_a_short_secret_is_not_served() {
    let seed = "examples/seed.yaml";
    let with = |secret: &str, arguments: &[&str]| {
        torana().env("JWT_SECRET", secret).args(arguments).current_dir(root()).output().expect("torana runs")
    };
    let code = |secret: &str, arguments: &[&str]| with(secret, arguments).status.code();
    let (short, good) = ("of sixteen bytes", "a secret of at least thirty-two bytes");
    assert_eq!(code("x", &["check", seed]), Some(1));
    assert_eq!(code(short, &["check", seed]), Some(0));
    let denied = with(short, &["check", "--deny-warnings", seed]);
    assert_eq!(denied.status.code(), Some(1));
    assert!(text(&denied.stderr).contains("denied by `--deny-warnings`"), "{}", text(&denied.stderr));
    assert_eq!(code(short, &["check", "--deny-warnings", "--json", seed]), Some(1));
    assert_eq!(code(good, &["check", "--deny-warnings", seed]), Some(0));
    for (secret, warned) in [(short, true), (good, false)] {
        let made = with(secret, &["token", "--sub", "u"]);
        assert!(made.status.success() && !made.stdout.is_empty());
        assert_eq!(text(&made.stderr).contains("can be guessed"), warned, "{}", text(&made.stderr));
    }
}

#[test]
fn explain_shows_what_else_happens_to_a_route() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("torana.yaml");
    let written = "services:
  a: { endpoints: [http://127.0.0.1:9001] }
  b: { endpoints: [http://127.0.0.1:9002] }
routes:
- { path: /, service: a, split: { to: { b: 5% } }, mirror: { service: b }, faults: { abort: { status: 503 } } }
";
    std::fs::write(&file, written).expect("written");
    let told = text(&run(&["explain", &file.to_string_lossy(), "GET", "/"]).stdout);
    for part in ["traffic   split: 5% to b, the rest to a", "mirror: 100% copied to b", "100% answered 503"] {
        assert!(told.contains(part), "{part} is not in\n{told}");
    }
}
