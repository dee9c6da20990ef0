//! Traffic that would show what a gateway loses little by little: large bodies, and everything mixed with
//! everything going wrong. Short here; `cargo xtask large` and `cargo xtask soak` are the long forms.
#![allow(clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]

mod process;

use process::{PATIENCE, Process, torana};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use torana_testkit::eventually_some;
use torana_testkit::large::{LargeOrigin, Way};
use torana_testkit::soak::{self, Gateway, Site, Soak};

const MIB: u64 = 1024 * 1024;

/// Starts the binary with a file that listens on a plain address and on one with TLS.
fn run(file: &Path) -> (Process, SocketAddr) {
    let process = Process::start(torana().arg("run").arg(file).args(["--admin", "127.0.0.1:0"]));
    let secure = eventually_some(PATIENCE, || {
        process.log().split_once("listening on https://")?.1.split(' ').next()?.parse().ok()
    });
    (process, secure)
}

fn any() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

#[test]
fn large_bodies_pass_whole_in_constant_memory_and_wait_for_their_reader() {
    let (origin, folder) = (LargeOrigin::start().unwrap(), tempfile::tempdir().unwrap());
    let (process, secure) = run(&origin.write(folder.path(), any(), any()).unwrap());
    for (way, address, size) in
        [(Way::Plain, process.address, 256), (Way::Tls, secure, 64), (Way::Http2, secure, 64)]
    {
        let found = origin.check(address, way, process.child.id(), size * MIB);
        assert!(found.grown_kib < 8 * 1024, "{way:?}: {found:?}");
        // What the kernel holds on both sides of the gateway, and hardly more.
        assert!(found.ahead.iter().all(|ahead| *ahead < 48 * MIB), "{way:?}: {found:?}");
    }
}

#[test]
fn mixed_traffic_with_faults_leaves_nothing_behind() {
    let (site, folder) = (Site::start(), tempfile::tempdir().unwrap());
    let (process, secure) = run(&site.write(folder.path(), any(), any()).unwrap());
    let gateway = Gateway { plain: process.address, secure, admin: process.admin, pid: process.child.id() };
    let short = Soak { duration: Duration::from_secs(8), clients: 12, seed: 1 };
    let found = soak::soak(short, site, gateway).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert!(found.answers > 300, "{found:?}");
    let (early, late) = found.memory_kib;
    assert!(late < early + 16 * 1024, "{found:?}");
    assert!(!process.log().contains("panicked"), "{}", process.log());
}
