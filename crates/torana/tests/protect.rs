//! What the page about protecting an API promises, on its own example.
#![allow(clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]

mod process;

use process::{Process, torana};
use std::path::{Path, PathBuf};
use std::process::Command;
use torana_testkit::{Client, HeldPort};

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

/// What the page shows last, pasted as a whole: each request is answered with the status that stands beside it.
#[test]
fn the_last_lines_of_the_page_work_when_pasted() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let page = std::fs::read_to_string(root.join("docs/protect-an-api.md")).unwrap();
    let shown = page.split("```sh\n").last().unwrap().split("```").next().unwrap();
    let expected: Vec<&str> = shown.lines().filter_map(|line| line.split_once("# ")?.1.get(..3)).collect();
    let expected: Vec<&str> = expected.into_iter().filter(|status| status.parse::<u16>().is_ok()).collect();
    let held = HeldPort::free();
    let address = held.addr().to_string();
    let pasted = shown
        .replace("127.0.0.1:8000", &address)
        .replace("protect.yaml &", &format!("protect.yaml --listen {address} &"))
        .replace("curl -i", "curl -si");
    let script = format!("trap 'kill $!' EXIT\n{pasted}");
    let program = PathBuf::from(env!("CARGO_BIN_EXE_torana"));
    let paths = std::env::join_paths(
        std::iter::once(program.parent().unwrap().to_owned())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let done = Command::new("timeout")
        .args(["120", "bash", "-c", &script])
        .env("PATH", paths.unwrap())
        .current_dir(root)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    // The end of a problem document is not the end of a line.
    let statuses: Vec<&str> = said.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.get(..3)).collect();
    assert_eq!(expected.len(), 3);
    assert_eq!(statuses, expected, "{said}\n{}", String::from_utf8_lossy(&done.stderr));
}
