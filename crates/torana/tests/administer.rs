//! Limits on the admin pages of the built binary, and what its end gives back.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

mod process;

use process::{Process, replace, torana};
use rustix::process::Signal;
use std::path::PathBuf;
use std::time::Duration;
use torana_testkit::{Client, RedisServer, Response, eventually, not_at_midnight};

const PATIENCE: Duration = Duration::from_secs(60);
const TOKEN: &str = "a token that nobody guesses";

fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn run(file: &std::path::Path) -> Process {
    let mut command = torana();
    command.arg("run").arg(file).args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    Process::start(command.env("ADMIN_TOKEN", TOKEN))
}

fn get(process: &Process) -> Response {
    Client::connect(process.address).exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn admin(process: &Process, method: &str, target: &str, token: &str) -> Response {
    let authorization =
        if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
    Client::connect(process.admin)
        .exchange(format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{authorization}\r\n"))
}

#[test]
fn a_limit_is_shown_with_who_asks_most_and_reset_by_who_has_the_token() {
    let text = |token: &str| {
        format!(
            "access_log: off\n{token}workers: 1\npolicies:\n  rate_limits:\n    quota: {{ limit: 3/hour, by: address }}\n    \
             tenant: {{ limit: 3/hour, by: [{{ header: X-Tenant }}, route], window: sliding, shadow: true }}\n\
             routes: [{{ path: /, respond: {{ body: hello }} }}]\n"
        )
    };
    let path = file("administer.yaml", &text("admin_token: \"${env:ADMIN_TOKEN}\"\n"));
    let process = run(&path);
    let passed = || (0..40).filter(|_| get(&process).status == 200).count();
    assert_eq!(passed(), 3);
    let limits: serde_json::Value =
        serde_json::from_str(&admin(&process, "GET", "/limits", "").text()).unwrap();
    let shown = &limits["global#quota"];
    assert_eq!((shown["allowed"].as_u64(), shown["refused"].as_u64()), (Some(3), Some(37)), "{limits}");
    // As they are written.
    let tenant = &limits["global#tenant"];
    assert_eq!(tenant["by"], serde_json::json!(["header: X-Tenant", "route"]), "{limits}");
    assert_eq!(tenant["windows"][0]["window"], "sliding", "{limits}");
    let one = admin(&process, "GET", "/limits/global%23quota", "").text();
    let one: serde_json::Value = serde_json::from_str(&one).unwrap();
    assert_eq!(one["top"][0]["who"], "127.0.0.1", "{one}");
    assert_eq!(one["top"][0]["remaining"], 0, "{one}");
    assert_eq!(admin(&process, "DELETE", "/limits/global%23quota", "").status, 401);
    assert_eq!(
        admin(&process, "DELETE", "/limits/global%23quota", "another token that is wrong").status,
        401
    );
    assert_eq!(passed(), 0);
    assert_eq!(admin(&process, "DELETE", "/limits/global%23quota", TOKEN).status, 204);
    assert_eq!(passed(), 3);
    assert!(!admin(&process, "GET", "/config", "").text().contains(TOKEN));
    assert!(!process.log().contains(TOKEN));
    // Without a token in the file nobody may.
    replace(&path, &text(""));
    let wrong = "another token that is wrong";
    eventually(PATIENCE, || admin(&process, "DELETE", "/limits/global%23quota", wrong).status == 403);
    assert_eq!(admin(&process, "DELETE", "/limits/global%23quota", TOKEN).status, 403);
    assert_eq!(passed(), 0);
}

#[test]
fn a_gateway_that_ends_returns_its_leases() {
    not_at_midnight();
    let server = RedisServer::start();
    let path = file(
        "returned.yaml",
        &format!(
            "access_log: off\nworkers: 1\nstore: {{ url: \"redis://127.0.0.1:{}\", timeout: 5s }}\n\
             policies: {{ rate_limit: {{ limit: 1000/day, by: everybody, mode: leased }} }}\n\
             routes: [{{ path: /, respond: {{ body: hello }} }}]\n",
            server.port()
        ),
    );
    let mut first = run(&path);
    assert!((0..30).all(|_| get(&first).status == 200));
    first.signal(Signal::TERM);
    assert!(first.wait().success());
    let second = run(&path);
    let left: u64 = get(&second).header("RateLimit-Remaining").unwrap().parse().unwrap();
    assert_eq!(left, 1_000 - 31, "{}", first.log());
}
