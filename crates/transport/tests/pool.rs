//! Which connections a pool lends, keeps and gives up.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use torana_http::RequestHead;
use torana_http::h1::{BodyFraming, HeadLimits};
use torana_http::proxy_protocol::{Introduction, ProxyVersion};
use torana_testkit::http2::{Http2Origin, Http2Reply};
use torana_testkit::{Authority, TlsFront};
use torana_transport::h2::UpstreamHttp2;
use torana_transport::{
    Address, BodySink, Endpoint, EndpointSettings, Lease, Pool, Protocol, Queueing, RequestWriter,
    ServerVerification, Timer, TlsClient, TlsClientContext, TlsClientSettings, TlsVersion, Wanted,
};

/// Longer than a busy machine is likely to need.
const PATIENCE: Duration = Duration::from_secs(20);

/// An endpoint that accepts and says nothing.
struct Silent {
    listener: TcpListener,
    accepted: Vec<TcpStream>,
}

impl Silent {
    async fn start() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap(), accepted: Vec::new() }
    }

    fn pool(&self, max_connections: usize, introduces: Option<ProxyVersion>) -> (Arc<Endpoint>, Rc<Pool>) {
        let address = Address::Socket(self.listener.local_addr().unwrap());
        let settings = EndpointSettings {
            max_connections,
            queue_timeout: Duration::from_secs(30),
            ..EndpointSettings::default()
        };
        let endpoint = Endpoint::reached_by(address, settings, None, introduces);
        (Arc::clone(&endpoint), Pool::new(endpoint))
    }

    async fn accept(&mut self) {
        self.accepted.push(self.listener.accept().await.unwrap().0);
    }
}

async fn lend(pool: &Rc<Pool>, fresh: bool) -> Lease {
    pool.acquire(&Timer::default(), fresh).await.unwrap()
}

#[tokio::test]
async fn warm_connections_are_kept_when_one_was_stale() {
    let mut endpoint = Silent::start().await;
    let (counters, pool) = endpoint.pool(10, None);
    let mut leases = Vec::new();
    for _ in 0..3 {
        leases.push(lend(&pool, false).await);
        endpoint.accept().await;
    }
    leases.into_iter().for_each(Lease::give_back);
    assert_eq!((pool.idle(), counters.usage.created()), (3, 3));
    // One turned out to be stale: it is gone, and the next is opened anew.
    drop(lend(&pool, false).await);
    let fresh = lend(&pool, true).await;
    assert!(!fresh.is_reused());
    assert_eq!((pool.idle(), counters.usage.created(), counters.usage.open()), (2, 4, 3));
    // The others go on being used.
    let kept = lend(&pool, false).await;
    assert!(kept.is_reused());
    assert_eq!((pool.idle(), counters.usage.idle(), counters.usage.created()), (1, 1, 4));
}

#[tokio::test]
async fn a_connection_that_its_peer_has_closed_is_passed_over_for_the_next() {
    let mut endpoint = Silent::start().await;
    let (counters, pool) = endpoint.pool(10, None);
    let mut leases = Vec::new();
    for _ in 0..3 {
        leases.push(lend(&pool, false).await);
        endpoint.accept().await;
    }
    leases.into_iter().for_each(Lease::give_back);
    // The two that were used last, and would be lent first.
    endpoint.accepted.truncate(1);
    let begun = std::time::Instant::now();
    let lease = loop {
        tokio::task::yield_now().await;
        let lease = lend(&pool, false).await;
        if counters.usage.open() == 1 || begun.elapsed() > Duration::from_secs(30) {
            break lease;
        }
        lease.give_back();
    };
    assert!(lease.is_reused());
    assert_eq!((counters.usage.created(), counters.usage.open(), pool.idle()), (3, 1, 0));
}

#[tokio::test]
async fn a_connection_on_which_a_part_of_a_request_never_left_is_not_kept() {
    let mut endpoint = Silent::start().await;
    let (counters, pool) = endpoint.pool(10, None);
    let mut lease = lend(&pool, false).await;
    endpoint.accept().await;
    let timer = Timer::default();
    let mut head = RequestHead::default();
    head.framing = BodyFraming::Chunked;
    let mut writer = lease.exchange(&timer, HeadLimits::default(), Duration::from_secs(60)).writer;
    writer.start(&head, head.framing, None);
    // Small pieces are taken into the buffer, also when the socket takes no more.
    let blocked = |context: &mut Context<'_>, writer: &mut RequestWriter<'_>| {
        assert!(writer.poll_write(context, &[b'x'; 1000]).is_ready());
        writer.poll_flush(context).is_pending()
    };
    poll_fn(|context| {
        while !blocked(context, &mut writer) {}
        Poll::Ready(())
    })
    .await;
    drop(writer);
    lease.give_back();
    assert_eq!((pool.idle(), counters.usage.open()), (0, 0));
}

