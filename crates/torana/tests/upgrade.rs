//! Exchanging the running binary, and being run by a service manager.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

mod process;

use process::{PATIENCE, Process, replace, torana};
use rustix::process::{Pid, Signal, kill_process};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;
use torana_testkit::http2::Http2Client;
use torana_testkit::{Authority, Client, Origin, Reply, TlsOptions, eventually, eventually_some, get};

const HELLO: &str = "access_log: off\nroutes: [{ path: /, respond: { body: hello } }]\n";

fn file(folder: &tempfile::TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("torana.yaml");
    std::fs::write(&path, text).unwrap();
    path
}

/// A process that is not our child, because another one has started it; killed when dropped.
struct Heir(i32);

impl Heir {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.0).unwrap(), signal).unwrap();
    }

    /// Nobody reaps it where process one does not; then it is dead all the same.
    fn lives(&self) -> bool {
        let state = std::fs::read_to_string(format!("/proc/{}/stat", self.0)).unwrap_or_default();
        state.rsplit_once(')').is_some_and(|(_, rest)| !rest.starts_with(" Z"))
    }
}

impl Drop for Heir {
    fn drop(&mut self) {
        if self.lives() {
            let _ = kill_process(Pid::from_raw(self.0).unwrap(), Signal::KILL);
        }
    }
}

/// The processes that the log says have taken over, in order.
fn heirs(process: &Process) -> Vec<i32> {
    let log = process.log();
    let named = log.lines().filter_map(|line| line.split_once("process ")?.1.strip_suffix(" has taken over"));
    named.map(|number| number.parse().unwrap()).collect()
}

fn upgraded(process: &Process, count: usize) -> Heir {
    Heir(eventually_some(PATIENCE, || heirs(process).get(count - 1).copied()))
}

/// Asks for numbers and wants them back, until told to stop. Without `keep_alive` each time anew.
fn load(connect: impl Fn() -> Client, keep_alive: bool, stop: &AtomicBool, asked: &AtomicU64) {
    let mut number = 0_u64;
    let mut kept: Option<Client> = None;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let mut client = kept.take().unwrap_or_else(|| connect().deadline(PATIENCE));
        let close = if keep_alive { "" } else { "Connection: close\r\n" };
        let response = client.exchange(format!("GET /{number} HTTP/1.1\r\nHost: localhost\r\n{close}\r\n"));
        assert_eq!((response.status, response.text()), (200, format!("/{number}")));
        if response.header("Connection") != Some("close") {
            kept = Some(client);
        }
        asked.fetch_add(1, Ordering::Relaxed);
    }
}

/// The same over HTTP/2 on one connection. A process that is exchanged says which requests it will not serve any more;
/// those are asked for on another connection, and no other may fail.
fn load_http2(connect: impl Fn() -> Http2Client, stop: &AtomicBool, asked: &AtomicU64) {
    let mut client = connect();
    let mut number = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let path = format!("/{number}");
        let response = loop {
            match client.try_request("GET", &path, &[], b"") {
                Ok(response) => break response,
                Err(error) if error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR) => {
                    client = connect();
                }
                Err(error) => panic!("{path}: {error}"),
            }
        };
        assert_eq!((response.status, response.text()), (200, path));
        asked.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn twenty_upgrades_under_load_lose_nothing() {
    upgrades_lose_nothing(20, None);
}

#[test]
fn upgrades_under_load_lose_nothing_behind_tls() {
    upgrades_lose_nothing(5, Some(&Authority::default()));
}

