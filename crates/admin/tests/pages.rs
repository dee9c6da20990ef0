//! The pages over a real socket.
#![allow(clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use torana_admin::{Control, Readiness, serve};
use torana_testkit::Client;

struct Fixed(AtomicBool);

impl Control for Fixed {
    fn readiness(&self) -> Readiness {
        if self.0.load(Ordering::Relaxed) { Readiness::Ready } else { Readiness::NotReady("draining") }
    }

    fn configuration(&self) -> String {
        "{}".into()
    }

    fn metrics(&self) -> String {
        "# EOF\n".into()
    }
}

fn start(control: Arc<Fixed>) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            serve(listener, control, std::future::pending()).await.unwrap();
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
    let address = start(Arc::clone(&control));
    assert_eq!(ask(address, "GET", "/healthz", "localhost"), (200, "ok\n".into()));
    assert_eq!(ask(address, "GET", "/readyz", "127.0.0.1"), (200, "ready\n".into()));
    control.0.store(false, Ordering::Relaxed);
    assert_eq!(ask(address, "GET", "/readyz", "127.0.0.1"), (503, "draining\n".into()));
    assert_eq!(ask(address, "GET", "/metrics", "localhost:1"), (200, "# EOF\n".into()));
    assert_eq!(ask(address, "GET", "/config", "localhost"), (200, "{}".into()));
    assert_eq!(ask(address, "GET", "/", "localhost").0, 200);
    assert_eq!(ask(address, "GET", "/x", "localhost").0, 404);
    assert_eq!(ask(address, "POST", "/config", "localhost").0, 405);
    assert_eq!(ask(address, "GET", "/config", "evil.test").0, 403);
}