#[tokio::test]
async fn at_the_cap_an_idle_connection_that_is_of_no_use_makes_room() {
    let mut endpoint = Silent::start().await;
    let (counters, pool) = endpoint.pool(2, None);
    let leases = [lend(&pool, false).await, lend(&pool, false).await];
    endpoint.accept().await;
    leases.into_iter().for_each(Lease::give_back);
    // Both are passed over; the cap holds all the same.
    let fresh = lend(&pool, true).await;
    assert!(!fresh.is_reused());
    assert_eq!((pool.idle(), counters.usage.open(), counters.usage.created()), (1, 2, 3));
}

#[tokio::test]
async fn at_the_cap_a_new_client_gets_the_place_of_one_that_is_idle() {
    let endpoint = Silent::start().await;
    let (counters, pool) = endpoint.pool(2, Some(ProxyVersion::V2));
    let local = SocketAddr::from(([127, 0, 0, 1], 80));
    let client = |port| Introduction::of(SocketAddr::from(([10, 0, 0, 1], port)), local);
    let timer = Timer::default();
    for port in 1..=20 {
        let client = client(port);
        let wanted = Wanted { client: Some(&client), ..Wanted::default() };
        let lease = pool.acquire_for(wanted, &timer, &Queueing::default()).await.unwrap();
        assert!(!lease.is_reused());
        lease.give_back();
        assert!(counters.usage.open() <= 2 && pool.idle() <= 2);
    }
    // The last two are the ones that stayed.
    let client = client(20);
    let wanted = Wanted { client: Some(&client), ..Wanted::default() };
    let lease = pool.acquire_for(wanted, &timer, &Queueing::default()).await.unwrap();
    assert!(lease.is_reused());
    assert_eq!(counters.usage.created(), 20);
}

#[tokio::test]
async fn who_sends_the_next_request_at_once_stands_behind_those_who_wait() {
    let endpoint = Silent::start().await;
    let (counters, pool) = endpoint.pool(1, None);
    let held = lend(&pool, false).await;
    let served = std::cell::RefCell::new(Vec::new());
    let waits = async |name: &'static str| {
        let lease = lend(&pool, false).await;
        served.borrow_mut().push(name);
        lease.give_back();
    };
    let pipelines = async {
        held.give_back();
        for _ in 0..2 {
            waits("next").await;
        }
    };
    // In the order in which they are first polled, which is that in which they come.
    let all = async { tokio::join!(biased; waits("first"), waits("second"), waits("third"), pipelines) };
    tokio::time::timeout(PATIENCE, all).await.unwrap();
    assert_eq!(*served.borrow(), ["first", "second", "third", "next", "next"]);
    assert_eq!((counters.usage.waiting(), counters.usage.created(), pool.idle()), (0, 1, 1));
}

#[tokio::test]
async fn whoever_leaves_the_line_leaves_it_to_the_next() {
    let endpoint = Silent::start().await;
    let (counters, pool) = endpoint.pool(1, None);
    let held = lend(&pool, false).await;
    let (mut first, mut second) = (Box::pin(lend(&pool, false)), Box::pin(lend(&pool, false)));
    for waiting in [&mut first, &mut second] {
        assert!(poll_once(waiting.as_mut()).await.is_none());
    }
    // The first is told, and goes away without having looked.
    held.give_back();
    drop(first);
    drop(tokio::time::timeout(PATIENCE, second).await.unwrap());
    assert_eq!((counters.usage.waiting(), counters.usage.created()), (0, 1));
}

/// Polls once.
async fn poll_once<T>(mut future: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

fn on_a_worker<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, work)
}

/// Takes and gives back on a worker of its own, `clients` at a time, until told to stop.
fn busy(endpoint: &Arc<Endpoint>, clients: usize, rounds: &AtomicU32, stop: &AtomicBool) {
    on_a_worker(async {
        let pool = Pool::new(Arc::clone(endpoint));
        let client = async || {
            while !stop.load(Ordering::Relaxed) {
                let lease = lend(&pool, false).await;
                rounds.fetch_add(1, Ordering::Relaxed);
                // As long as a request takes to be answered.
                tokio::task::yield_now().await;
                lease.give_back();
            }
        };
        match clients {
            1 => client().await,
            _ => {
                tokio::join!(client(), client(), client());
            }
        }
    });
}

