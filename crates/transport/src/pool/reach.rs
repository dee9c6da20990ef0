//! Reaching a host that has several addresses, of which some may be silent (RFC 8305, "Happy Eyeballs").
//!
//! One that refuses is passed over at once. One that says nothing has a quarter of a second to itself; then the next is
//! tried beside it, and whichever connects first is taken. Otherwise the first would use up the deadline of all, each time
//! anew, though the others serve.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// The "Connection Attempt Delay" of section 5.
const TO_ITSELF: Duration = Duration::from_millis(250);

/// Connects to whichever address does so first. The caller bounds how long that may take.
///
/// # Errors
/// None of them can be connected to; the error is the last one's.
pub(super) async fn reach<T, C: Future<Output = io::Result<T>>>(
    addresses: impl Iterator<Item = SocketAddr>,
    connect: impl Fn(SocketAddr) -> C,
) -> io::Result<T> {
    let mut left = interleaved(addresses.collect()).into_iter();
    let mut trying = Vec::new();
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        match left.next() {
            Some(address) => trying.push(Box::pin(connect(address))),
            None if trying.is_empty() => return Err(failed),
            None => {}
        }
        let mut alone = pin!(tokio::time::sleep(TO_ITSELF));
        let connected = poll_fn(|context| {
            let mut number = 0;
            while let Some(attempt) = trying.get_mut(number) {
                match attempt.as_mut().poll(context) {
                    Poll::Ready(Ok(connected)) => return Poll::Ready(Some(connected)),
                    Poll::Ready(Err(error)) => {
                        failed = error;
                        drop(trying.swap_remove(number));
                        return Poll::Ready(None);
                    }
                    Poll::Pending => number = number.saturating_add(1),
                }
            }
            match left.len() {
                0 => Poll::Pending,
                _ => alone.as_mut().poll(context).map(|()| None),
            }
        });
        if let Some(connected) = connected.await {
            return Ok(connected);
        }
    }
}

/// The families in turns, beginning with that of the first address (section 4): a family that leads nowhere costs one
/// wait and not one for each of its addresses.
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first) = addresses.first().map(SocketAddr::is_ipv6) else { return addresses };
    let (same, other): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first);
    let (mut same, mut other) = (same.into_iter(), other.into_iter());
    let mut turns = Vec::with_capacity(same.len().saturating_add(other.len()));
    while same.len() > 0 || other.len() > 0 {
        turns.extend(same.next());
        turns.extend(other.next());
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use tokio::time::Instant;

    fn addresses(of: &[&str]) -> Vec<SocketAddr> {
        of.iter().map(|address| address.parse().unwrap()).collect()
    }

    /// Ports say what becomes of an attempt: 1 is silent, 2 refuses, another connects after so many milliseconds.
    async fn outcome(of: &[&str]) -> (io::Result<u16>, Vec<u16>, Duration) {
        let (asked, started) = (RefCell::new(Vec::new()), Instant::now());
        let connect = async |address: SocketAddr| {
            asked.borrow_mut().push(address.port());
            match address.port() {
                1 => std::future::pending().await,
                2 => Err(io::ErrorKind::ConnectionRefused.into()),
                port => {
                    tokio::time::sleep(Duration::from_millis(port.into())).await;
                    Ok(port)
                }
            }
        };
        let reached = reach(addresses(of).into_iter(), connect).await;
        (reached, asked.into_inner(), started.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_costs_a_moment_and_one_that_refuses_nothing() {
        let (reached, asked, took) = outcome(&["1.1.1.1:1", "1.1.1.2:2", "1.1.1.3:10"]).await;
        assert_eq!((reached.unwrap(), asked), (10, vec![1, 2, 10]));
        assert!(took >= TO_ITSELF && took < TO_ITSELF * 2, "{took:?}");
        // Who answers in time is the only one who is asked.
        let (reached, asked, _) = outcome(&["1.1.1.1:100", "1.1.1.2:10"]).await;
        assert_eq!((reached.unwrap(), asked), (100, vec![100]));
        // The slower of two is not given up for the faster one.
        let (reached, asked, took) = outcome(&["1.1.1.1:300", "1.1.1.2:1"]).await;
        assert_eq!((reached.unwrap(), asked), (300, vec![300, 1]));
        assert!(took < TO_ITSELF * 2, "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn where_nobody_can_be_reached_the_error_says_so_once_all_have_failed() {
        let (reached, asked, _) = outcome(&["1.1.1.1:2", "1.1.1.2:2"]).await;
        assert_eq!((reached.unwrap_err().kind(), asked), (io::ErrorKind::ConnectionRefused, vec![2, 2]));
        assert_eq!(outcome(&[]).await.0.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn families_take_turns() {
        let of = addresses(&["[::1]:1", "[::1]:2", "[::1]:3", "1.1.1.1:4"]);
        let ports: Vec<_> = interleaved(of).iter().map(SocketAddr::port).collect();
        assert_eq!(ports, [1, 4, 2, 3]);
    }
}