fn upgrades_lose_nothing(upgrades: usize, tls: Option<&Authority>) {
    const CLIENTS: usize = 18;
    let origin = Origin::respond(|request| Reply::ok(request.target.clone()));
    let folder = tempfile::tempdir().unwrap();
    let listen = match tls {
        Some(authority) => {
            authority.issue(&["localhost"]).write(folder.path(), "a");
            "listen: { address: 127.0.0.1:0, tls: { certificates: { cert: a.pem, key: a.key } } }\n"
        }
        None => "",
    };
    let text = format!(
        "access_log: off\n{listen}services: {{ s: {{ endpoints: [{}] }} }}\nroutes: [{{ path: /*, service: s }}]\n",
        origin.url()
    );
    let mut process = Process::run(&file(&folder, &text));
    let trusting = tls.map(|authority| {
        (TlsOptions::trusting(authority), TlsOptions::trusting(authority).offering(&["h2"]))
    });
    let (address, admin) = (process.address, process.admin);
    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (stop, asked) = (Arc::clone(&stop), Arc::clone(&asked));
            let trusting = trusting.clone();
            std::thread::spawn(move || match (number % 3, trusting) {
                (2, None) => load_http2(|| Http2Client::connect(address), &stop, &asked),
                (2, Some((_, offering))) => {
                    let connect = || {
                        Http2Client::try_connect_tls(address, &offering, "localhost")
                            .unwrap()
                            .for_host("localhost")
                    };
                    load_http2(connect, &stop, &asked);
                }
                (kind, None) => load(|| Client::connect(address), kind == 0, &stop, &asked),
                (kind, Some((options, _))) => {
                    load(|| Client::connect_tls(address, &options, "localhost"), kind == 0, &stop, &asked);
                }
            })
        })
        .collect();
    let started = Instant::now();
    process.signal(Signal::USR2);
    let mut heirs = vec![upgraded(&process, 1)];
    for number in 2..=upgrades {
        assert_eq!(get(admin, "/readyz").status, 200);
        // Each of them serves for a while.
        let before = asked.load(Ordering::Relaxed);
        eventually(PATIENCE, || asked.load(Ordering::Relaxed) > before + 200);
        heirs.last().unwrap().signal(Signal::USR2);
        heirs.push(upgraded(&process, number));
    }
    let asked_during = asked.load(Ordering::Relaxed);
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().expect("no connection was refused or reset, and no answer wrong");
    }
    let last = heirs.pop().unwrap();
    assert_eq!(process.wait().code(), Some(0), "{}", process.log());
    eventually(PATIENCE, || heirs.iter().all(|heir| !heir.lives()));
    if tls.is_none() {
        assert_eq!(get(address, "/end").text(), "/end");
    }
    last.signal(Signal::TERM);
    eventually(PATIENCE, || !last.lives());
    assert!(!process.log().contains("ERROR"), "{}", process.log());
    assert!(asked_during > 150 * upgrades as u64, "{asked_during} requests in {:?}", started.elapsed());
}

#[test]
fn a_successor_that_does_not_serve_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, HELLO);
    let program = folder.path().join("torana");
    std::fs::copy(env!("CARGO_BIN_EXE_torana"), &program).unwrap();
    let script = |text: &str| {
        replace(&program, text);
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    };
    let mut command = Command::new(&program);
    command.arg("run").arg(&path).args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    let mut process = Process::start(&mut command);
    let failed = |count| {
        eventually(PATIENCE, || process.log().matches("not upgraded, this process goes on").count() == count);
        assert_eq!(get(process.address, "/").text(), "hello");
    };
    script("#!/bin/sh\nexit 7\n");
    process.signal(Signal::USR2);
    failed(1);
    assert!(process.log().contains("exit status: 7"), "{}", process.log());
    script("#!/bin/sh\nexec 0<&-\nexec sleep 100\n");
    process.signal(Signal::USR2);
    failed(2);
    script("#!/nowhere\n");
    process.signal(Signal::USR2);
    failed(3);
    std::fs::remove_file(&program).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_torana"), &program).unwrap();
    replace(&path, "routes: 7\n");
    process.signal(Signal::USR2);
    failed(4);
    replace(&path, &HELLO.replace("hello", "newer"));
    process.signal(Signal::USR2);
    let heir = upgraded(&process, 1);
    assert_eq!(process.wait().code(), Some(0));
    assert_eq!(get(process.address, "/").text(), "newer");
    assert_eq!(get(process.admin, "/readyz").status, 200);
    drop(heir);
}

