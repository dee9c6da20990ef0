//! Copies of requests: sent to another service, their answers thrown away.
//!
//! A copy is a task of its own on the worker, so neither its service nor its failure is ever waited for; so
//! many at once and no more, and each with a deadline. The request's own way goes on when the copy has been
//! made, not when it has been sent. Bodies are copied only where their length is known and small, because
//! they have to be kept.
//!
//! A copy asks and tells the service's breaker, its learnt bound and its endpoints' health as a request does: what
//! is not asked any more gets no copies either.

use super::falls;
use crate::body::Replay;
use crate::forward::{By, Judge, Patience, nobody, pick};
use crate::upstream::{Pools, Upstream};
use bytes::Bytes;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use torana_balance::Tried;
use torana_fault::{Fault, Reason};
use torana_filter::Exchange;
use torana_http::RequestHead;
use torana_http::h1::{BodyFraming, HeadLimits, parse_request, write_request_head};
use torana_transport::{Fetch, FetchLimits, RequestBody, Timer};
use torana_types::Percent;

/// How much of an answer that nobody sees is read; a longer one ends its connection.
const LONGEST_ANSWER: usize = 1024 * 1024;

/// How a route's requests are copied.
#[derive(Debug)]
pub struct Mirror {
    /// The number of the service that gets the copies.
    pub upstream: usize,
    /// Which part is copied.
    pub share: Percent,
    /// The longest body that is copied, in bytes.
    pub body: u64,
    /// Copies at once on each worker.
    pub at_once: u32,
    /// How long one may take.
    pub timeout: Duration,
    /// What became of them.
    pub counts: Arc<MirrorCounts>,
}

/// What became of the copies.
#[derive(Debug, Default)]
pub struct MirrorCounts {
    sent: AtomicU64,
    failed: AtomicU64,
    skipped: AtomicU64,
    refused: AtomicU64,
}

impl MirrorCounts {
    /// Copies that were answered, that failed, requests that could not be copied, and copies that the service's
    /// breaker or bound let nobody send.
    #[must_use]
    pub fn read(&self) -> [(&'static str, u64); 4] {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [
            ("sent", load(&self.sent)),
            ("failed", load(&self.failed)),
            ("skipped", load(&self.skipped)),
            ("refused", load(&self.refused)),
        ]
    }
}

/// A worker's copies under way, and its means.
#[derive(Debug, Default)]
pub(crate) struct Copies(Rc<Cell<u32>>);

impl Copies {
    /// A place among them.
    fn enter(&self) -> UnderWay {
        self.0.set(self.0.get().saturating_add(1));
        UnderWay(Rc::clone(&self.0))
    }
}

struct UnderWay(Rc<Cell<u32>>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

/// Sends a copy, if this request is one of those that are copied.
///
/// # Errors
/// The body could not be read from the client.
pub(crate) async fn copy(
    mirror: &Mirror,
    upstream: &Arc<Upstream>,
    exchange: &Exchange,
    body: &mut Replay<'_, impl RequestBody>,
    pools: &Rc<Pools>,
    copies: &Copies,
    random: u64,
) -> Result<(), Fault> {
    if !falls(random, mirror.share) {
        return Ok(());
    }
    let fits = match exchange.request.framing {
        BodyFraming::None => true,
        BodyFraming::Length(length) => length <= mirror.body,
        _ => false,
    };
    if !fits || copies.0.get() >= mirror.at_once {
        mirror.counts.skipped.fetch_add(1, Ordering::Relaxed);
        return Ok(());
    }
    // Taken before the body comes: however slowly it does, no more are held than may be under way.
    let under_way = copies.enter();
    let content = match body.held() {
        Some(held) => held.clone(),
        None if exchange.request.framing == BodyFraming::None => Bytes::new(),
        None => {
            if let BodyFraming::Length(length) = exchange.request.framing {
                body.keep(length).await?;
            }
            match body.held() {
                Some(held) => held.clone(),
                None => {
                    mirror.counts.skipped.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
            }
        }
    };
    let Ok(reserved) = body.reserve(content.len()) else {
        mirror.counts.skipped.fetch_add(1, Ordering::Relaxed);
        return Ok(());
    };
    let (request, upstream, pools) = (duplicate(&exchange.request)?, Arc::clone(upstream), Rc::clone(pools));
    let (timeout, counts) = (mirror.timeout, Arc::clone(&mirror.counts));
    tokio::task::spawn_local(async move {
        let _held = (under_way, reserved);
        let count = match Judge::admit(&upstream, Patience::whole(timeout), true) {
            Err(_) => &counts.refused,
            Ok(judge) => match send(request, &content, (&upstream, judge), &pools, timeout, random).await {
                Ok(()) => &counts.sent,
                Err(_) => &counts.failed,
            },
        };
        count.fetch_add(1, Ordering::Relaxed);
    });
    Ok(())
}

/// A head of its own, made as a receiver of the request would make it.
fn duplicate(request: &RequestHead) -> Result<RequestHead, Fault> {
    let limits = HeadLimits { head_bytes: usize::MAX, target_bytes: usize::MAX, fields: usize::MAX };
    let mut bytes = Vec::new();
    write_request_head(request, request.framing, None, &mut bytes);
    let mut copy = RequestHead::default();
    match parse_request(&bytes, 0, &limits, &mut copy) {
        Ok(Some(_)) => Ok(copy),
        _ => Err(Fault::new(Reason::Internal).because("a request could not be copied")),
    }
}

async fn send<'a>(
    mut request: RequestHead,
    content: &[u8],
    (upstream, mut judge): (&'a Upstream, Judge<'a>),
    pools: &Pools,
    timeout: Duration,
    random: u64,
) -> Result<(), Fault> {
    let picked = pick(upstream, By::chance(random), &Tried::default());
    let (index, endpoint) = picked.ok_or_else(|| nobody(upstream))?;
    judge.at(upstream, index);
    upstream.host.name(&mut request.fields, &endpoint.authority)?;
    let limits = FetchLimits { timeout, body_bytes: LONGEST_ANSWER, head: upstream.head_limits };
    let (pool, timer) = (pools.of(endpoint), Timer::default());
    let fetch = Fetch { pool: &pool, timer: &timer, request: &request, body: content, limits };
    match fetch.nothing(&mut judge).await {
        Ok(()) => {
            judge.delivered();
            Ok(())
        }
        Err(fault) => {
            judge.fault(&fault, true);
            Err(fault)
        }
    }
}
