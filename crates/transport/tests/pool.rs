//! Which connections a pool lends, keeps and gives up.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use torana_http::RequestHead;
use torana_http::h1::{BodyFraming, HeadLimits};
use torana_http::proxy_protocol::{Introduction, ProxyVersion};
use torana_transport::{Address, BodySink, Endpoint, EndpointSettings, Lease, Pool, RequestWriter, Timer};

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
        let lease = pool.acquire_for(Some(&client(port)), &timer, false).await.unwrap();
        assert!(!lease.is_reused());
        lease.give_back();
        assert!(counters.usage.open() <= 2 && pool.idle() <= 2);
    }
    // The last two are the ones that stayed.
    let lease = pool.acquire_for(Some(&client(20)), &timer, false).await.unwrap();
    assert!(lease.is_reused());
    assert_eq!(counters.usage.created(), 20);
}
