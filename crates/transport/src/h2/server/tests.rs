//! What a connection holds for requests that nobody gets to.

use super::*;
use crate::h2::Http2Settings;
use crate::io::Stream;
use crate::service::{RequestBody, ResponseSink};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use torana_fault::Fault;
use torana_http::RequestHead;
use torana_limit::Memory;
use torana_testkit::eventually;
use torana_testkit::http2::{FrameClient, request};

const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Room(RequestHead);

impl AsMut<RequestHead> for Room {
    fn as_mut(&mut self) -> &mut RequestHead {
        &mut self.0
    }
}

/// Never comes to an end with a request, and looks neither at its body nor at its client.
struct Stuck {
    memory: Arc<Memory>,
    streams: u32,
}

impl Service for Stuck {
    type Request = Room;
    type Memory = ();

    fn room(&self) -> Box<Room> {
        Box::default()
    }

    fn take_back(&self, _: Box<Room>) {}

    async fn serve(
        &self,
        _: &ConnectionInfo,
        (): &(),
        _: &Timer,
        _: &mut Room,
        _: &mut impl RequestBody,
        _: &mut impl ResponseSink,
    ) {
        std::future::pending::<()>().await;
    }

    async fn refuse(&self, _: &ConnectionInfo, _: &mut Room, _: Fault, _: &mut impl ResponseSink) {
        std::future::pending::<()>().await;
    }

    fn memory(&self) -> Option<Arc<Memory>> {
        Some(Arc::clone(&self.memory))
    }

    fn settings(&self) -> Rc<ServerSettings> {
        let http2 = Http2Settings { max_streams: self.streams, ..Http2Settings::default() };
        Rc::new(ServerSettings { http2, ..ServerSettings::default() })
    }

    fn opened(&self) {}

    fn closed(&self) {}
}

/// Serves one connection of this client until the client has done all that it does.
async fn before(streams: u32, client: impl FnOnce(FrameClient, &Memory) + Send + 'static) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let memory = Memory::new(1 << 30);
    let service = Rc::new(Stuck { memory: Arc::clone(&memory), streams });
    let ended = tokio::task::spawn_blocking(move || client(FrameClient::connect(address), &memory));
    let (tcp, peer) = listener.accept().await.unwrap();
    let serving = Box::pin(async {
        let info = ConnectionInfo::plain(peer, address);
        serve_connection(Io::new(Stream::Tcp(tcp)), None, info, service, Rc::default()).await;
        std::future::pending::<()>().await;
    });
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            tokio::select! { () = serving => {}, ended = ended => ended.unwrap() }
        })
        .await;
}

#[tokio::test]
async fn requests_beyond_those_that_cannot_end_wait_where_they_count_until_they_are_cancelled() {
    before(4, |mut client, memory| {
        let post = request("POST", "/");
        // To the library four that were cancelled are gone; their tasks are not.
        for stream in [1, 3, 5, 7] {
            client.headers(stream, &post, false).reset(stream);
        }
        for stream in [9, 11, 13, 15] {
            client.headers(stream, &post, false);
        }
        for _ in 0..4 {
            client.data(9, &[b'x'; 16_000], false);
        }
        eventually(PATIENCE, || memory.used() >= 3 << 14);
        for stream in [9, 11, 13, 15] {
            client.reset(stream);
        }
        client.headers(17, &post, false);
        eventually(PATIENCE, || memory.used() == 0);
        for _ in 0..4 {
            client.data(17, &[b'x'; 16_000], false);
        }
        eventually(PATIENCE, || memory.used() >= 3 << 14);
    })
    .await;
}

#[tokio::test]
async fn what_comes_for_a_request_that_is_being_refused_counts() {
    before(4, |mut client, memory| {
        let bad = [request("POST", "/"), vec![("x-a", "white space ")]].concat();
        client.headers(1, &bad, false);
        for _ in 0..4 {
            client.data(1, &[b'x'; 16_000], false);
        }
        eventually(PATIENCE, || memory.used() >= 3 << 14);
    })
    .await;
}
