//! The pages over a real socket.
#![allow(clippy::panic, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use torana_admin::{Bounds, Changed, Control, Permission, Readiness, Reserve, serve};
use torana_testkit::{Client, DEADLINE, eventually};

struct Fixed(AtomicBool);

/// Far more than the kernel takes for a client that does not read.
const LONG_PAGE: usize = 64 * 1024 * 1024;

impl Control for Fixed {
    fn readiness(&self) -> Readiness {
        if self.0.load(Ordering::Relaxed) { Readiness::Ready } else { Readiness::NotReady("draining") }
    }

    fn configuration(&self) -> String {
        "x".repeat(LONG_PAGE)
    }

    fn services(&self) -> String {
        "{}\n".into()
    }

    fn limits(&self) -> String {
        "{}\n".into()
    }

    fn limit(&self, id: &str) -> Option<String> {
        (id == "route/GET /x#a").then(|| "{\"top\":[]}\n".into())
    }

    fn may_change(&self, token: Option<&str>) -> Permission {
        match (token, self.0.load(Ordering::Relaxed)) {
            (_, false) => Permission::Nobody,
            (Some("right"), true) => Permission::Granted,
            _ => Permission::Wrong,
        }
    }

    fn reset_limit<'a>(&'a self, id: &'a str) -> Pin<Box<dyn Future<Output = Changed> + Send + 'a>> {
        let changed = match id {
            "route/GET /x#a" => Changed::Done,
            "away" => Changed::StoreAway,
            _ => Changed::Unknown,
        };
        Box::pin(async move { changed })
    }

    fn restore(&self, service: &str, endpoint: &str) -> bool {
        (service, endpoint) == ("a", "[::1]:80")
    }

    fn overload(&self) -> String {
        "{}\n".into()
    }

    fn metrics(&self) -> String {
        "# EOF\n".into()
    }
}

fn start(control: Arc<Fixed>, bounds: Bounds) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let reserve = Reserve::take();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            serve(listener, control, bounds, reserve, std::future::pending()).await;
        });
    });
    address
}

fn ask(address: SocketAddr, method: &str, path: &str, host: &str) -> (u16, String) {
    let mut client = Client::connect(address);
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let response = client.exchange(request.as_bytes());
    (response.status, String::from_utf8_lossy(&response.body).into_owned())
}

#[test]
fn pages_say_what_they_should_and_nothing_to_strangers() {
    let control = Arc::new(Fixed(AtomicBool::new(true)));
    let address = start(Arc::clone(&control), Bounds::default());
    assert_eq!(ask(address, "GET", "/healthz", "localhost"), (200, "ok\n".into()));
    assert_eq!(ask(address, "GET", "/readyz", "127.0.0.1"), (200, "ready\n".into()));
    control.0.store(false, Ordering::Relaxed);
    assert_eq!(ask(address, "GET", "/readyz", "127.0.0.1"), (503, "draining\n".into()));
    assert_eq!(ask(address, "GET", "/metrics", "localhost:1"), (200, "# EOF\n".into()));
    assert_eq!(ask(address, "GET", "/services", "localhost"), (200, "{}\n".into()));
    assert_eq!(ask(address, "GET", "/config", "localhost"), (200, "x".repeat(LONG_PAGE)));
    assert_eq!(ask(address, "GET", "/", "localhost").0, 200);
    assert_eq!(ask(address, "GET", "/x", "localhost").0, 404);
    assert_eq!(ask(address, "POST", "/config", "localhost").0, 405);
    assert_eq!(ask(address, "GET", "/config", "evil.test").0, 403);
}

const SHORT: Bounds =
    Bounds { connections: 8, head_timeout: Duration::from_secs(2), total_timeout: Duration::from_secs(5) };

fn ready(bounds: Bounds) -> SocketAddr {
    start(Arc::new(Fixed(AtomicBool::new(true))), bounds)
}

#[test]
fn a_head_must_arrive_in_time_and_be_small() {
    let address = ready(SHORT);
    // Their time runs from when they connect.
    let started = Instant::now();
    let mut slow = Client::connect(address);
    slow.send("GET /healthz HTTP/1.1\r\n");
    // However often another byte comes.
    eventually(DEADLINE, || {
        std::thread::sleep(Duration::from_millis(20));
        slow.try_send("a").is_err()
    });
    assert!(started.elapsed() >= SHORT.head_timeout);
    let mut large = Client::connect(address);
    let request = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    let answer = large.exchange(request);
    assert_eq!((answer.status, answer.text().contains("16384 bytes")), (431, true), "{}", answer.text());
    let mut many = Client::connect(address);
    let request = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: x\r\n".repeat(100));
    let answer = many.exchange(request);
    assert_eq!((answer.status, answer.text().contains("64 fields")), (431, true), "{}", answer.text());
    // Beyond what is read at all.
    let mut huge = Client::connect(address);
    let request = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(60_000));
    assert_eq!(huge.exchange(request).status, 431);
    assert_eq!(ask(address, "GET", "/healthz", "localhost").0, 200);
}

