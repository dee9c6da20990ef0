//! What the page about protecting an API promises, on its own example.
#![allow(clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]

mod process;

use process::{Process, torana};
use std::path::Path;
use torana_testkit::Client;

fn token(arguments: &[&str]) -> String {
    let made = torana().arg("token").args(arguments).output().unwrap();
    assert!(made.status.success());
    format!("Authorization: Bearer {}\r\n", String::from_utf8(made.stdout).unwrap().trim())
}

#[test]
fn the_page_about_protecting_an_api_keeps_its_word() {
    let process =
        Process::run(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/protect.yaml")));
    let (alice, admin) = (token(&["--sub", "alice"]), token(&["--sub", "root", "--role", "admin"]));
    let gold = token(&["--sub", "carol", "--claim", "tier=gold"]);
    let expired = token(&["--sub", "alice", "--claim", "exp=1000"]);
    let key = "apikey: an-example-key-for-docs\r\n";
    for (path, credentials, status) in [
        ("/health", "", 200),
        ("/api/orders", "", 401),
        ("/api/orders", &*alice, 200),
        ("/api/orders", key, 200),
        ("/api/orders", &*expired, 401),
        ("/api/orders", "apikey: another\r\n", 401),
        ("/api/admin/users", &*alice, 403),
        ("/api/admin/users", &*admin, 200),
        ("/api/admin/users", key, 403),
        ("/api/%61dmin/users", &*alice, 403),
        ("/api/reports/1", &*alice, 403),
        ("/api/reports/1", &*gold, 200),
        ("/api/import", &*alice, 403),
        ("/api/import", key, 200),
        ("/elsewhere", key, 404),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n{credentials}\r\n");
        let answer = Client::connect(process.address).exchange(request);
        assert_eq!(answer.status, status, "{path} {credentials}");
    }
}