#[test]
fn a_busy_worker_leaves_the_place_to_one_that_waits_elsewhere() {
    for clients in [1, 3] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let settings = EndpointSettings {
            max_connections: 1,
            queue_timeout: Duration::from_secs(30),
            ..EndpointSettings::default()
        };
        let endpoint = Endpoint::new(Address::Socket(listener.local_addr().unwrap()), settings);
        let (rounds, stop) = (AtomicU32::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            // Whoever connects must not wait for being accepted.
            scope.spawn(|| {
                let mut accepted = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    accepted.push(listener.accept().unwrap());
                }
            });
            scope.spawn(|| busy(&endpoint, clients, &rounds, &stop));
            let begun = std::time::Instant::now();
            while rounds.load(Ordering::Relaxed) < 100 && begun.elapsed() < PATIENCE {
                std::thread::yield_now();
            }
            let served = on_a_worker(async {
                let pool = Pool::new(Arc::clone(&endpoint));
                let all = async {
                    for _ in 0..3 {
                        drop(lend(&pool, false).await);
                    }
                };
                tokio::time::timeout(PATIENCE, all).await
            });
            stop.store(true, Ordering::Relaxed);
            std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            assert!(served.is_ok(), "{clients}: {} rounds meanwhile", rounds.load(Ordering::Relaxed));
        });
    }
}

#[tokio::test]
async fn those_who_wait_for_a_connection_that_is_being_opened_keep_no_other_worker_from_opening_one() {
    let silent = Silent::start().await;
    let (endpoint, _) = silent.pool(4, None);
    let settings = EndpointSettings { protocol: Protocol::Http2, ..endpoint.settings };
    let endpoint = Endpoint::new(endpoint.address.clone(), settings);
    let (one, other) = (Pool::new(Arc::clone(&endpoint)), Pool::new(Arc::clone(&endpoint)));
    let mut opens = Box::pin(lend(&one, false));
    let mut waits = Box::pin(lend(&one, false));
    let mut opens_too = Box::pin(lend(&other, false));
    assert!(poll_once(opens.as_mut()).await.is_none());
    assert!(poll_once(waits.as_mut()).await.is_none());
    assert!(poll_once(opens_too.as_mut()).await.is_none());
    assert_eq!((endpoint.usage.open(), endpoint.usage.waiting()), (2, 1));
}

/// An endpoint that speaks HTTP/2 or HTTP/1.1, whichever is asked for first.
struct Both {
    front: TlsFront,
    _single: std::net::TcpListener,
    _many: Http2Origin,
}

impl Both {
    fn start() -> Self {
        let single = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let many = Http2Origin::respond(|_| Http2Reply::ok(""));
        let certificate = Authority::default().issue(&["localhost"]);
        let front = TlsFront::choosing(single.local_addr().unwrap(), many.addr(), &certificate);
        Self { front, _single: single, _many: many }
    }

    fn pool(&self, max_connections: usize, max_streams: u32) -> (Arc<Endpoint>, Rc<Pool>) {
        pool_of_both(self.front.addr(), max_connections, max_streams)
    }
}

fn pool_of_both(address: SocketAddr, max_connections: usize, max_streams: u32) -> (Arc<Endpoint>, Rc<Pool>) {
    let settings = EndpointSettings {
        max_connections,
        queue_timeout: Duration::from_secs(60),
        connect_timeout: Duration::from_secs(60),
        http2: UpstreamHttp2 { max_streams, ..UpstreamHttp2::default() },
        ..EndpointSettings::default()
    };
    let tls = TlsClientSettings {
        verification: ServerVerification::Off,
        certificate: None,
        lowest: TlsVersion::Tls13,
        protocols: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
    };
    let context = Arc::new(TlsClientContext::new(tls).unwrap());
    let tls = Some(Arc::new(TlsClient::new(&context, "localhost").unwrap()));
    let endpoint = Endpoint::reached_by(Address::Socket(address), settings, tls, None);
    (Arc::clone(&endpoint), Pool::new(endpoint))
}

/// A stream or whatever there is, or a connection whole.
async fn take(pool: &Rc<Pool>, whole: bool) -> Lease {
    let wanted = Wanted { whole, ..Wanted::default() };
    pool.acquire_for(wanted, &Timer::default(), &Queueing::default()).await.unwrap()
}

async fn patiently(waiting: impl Future<Output = Lease>) -> Lease {
    tokio::time::timeout(PATIENCE, waiting).await.expect("who is first gets it")
}

fn is_stream(lease: &mut Lease) -> bool {
    let timer = Timer::default();
    let exchange = lease.exchange(&timer, HeadLimits::default(), PATIENCE);
    matches!(exchange.writer, RequestWriter::Http2(_))
}

/// Lets each of them stand in line, in this order.
macro_rules! line_up {
    ($($waiting:ident)+) => {
        $(assert!(poll_once($waiting.as_mut()).await.is_none(), "{} waits", stringify!($waiting));)+
    };
}