#[test]
fn a_flood_of_idle_connections_pushes_itself_out_and_nobody_else() {
    let head_timeout = Duration::from_secs(60);
    let address = ready(Bounds { connections: 8, head_timeout, total_timeout: 2 * head_timeout });
    let started = Instant::now();
    let mut idle: Vec<Client> = (0..100).map(|_| Client::connect(address)).collect();
    for _ in 0..20 {
        assert_eq!(ask(address, "GET", "/healthz", "localhost"), (200, "ok\n".into()));
        idle.push(Client::connect(address));
    }
    for client in &mut idle[..100] {
        client.expect_closed();
    }
    assert!(started.elapsed() < head_timeout, "no deadline was waited for");
}

#[test]
fn who_does_not_read_is_cut_off_and_others_wait_no_longer_than_that() {
    let address = ready(SHORT);
    let mut lazy: Vec<Client> = (0..SHORT.connections).map(|_| Client::connect(address)).collect();
    // All at once: a busy machine takes its time, and each has a deadline.
    for client in &mut lazy {
        client.send("GET /config HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    for client in &mut lazy {
        // The first bytes show that its place is taken for good.
        client.read_exactly(16);
    }
    assert_eq!(ask(address, "GET", "/healthz", "localhost").0, 200);
    // Only a deadline can have made room.
    let mut received = lazy.iter_mut().map(|client| client.try_read_to_end().map_or(0, |bytes| bytes.len()));
    assert!(received.any(|received| received < LONG_PAGE));
}

#[test]
fn limits_are_shown_to_all_and_changed_only_with_the_token() {
    let control = Arc::new(Fixed(AtomicBool::new(true)));
    let address = start(Arc::clone(&control), Bounds::default());
    let ask = |method: &str, id: &str, token: &str| {
        let token = if token.is_empty() { String::new() } else { format!("Authorization: {token}\r\n") };
        let request =
            format!("{method} /limits/{id} HTTP/1.1\r\nHost: localhost\r\n{token}Content-Length: 0\r\n\r\n");
        let response = Client::connect(address).exchange(request);
        (response.status, response.header("WWW-Authenticate").map(str::to_owned))
    };
    let id = "route%2FGET%20%2Fx%23a";
    assert_eq!(ask("GET", id, "").0, 200);
    assert_eq!(ask("GET", "route/GET%20/x%23a", "").0, 200);
    assert_eq!(ask("GET", "other", "").0, 404);
    for method in ["DELETE", "POST"] {
        for wrong in ["", "Bearer", "Bearer wrong", "Basic right", "right"] {
            assert_eq!(ask(method, id, wrong), (401, Some("Bearer".into())), "{method} {wrong}");
        }
        assert_eq!(ask(method, id, "Bearer right").0, 204);
        assert_eq!(ask(method, "other", "bearer right").0, 404);
        assert_eq!(ask(method, "away", "Bearer right").0, 503);
    }
    assert_eq!(ask("PUT", id, "Bearer right").0, 405);
    control.0.store(false, Ordering::Relaxed);
    assert_eq!(ask("DELETE", id, "Bearer right").0, 403);
    let request = "DELETE /config HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer right\r\n\r\n";
    assert_eq!(Client::connect(address).exchange(request).status, 405);
    let rebound =
        format!("DELETE /limits/{id} HTTP/1.1\r\nHost: evil.test\r\nAuthorization: Bearer right\r\n\r\n");
    assert_eq!(Client::connect(address).exchange(rebound).status, 403);
}

#[test]
fn an_endpoint_is_put_back_only_with_the_token() {
    let control = Arc::new(Fixed(AtomicBool::new(true)));
    let address = start(Arc::clone(&control), Bounds::default());
    let ask = |method: &str, below: &str, token: &str| {
        let request = format!(
            "{method} /services/{below} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        Client::connect(address).exchange(request).status
    };
    assert_eq!(ask("POST", "a/%5B::1%5D:80", "wrong"), 401);
    assert_eq!(ask("POST", "a/%5B::1%5D:80", "right"), 204);
    assert_eq!((ask("POST", "a/other:80", "right"), ask("POST", "a", "right")), (404, 404));
    assert_eq!((ask("DELETE", "a/x", "right"), ask("GET", "a/x", "right")), (405, 405));
    control.0.store(false, Ordering::Relaxed);
    assert_eq!(ask("POST", "a/%5B::1%5D:80", "right"), 403);
}
