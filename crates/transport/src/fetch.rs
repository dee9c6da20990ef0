//! One question to an endpoint and its whole answer, for what the gateway itself wants to know: key sets,
//! decisions of other services, health. Bodies of clients never go this way.

use crate::body::{BodySink, BodySource};
use crate::clock::{after, far_future, now};
use crate::exchange::ClientExchange;
use crate::pool::{Pool, Queueing, Wanted};
use crate::timer::{Timer, within};
use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;
use torana_fault::{Fault, Reason, Retry};
use torana_http::h1::{BodyFraming, HeadLimits};
use torana_http::{Fields, RequestHead, ResponseHead};

/// Bounds of one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchLimits {
    /// From the beginning to the last byte of the answer, connecting included.
    pub timeout: Duration,
    /// The longest body of an answer, in bytes.
    pub body_bytes: usize,
    /// Bounds of the answer's head.
    pub head: HeadLimits,
}

/// A whole answer. Redirections are answers like any other: nobody follows them here.
#[derive(Debug, Default)]
pub struct Fetched {
    /// Status and fields.
    pub head: ResponseHead,
    /// The body, with transfer codings undone.
    pub body: Vec<u8>,
    /// What came after the body.
    pub trailers: Fields,
}

/// Who is told how a question goes, while it goes.
pub trait Watch {
    /// Where a wait for a connection that others use is noted.
    fn queueing(&self) -> &Queueing;
    /// The connection is there, and gets the question now.
    fn sent(&mut self);
    /// The final head came.
    fn head(&mut self, status: u16);
    /// The answer is longer than is read of it.
    fn cut_off(&mut self);
}

/// What of an answer's body is kept, and whether it may be longer than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    /// All of it, and it may not.
    Whole,
    /// So much, and it may.
    Beginning,
    /// Nothing, and it may.
    Nothing,
}

/// Nobody is told.
#[derive(Debug, Default)]
struct Unwatched(Queueing);

impl Watch for Unwatched {
    fn queueing(&self) -> &Queueing {
        &self.0
    }

    fn sent(&mut self) {}

    fn head(&mut self, _: u16) {}

    fn cut_off(&mut self) {}
}

/// Sends a request on a connection of `pool` and reads the whole answer. A stale connection is replaced
/// once when the method is idempotent.
///
/// # Errors
/// Nothing could be sent or no whole answer came in time ([`Reason::TotalTimeout`]); an answer longer than
/// the limit is [`Reason::UpstreamMalformed`].
pub async fn fetch(
    pool: &Rc<Pool>,
    timer: &Timer,
    request: &RequestHead,
    body: &[u8],
    limits: &FetchLimits,
) -> Result<Fetched, Fault> {
    fetch_watched(pool, timer, request, body, limits, &mut Unwatched::default()).await
}

/// As [`fetch`], and tells `watch` how it goes.
///
/// # Errors
/// As above.
pub async fn fetch_watched(
    pool: &Rc<Pool>,
    timer: &Timer,
    request: &RequestHead,
    body: &[u8],
    limits: &FetchLimits,
    watch: &mut impl Watch,
) -> Result<Fetched, Fault> {
    within_limits(pool, timer, request, body, limits, (Keep::Whole, watch)).await
}

/// As [`fetch`], for an answer of which the beginning is enough: of a body longer than the limit that much is kept, and
/// the rest ends its connection and is no fault.
///
/// # Errors
/// Nothing could be sent or no answer came in time.
pub async fn fetch_beginning(
    pool: &Rc<Pool>,
    timer: &Timer,
    request: &RequestHead,
    body: &[u8],
    limits: &FetchLimits,
) -> Result<Fetched, Fault> {
    let watch = &mut Unwatched::default();
    within_limits(pool, timer, request, body, limits, (Keep::Beginning, watch)).await
}

/// As [`fetch_watched`], for an answer that nobody wants: of its body nothing is kept, and one that is longer than
/// the limit ends its connection and is no fault.
///
/// # Errors
/// Nothing could be sent or no answer came in time.
pub async fn fetch_nothing(
    pool: &Rc<Pool>,
    timer: &Timer,
    request: &RequestHead,
    body: &[u8],
    limits: &FetchLimits,
    watch: &mut impl Watch,
) -> Result<(), Fault> {
    within_limits(pool, timer, request, body, limits, (Keep::Nothing, watch)).await.map(|_| ())
}

async fn within_limits(
    pool: &Rc<Pool>,
    timer: &Timer,
    request: &RequestHead,
    body: &[u8],
    limits: &FetchLimits,
    (keep, watch): (Keep, &mut impl Watch),
) -> Result<Fetched, Fault> {
    let deadline = after(limits.timeout);
    let asking = async {
        match ask(pool, timer, request, body, limits, (false, keep, &mut *watch)).await {
            Err(fault) if fault.retry == Retry::IfReused && request.method().is_idempotent() => {
                ask(pool, timer, request, body, limits, (true, keep, watch)).await
            }
            answer => answer,
        }
    };
    within(timer, deadline, Reason::TotalTimeout, asking).await?
}

async fn ask(
    pool: &Rc<Pool>,
    timer: &Timer,
    request: &RequestHead,
    body: &[u8],
    limits: &FetchLimits,
    (fresh, keep, watch): (bool, Keep, &mut impl Watch),
) -> Result<Fetched, Fault> {
    let mut lease = pool.acquire_for(Wanted { fresh, ..Wanted::default() }, timer, watch.queueing()).await?;
    watch.sent();
    let mut fetched = Fetched::default();
    // The one deadline over everything comes first.
    let patience = limits.timeout.saturating_mul(2);
    let usable = {
        let ClientExchange { mut writer, mut reader } = lease.exchange(timer, limits.head, patience);
        let framing =
            if body.is_empty() { BodyFraming::None } else { BodyFraming::Length(body.len() as u64) };
        writer.start(request, framing, None);
        let sent = async {
            if !body.is_empty() {
                poll_fn(|context| writer.poll_write(context, body)).await?;
            }
            writer.finish(&Fields::default())?;
            poll_fn(|context| writer.poll_flush(context)).await
        };
        sent.await.map_err(|fault| reader.blame(fault))?;
        let (method, never) = (request.method(), far_future(now()));
        loop {
            poll_fn(|context| reader.poll_head(context, method, never, &mut fetched.head)).await?;
            match fetched.head.status {
                101 => {
                    return Err(Fault::new(Reason::UpstreamMalformed).because("switched protocols unasked"));
                }
                _ if fetched.head.is_interim() => {}
                _ => break,
            }
        }
        watch.head(fetched.head.status);
        let mut source = reader.body(&fetched.head, patience);
        let mut length = 0_usize;
        while poll_fn(|context| source.poll_fill(context)).await? {
            let data = source.data();
            length = length.saturating_add(data.len());
            if keep != Keep::Nothing {
                let room = limits.body_bytes.saturating_sub(fetched.body.len());
                fetched.body.extend_from_slice(data.get(..room).unwrap_or(data));
            }
            if length > limits.body_bytes {
                watch.cut_off();
                if keep != Keep::Whole {
                    return Ok(fetched);
                }
                let detail = "the answer is longer than it may be";
                return Err(Fault::new(Reason::UpstreamMalformed).because(detail));
            }
            source.consume();
        }
        source.trailers(&mut fetched.trailers)?;
        source.leaves_connection_usable()
    };
    if usable {
        lease.give_back();
    }
    Ok(fetched)
}
