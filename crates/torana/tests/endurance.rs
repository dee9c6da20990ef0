//! Traffic that would show what a gateway loses little by little: large bodies, and everything mixed with
//! everything going wrong. Short here; `cargo xtask large` and `cargo xtask soak` are the long forms.
#![allow(clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]

mod process;

use process::Process;
use std::time::Duration;
use torana_testkit::large::LargeOrigin;
use torana_testkit::soak::{self, Soak};

const MIB: u64 = 1024 * 1024;

#[test]
fn large_bodies_pass_whole_in_constant_memory_and_wait_for_their_reader() {
    let origin = LargeOrigin::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("torana.yaml");
    let text = format!(
        "access_log: off\nservices: {{ s: {{ endpoints: [{}] }} }}\nroutes: [{{ path: /*, service: s }}]\n",
        origin.url()
    );
    std::fs::write(&file, text).unwrap();
    let process = Process::run(&file);
    let found = origin.check(process.address, process.child.id(), 256 * MIB);
    assert!(found.grown_kib < 8 * 1024, "{found:?}");
    // What the kernel holds on both sides of the gateway, and hardly more.
    assert!(found.ahead.iter().all(|ahead| *ahead < 48 * MIB), "{found:?}");
}

#[test]
fn mixed_traffic_with_faults_leaves_nothing_behind() {
    let origin = soak::origin();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("torana.yaml");
    std::fs::write(&file, soak::configuration(&origin)).unwrap();
    let process = Process::run(&file);
    let short = Soak { duration: Duration::from_secs(8), clients: 12, seed: 1 };
    let found = soak::soak(short, &origin, process.address, process.admin, process.child.id());
    let found = found.unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert!(found.answers > 500, "{found:?}");
    let (early, late) = found.memory_kib;
    assert!(late < early + 16 * 1024, "{found:?}");
    assert!(!process.log().contains("panicked"), "{}", process.log());
}