#[test]
fn a_successor_that_cannot_listen_everywhere_takes_no_connection_with_it() {
    const CLIENTS: usize = 8;
    const TRIALS: usize = 10;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = Origin::respond(|request| Reply::ok(request.target.clone()));
    let folder = tempfile::tempdir().unwrap();
    let text = |listen: &str, workers: usize| {
        format!(
            "access_log: off\nadmin: 127.0.0.1:0\nworkers: {workers}\nlisten: {listen}\n\
             services: {{ s: {{ endpoints: [{}] }} }}\nroutes: [{{ path: /*, service: s }}]\n",
            origin.url()
        )
    };
    let path = file(&folder, &text("127.0.0.1:0", 1));
    let process = Process::start(torana().arg("run").arg(&path));
    let address = process.address;
    let second = taken.local_addr().unwrap();
    replace(&path, &text(&format!("[\"127.0.0.1:0\", \"{second}\"]"), 64));
    eventually(PATIENCE, || config(process.admin)["generation"] == 2);
    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (stop, asked) = (Arc::clone(&stop), Arc::clone(&asked));
            std::thread::spawn(move || load(|| Client::connect(address), false, &stop, &asked))
        })
        .collect();
    for trial in 1..=TRIALS {
        process.signal(Signal::USR2);
        let failed = || process.log().matches("not upgraded, this process goes on").count() == trial;
        eventually(PATIENCE, failed);
        let before = asked.load(Ordering::Relaxed);
        eventually(PATIENCE, || {
            asked.load(Ordering::Relaxed) > before + 50
                || clients.iter().any(std::thread::JoinHandle::is_finished)
        });
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().expect("no connection was refused or reset, and no answer wrong");
    }
    assert!(process.log().contains(&format!("cannot listen on {second}")), "{}", process.log());
}

/// What the service manager was told since the last call.
fn told(manager: &UnixDatagram) -> Vec<String> {
    let mut told = Vec::new();
    let mut bytes = [0; 512];
    while let Ok(count) = manager.recv(&mut bytes) {
        told.extend(String::from_utf8_lossy(&bytes[..count]).lines().map(str::to_owned));
    }
    told
}

#[test]
fn the_service_manager_is_told_what_happens() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, &format!("drain_delay: 1h\n{HELLO}"));
    let notify = folder.path().join("notify");
    let manager = UnixDatagram::bind(&notify).unwrap();
    manager.set_nonblocking(true).unwrap();
    let mut command = torana();
    command.env("NOTIFY_SOCKET", &notify).arg("run").arg(&path);
    let mut process = Process::start(command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]));
    let mut all = Vec::new();
    let mut eventually_told = |wanted: &[&str]| {
        eventually(PATIENCE, || {
            all.extend(told(&manager));
            wanted.iter().all(|wanted| all.iter().any(|line| line == wanted))
        });
        std::mem::take(&mut all)
    };
    eventually_told(&["READY=1"]);
    process.signal(Signal::HUP);
    let lines = eventually_told(&["RELOADING=1", "READY=1"]);
    assert!(lines.iter().any(|line| line.starts_with("MONOTONIC_USEC=")), "{lines:?}");
    process.signal(Signal::USR2);
    let heir = upgraded(&process, 1);
    eventually_told(&[&format!("MAINPID={}", heir.0)]);
    assert!(process.wait().success());
    heir.signal(Signal::TERM);
    let lines = eventually_told(&["STOPPING=1"]);
    assert_eq!(lines.iter().filter(|line| *line == "STOPPING=1").count(), 1, "only the last one stops");
    // A reload is no news any more.
    std::fs::write(&path, format!("drain_delay: 1h\n{}", HELLO.replace("hello", "hello again"))).unwrap();
    heir.signal(Signal::HUP);
    eventually(PATIENCE, || get(process.address, "/").text() == "hello again");
    heir.signal(Signal::HUP);
    assert_eq!(told(&manager), Vec::<String>::new());
}