#[test]
fn who_waits_for_a_stream_does_not_stand_behind_who_wants_a_connection_whole() {
    on_a_worker(async {
        let endpoint = Both::start();
        let (counters, pool) = endpoint.pool(1, 1);
        let held = take(&pool, false).await;
        let mut whole = Box::pin(take(&pool, true));
        let [mut first, mut second, mut third] = [0; 3].map(|_| Box::pin(take(&pool, false)));
        line_up!(whole first second);
        assert_eq!(counters.usage.waiting(), 3);
        drop(held);
        // Whoever looks, and whoever comes now: it is the first's.
        line_up!(whole second third);
        for waiting in [first, second, third] {
            assert!(is_stream(&mut patiently(waiting).await));
        }
        // Now nobody has a use for the connection, and its place is for who has waited all the time.
        assert!(!is_stream(&mut patiently(whole).await));
        assert_eq!((counters.usage.waiting(), counters.usage.created()), (0, 2));
    });
}

#[test]
fn who_comes_for_a_stream_that_is_free_passes_who_wants_a_connection_whole() {
    on_a_worker(async {
        let endpoint = Both::start();
        let (counters, pool) = endpoint.pool(1, 2);
        let _held = take(&pool, false).await;
        let mut whole = Box::pin(take(&pool, true));
        line_up!(whole);
        for _ in 0..3 {
            assert!(is_stream(&mut patiently(take(&pool, false)).await));
            line_up!(whole);
        }
        assert_eq!((counters.usage.waiting(), counters.usage.created()), (1, 1));
    });
}

#[test]
fn who_wants_a_connection_whole_gets_the_next_before_any_who_come_later() {
    on_a_worker(async {
        let endpoint = Both::start();
        let (counters, pool) = endpoint.pool(2, 1);
        let (stream, tunnel) = (take(&pool, false).await, take(&pool, true).await);
        let (mut whole, mut later) = (Box::pin(take(&pool, true)), Box::pin(take(&pool, false)));
        line_up!(whole later);
        tunnel.give_back();
        line_up!(later);
        let tunnel = patiently(whole).await;
        assert!(tunnel.is_reused());
        line_up!(later);
        drop(stream);
        let mut stream = patiently(later).await;
        assert!(is_stream(&mut stream));
        // Who came before goes first the other way as well: any connection will do.
        let (mut before, mut whole) = (Box::pin(take(&pool, false)), Box::pin(take(&pool, true)));
        line_up!(before whole);
        tunnel.give_back();
        line_up!(whole);
        let mut lent = patiently(before).await;
        assert!(!is_stream(&mut lent));
        line_up!(whole);
        lent.give_back();
        assert!(patiently(whole).await.is_reused());
        assert_eq!((counters.usage.waiting(), counters.usage.created()), (0, 2));
    });
}

#[test]
fn what_one_was_told_of_who_left_without_looking_is_the_next_one_s() {
    on_a_worker(async {
        let endpoint = Both::start();
        let (counters, pool) = endpoint.pool(1, 1);
        let held = take(&pool, false).await;
        let mut whole = Box::pin(take(&pool, true));
        let [mut first, mut second, mut third] = [0; 3].map(|_| Box::pin(take(&pool, false)));
        line_up!(whole first second);
        // A stream, of who is first for one.
        drop(held);
        drop(first);
        let stream = patiently(second).await;
        // Of the last who waits for one: the place is left to who wants another connection.
        line_up!(third);
        drop(stream);
        drop(third);
        let tunnel = patiently(whole).await;
        // A connection, of who is first of all.
        let (mut whole, mut any) = (Box::pin(take(&pool, true)), Box::pin(take(&pool, false)));
        line_up!(whole any);
        tunnel.give_back();
        drop(whole);
        let lent = patiently(any).await;
        // A place under the cap.
        let (mut any, mut whole) = (Box::pin(take(&pool, false)), Box::pin(take(&pool, true)));
        line_up!(any whole);
        drop(lent);
        drop(any);
        let mut lent = patiently(whole).await;
        assert!(!is_stream(&mut lent) && !lent.is_reused());
        assert_eq!((counters.usage.waiting(), counters.usage.open()), (0, 1));
    });
}

#[test]
fn who_wants_a_connection_whole_does_not_wait_for_one_that_others_are_opening() {
    on_a_worker(async {
        // It shakes hands with nobody.
        let silent = Silent::start().await;
        let (counters, pool) = pool_of_both(silent.listener.local_addr().unwrap(), 2, 1);
        let (mut opens, mut waits) = (Box::pin(take(&pool, false)), Box::pin(take(&pool, false)));
        let mut whole = Box::pin(take(&pool, true));
        line_up!(opens waits);
        assert_eq!((counters.usage.open(), counters.usage.waiting()), (1, 1));
        line_up!(whole);
        assert_eq!((counters.usage.open(), counters.usage.waiting()), (2, 1));
        // Whoever leaves while opening leaves it to the next.
        drop(opens);
        line_up!(waits);
        assert_eq!((counters.usage.open(), counters.usage.waiting()), (2, 0));
    });
}
