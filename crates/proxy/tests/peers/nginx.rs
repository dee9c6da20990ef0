//! nginx as a service whose connections take a few requests only, so that it says goodbye all the time.

use crate::program::{go, succeeds};
use crate::site::{Door, Keys};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use torana_testkit::{DEADLINE, HeldPort, eventually, temp_dir};

const REQUESTS: usize = 1500;

/// The program, which may be where only root's shell looks.
fn program(words: &[&str]) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("nginx");
    command.env("PATH", format!("{path}:/usr/local/sbin:/usr/sbin")).args(words);
    command
}

/// What to add where HTTP/2 is spoken, which changed with 1.25.1: to `listen`, and beside it.
fn http2() -> (&'static str, &'static str) {
    let told = program(&["-v"]).output().expect("nginx runs");
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    let version = told.trim().rsplit('/').next().unwrap_or_default();
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    let number: [u32; 3] = std::array::from_fn(|_| numbers.next().unwrap_or_else(|| panic!("{told}")));
    if number < [1, 25, 1] { (" http2", "") } else { ("", "http2 on;") }
}

struct Nginx {
    process: Child,
    address: SocketAddr,
    folder: TempDir,
}

impl Nginx {
    /// Answers `/read/N` with N once it has read the body, and `/unread/N` without reading any; so many requests a
    /// connection.
    fn start((listen, beside): (&str, &str), requests: u32) -> Self {
        let (folder, held) = (temp_dir(), HeldPort::free());
        let (place, address) = (folder.path().display(), held.addr());
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {place}/{kind};"))
            .concat();
        let configuration = format!(
            "daemon off; master_process off; pid {place}/pid; error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
  {temporary} client_body_buffer_size 64k;
  log_format seen '$connection $request_method $uri $status $request_body';
  server {{
    listen {address}{listen}; {beside}
    keepalive_requests {requests}; access_log {place}/seen seen;
    location /read/ {{ proxy_pass http://unix:{place}/inner:/; }}
    location ~ ^/unread/(\\d+)$ {{ return 200 $1; }}
  }}
  server {{ listen unix:{place}/inner; access_log off; location ~ ^/(\\d+)$ {{ return 200 $1; }} }}
}}
"
        );
        std::fs::write(folder.path().join("conf"), configuration).unwrap();
        let file = folder.path().join("conf");
        let words = ["-e", "stderr", "-p", folder.path().to_str().unwrap(), "-c", file.to_str().unwrap()];
        let process = program(&words).stdin(Stdio::null()).spawn().expect("nginx runs");
        let mut server = Self { process, address, folder };
        eventually(DEADLINE, || {
            let ended = server.process.try_wait().unwrap();
            assert!(ended.is_none(), "nginx has ended: {ended:?}");
            TcpStream::connect(address).is_ok()
        });
        server
    }

    /// What its log says of requests, by their targets: connection, method, status and body.
    fn seen(&self) -> BTreeMap<String, Vec<[String; 4]>> {
        let text = std::fs::read_to_string(Path::new(self.folder.path()).join("seen")).unwrap();
        let mut seen: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            let [connection, method, target, rest @ ..] = &*line.split(' ').collect::<Vec<_>>() else {
                continue;
            };
            let rest = [rest[0], rest.get(1).copied().unwrap_or_default()];
            let line = [*connection, *method, rest[0], rest[1]].map(str::to_owned);
            seen.entry((*target).to_owned()).or_default().push(line);
        }
        seen
    }

    /// Holds that each of the requests came once, whole, and over many connections.
    fn saw_each_once(&self, page: &str, per_connection: usize) {
        let prefix = format!("/{page}/");
        let seen = || {
            let mut seen = self.seen();
            seen.retain(|target, _| target.starts_with(&prefix));
            seen
        };
        // It writes the line after the answer.
        eventually(DEADLINE, || seen().len() >= REQUESTS);
        let mut connections = BTreeSet::new();
        for (target, lines) in seen() {
            let [[connection, method, status, body]] = &*lines else { panic!("{target}: {lines:?}") };
            let number = &target[prefix.len()..];
            let begins = if page == "read" && method == "POST" { format!("{number};b") } else { "-".into() };
            assert_eq!((&**status, body.starts_with(&begins)), ("200", true), "{target}: {lines:?}");
            connections.insert(connection.clone());
        }
        assert!(connections.len() >= REQUESTS / per_connection, "{} connections", connections.len());
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Requests of both methods at once, by both versions of HTTP.
fn nothing_is_lost_or_sent_twice(scheme: &str, dialect: (&str, &str), per_connection: u32) {
    let keys = Keys::default();
    for (version, door) in [("1", Door::Plain), ("2", Door::Tls)] {
        let nginx = Nginx::start(dialect, per_connection);
        let gateway = keys.gateway(&format!("endpoints: [\"{scheme}://{}\"]", nginx.address));
        for page in ["read", "unread"] {
            let url = format!("{}/{page}", door.url(&gateway));
            let count = REQUESTS.to_string();
            let mut client = go(&["load", version, "POST,GET", &count, "32", "500", "0s", &url]);
            client.args(door.trust(&keys));
            succeeds(client);
            nginx.saw_each_once(page, per_connection as usize);
        }
    }
}

#[test]
fn goodbyes_of_nginx_over_http_2_lose_nothing_and_have_nothing_sent_twice() {
    nothing_is_lost_or_sent_twice("h2", http2(), 10);
}

#[test]
fn connections_that_nginx_ends_lose_nothing_and_have_nothing_sent_twice() {
    nothing_is_lost_or_sent_twice("http", ("", ""), 3);
}