/// Starts the gateway as a service manager would: with sockets as descriptors 3 and 4. They come as standard input and
/// output, because any other number may be one that the shell itself, or another test of this process, has in use.
fn activated(path: &Path, names: &str, sockets: [&std::net::TcpListener; 2], arguments: &[&str]) -> Command {
    let [first, second] = sockets.map(|socket| OwnedFd::from(socket.try_clone().unwrap()));
    let script = format!(
        "exec 3<&0 4<&1 0</dev/null 1>/dev/null; LISTEN_FDS=2 LISTEN_PID=$$ LISTEN_FDNAMES={names} exec \"$@\""
    );
    let mut command = Command::new("bash");
    command.args(["-c", &script, "bash", env!("CARGO_BIN_EXE_torana"), "run"]).arg(path).args(arguments);
    command.stdin(Stdio::from(first)).stdout(Stdio::from(second));
    command
}

#[test]
fn sockets_of_the_service_manager_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, HELLO);
    let (data, admin) =
        (std::net::TcpListener::bind("127.0.0.1:0"), std::net::TcpListener::bind("127.0.0.1:0"));
    let (data, admin) = (data.unwrap(), admin.unwrap());
    let (address, pages) = (data.local_addr().unwrap(), admin.local_addr().unwrap());
    let listen = ["--listen", &address.to_string(), "--admin", "127.0.0.1:0", "--workers", "2"];
    let mut process = Process::start(&mut activated(&path, "web:admin", [&data, &admin], &listen));
    assert_eq!((process.address, process.admin), (address, pages));
    for _ in 0..20 {
        assert_eq!(get(address, "/").text(), "hello");
    }
    // They are handed on like any others.
    process.signal(Signal::USR2);
    let heir = upgraded(&process, 1);
    assert!(process.wait().success());
    assert_eq!((get(address, "/").text().as_str(), get(pages, "/readyz").status), ("hello", 200));
    drop(heir);
    let elsewhere = ["--listen", "127.0.0.1:0"];
    let output = activated(&path, "web:admin", [&data, &admin], &elsewhere).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains(&address.to_string()), "{said}");
}

fn config(admin: SocketAddr) -> serde_json::Value {
    serde_json::from_str(&get(admin, "/config").text()).unwrap()
}

#[test]
fn a_changed_listen_waits_for_an_upgrade_and_the_configuration_page_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let text = |listen: &str, body: &str| {
        format!("listen: {listen}\nadmin: 127.0.0.1:0\n{}", HELLO.replace("hello", body))
    };
    let path = file(&folder, &text("127.0.0.1:0", "one"));
    let process = Process::start(torana().arg("run").arg(&path));
    let (address, admin) = (process.address, process.admin);
    let url = format!("http://{address}");
    let page = config(admin);
    assert_eq!(page["listening"], serde_json::json!([url]), "{page:#}");
    assert!(page.get("not_in_force").is_none(), "{page:#}");
    replace(&path, &text("[127.0.0.1:0, 127.0.0.2:0]", "two"));
    eventually(PATIENCE, || get(address, "/").text() == "two" && config(admin)["generation"] == 2);
    let page = config(admin);
    assert_eq!(page["listening"], serde_json::json!([url]), "{page:#}");
    assert_eq!(page["configuration"]["listen"], "127.0.0.1:0", "{page:#}");
    assert_eq!(page["not_in_force"]["listen"], serde_json::json!(["127.0.0.1:0", "127.0.0.2:0"]), "{page:#}");
    assert!(page["help"].as_str().unwrap().contains("SIGUSR2"), "{page:#}");
    let said = "`listen` has changed, which takes effect with an upgrade (SIGUSR2) or a restart";
    eventually(PATIENCE, || process.log().contains(said));
    // And so it does.
    process.signal(Signal::USR2);
    let _heir = upgraded(&process, 1);
    let second: u16 = eventually_some(PATIENCE, || {
        process.log().split_once("listening on http://127.0.0.2:")?.1.split(' ').next()?.parse().ok()
    });
    assert_eq!(get(SocketAddr::from(([127, 0, 0, 2], second)), "/").text(), "two");
    // The page is the heir's once its forerunner has let go of it.
    eventually(PATIENCE, || config(admin).get("not_in_force").is_none());
    let page = config(admin);
    assert_eq!(page["listening"][0], url.as_str(), "{page:#}");
}
