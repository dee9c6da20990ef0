//! Files of consumers are taken over apart from the configuration.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

mod process;

use process::{PATIENCE, Process, replace};
use std::path::PathBuf;
use torana_testkit::{Client, eventually};

const GATEWAY: &str = "access_log: off
limits: { failed_credentials: off }
consumers: { files: [consumers.jsonl], inline: [{ username: fixed, keys: [fixed-key] }] }
policies: { key_auth: {}, basic_auth: {}, auth: any }
routes: [{ path: /*, respond: { body: in } }]
";

fn started(folder: &tempfile::TempDir, text: &str, consumers: &str) -> (Process, PathBuf) {
    let (file, list) = (folder.path().join("torana.yaml"), folder.path().join("consumers.jsonl"));
    std::fs::write(&file, text).unwrap();
    std::fs::write(&list, consumers).unwrap();
    (Process::run(&file), list)
}

fn status(process: &Process, fields: &str) -> u16 {
    Client::connect(process.address).exchange(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).status
}

fn key(process: &Process, key: &str) -> u16 {
    status(process, &format!("apikey: {key}\r\n"))
}

#[test]
fn consumers_are_exchanged_and_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    // bob:one, bob:two
    let (one, two) = ("Authorization: Basic Ym9iOm9uZQ==\r\n", "Authorization: Basic Ym9iOnR3bw==\r\n");
    let list = |key: &str, password: &str| {
        format!(
            "{{\"username\":\"bob\",\"keys\":[\"{key}\"],\"basic\":[{{\"username\":\"bob\",\"password\":\"{password}\"}}]}}\n"
        )
    };
    let (process, file) = started(&folder, GATEWAY, &list("old", "one"));
    assert_eq!((key(&process, "old"), key(&process, "new"), key(&process, "fixed-key")), (200, 401, 200));
    assert_eq!((status(&process, one), status(&process, two)), (200, 401));
    replace(&file, &list("new", "two"));
    eventually(PATIENCE, || key(&process, "new") == 200);
    assert_eq!((key(&process, "old"), key(&process, "fixed-key")), (401, 200));
    assert_eq!(
        (status(&process, one), status(&process, two)),
        (401, 200),
        "what was remembered is forgotten"
    );
    eventually(PATIENCE, || process.log().contains("took over 2 consumers"));
    assert!(!process.log().contains("reloaded "), "{}", process.log());
    // A mistake changes nothing, and is said without the secret.
    replace(&file, "{\"username\":\"bob\",\"keys\":[\"hidden\"]\n");
    eventually(PATIENCE, || process.log().contains("the consumers before stay in force"));
    assert!(process.log().contains("consumers.jsonl:1:") && !process.log().contains("hidden"));
    assert_eq!((key(&process, "new"), key(&process, "hidden")), (200, 401));
    replace(&file, "{\"username\":\"bob\",\"keys\":[\"fixed-key\"]}\n");
    eventually(PATIENCE, || process.log().contains("the consumer `fixed` has this key already"));
    assert_eq!(key(&process, "new"), 200);
    // A file that is gone is said, and taken over once it is back.
    std::fs::remove_file(&file).unwrap();
    eventually(PATIENCE, || process.log().contains("consumers.jsonl is gone"));
    assert_eq!(key(&process, "new"), 200);
    replace(&file, &list("back", "two"));
    eventually(PATIENCE, || key(&process, "back") == 200);
    assert_eq!(key(&process, "new"), 401);
    // A change of the configuration takes both over, and the consumers still change apart afterwards.
    replace(&folder.path().join("torana.yaml"), &GATEWAY.replace("fixed-key", "other-key"));
    eventually(PATIENCE, || key(&process, "other-key") == 200);
    assert_eq!((key(&process, "back"), key(&process, "fixed-key")), (200, 401));
    replace(&file, &list("last", "two"));
    eventually(PATIENCE, || key(&process, "last") == 200);
    assert_eq!((key(&process, "back"), key(&process, "other-key")), (401, 200));
    // What is said comes by way of a pipe.
    eventually(PATIENCE, || process.log().matches("reloaded ").count() == 1);
}

#[test]
fn a_file_that_was_emptied_changes_nothing_and_one_that_lost_most_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let line =
        |number: u32| format!("{{\"username\":\"u{number}\",\"keys\":[\"a-key-of-user-{number:04}\"]}}\n");
    let all: String = (0..9).map(line).collect();
    let (process, file) = started(&folder, GATEWAY, &all);
    assert_eq!(key(&process, "a-key-of-user-0008"), 200);
    assert!(process.log().contains("short-secret"), "{}", process.log());
    replace(&file, "");
    eventually(PATIENCE, || process.log().contains("the consumers before stay in force"));
    assert!(process.log().contains("write `[]` if there are none"), "{}", process.log());
    assert_eq!(key(&process, "a-key-of-user-0008"), 200);
    replace(&file, &line(3));
    eventually(PATIENCE, || process.log().contains("2 of 10 consumers are left"));
    assert_eq!((key(&process, "a-key-of-user-0003"), key(&process, "a-key-of-user-0008")), (200, 401));
    replace(&file, "[]\n");
    eventually(PATIENCE, || process.log().contains("took over 1 consumer in"));
    assert_eq!((key(&process, "a-key-of-user-0003"), key(&process, "fixed-key")), (401, 200));
    // What was odd from the start was said once.
    assert_eq!(process.log().matches("short-secret").count(), 1, "{}", process.log());
    assert!(process.log().contains("1 warning as before"), "{}", process.log());
}

#[test]
fn a_plan_that_holds_a_consumer_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let text = GATEWAY.replace("auth: any", "auth: { require: any, anonymous: guest }");
    let guest = "{\"username\":\"guest\"}\n";
    let (process, file) = started(&folder, &text, guest);
    assert_eq!(status(&process, ""), 200);
    replace(&file, "{\"username\":\"other\"}\n");
    eventually(PATIENCE, || process.log().contains("not reloaded"));
    assert_eq!(status(&process, ""), 200);
    replace(&file, &format!("{guest}{{\"username\":\"bob\",\"keys\":[\"k\"]}}\n"));
    eventually(PATIENCE, || process.log().contains("reloaded "));
    assert_eq!(key(&process, "k"), 200);
}
