//! One question to an endpoint and its whole answer, for what the gateway itself wants to know: key sets,
//! decisions of other services, health. Bodies of clients never go this way.

use crate::body::{BodySink, BodySource};
use crate::clock::{after, far_future, now};
use crate::exchange::{ClientExchange, RequestWriter, ResponseBody, ResponseReader};
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

/// For a question of which nobody is told.
#[derive(Debug, Default)]
pub struct Unwatched(Queueing);

impl Watch for Unwatched {
    fn queueing(&self) -> &Queueing {
        &self.0
    }

    fn sent(&mut self) {}

    fn head(&mut self, _: u16) {}

    fn cut_off(&mut self) {}
}

/// A question, and by what it is asked. It is sent on a connection of the pool; a stale one is replaced once when the
/// method is idempotent.
#[derive(Clone, Copy, Debug)]
pub struct Fetch<'q> {
    /// Connections to the endpoint.
    pub pool: &'q Rc<Pool>,
    /// What waits are timed by.
    pub timer: &'q Timer,
    /// The head. It says of the body what it says to the service; how that is framed is seen to here.
    pub request: &'q RequestHead,
    /// The body.
    pub body: &'q [u8],
    /// Bounds.
    pub limits: FetchLimits,
}

impl Fetch<'_> {
    /// The whole answer.
    ///
    /// # Errors
    /// Nothing could be sent or no whole answer came in time ([`Reason::TotalTimeout`]); an answer longer than
    /// the limit is [`Reason::UpstreamMalformed`].
    pub async fn whole(&self, watch: &mut impl Watch) -> Result<Fetched, Fault> {
        self.within_limits(Keep::Whole, watch).await
    }

    /// An answer of which the beginning is enough: of a body longer than the limit that much is kept, and the rest ends
    /// its connection and is no fault.
    ///
    /// # Errors
    /// Nothing could be sent or no answer came in time.
    pub async fn beginning(&self, watch: &mut impl Watch) -> Result<Fetched, Fault> {
        self.within_limits(Keep::Beginning, watch).await
    }

    /// An answer that nobody wants: of its body nothing is kept, and one that is longer than the limit ends its
    /// connection and is no fault.
    ///
    /// # Errors
    /// As of [`Fetch::beginning`].
    pub async fn nothing(&self, watch: &mut impl Watch) -> Result<(), Fault> {
        self.within_limits(Keep::Nothing, watch).await.map(|_| ())
    }

    async fn within_limits(&self, keep: Keep, watch: &mut impl Watch) -> Result<Fetched, Fault> {
        let deadline = after(self.limits.timeout);
        let asking = async {
            match self.ask(false, keep, watch).await {
                Err(fault) if fault.retry == Retry::IfReused && self.request.method().is_idempotent() => {
                    self.ask(true, keep, watch).await
                }
                answer => answer,
            }
        };
        within(self.timer, deadline, Reason::TotalTimeout, asking).await?
    }

    /// Asks once; with `fresh` on no connection that was used before.
    async fn ask(&self, fresh: bool, keep: Keep, watch: &mut impl Watch) -> Result<Fetched, Fault> {
        let wanted = Wanted { fresh, ..Wanted::default() };
        let mut lease = self.pool.acquire_for(wanted, self.timer, watch.queueing()).await?;
        watch.sent();
        let mut fetched = Fetched::default();
        // The one deadline over everything comes first.
        let patience = self.limits.timeout.saturating_mul(2);
        let usable = {
            let ClientExchange { mut writer, mut reader } =
                lease.exchange(self.timer, self.limits.head, patience);
            self.send(&mut writer).await.map_err(|fault| reader.blame(fault))?;
            self.wait_for_head(&mut reader, &mut fetched.head).await?;
            watch.head(fetched.head.status);
            let mut source = reader.body(&fetched.head, patience);
            self.read(&mut source, keep, watch, &mut fetched).await? && source.leaves_connection_usable()
        };
        if usable {
            lease.give_back();
        }
        Ok(fetched)
    }

    async fn send(&self, writer: &mut RequestWriter<'_>) -> Result<(), Fault> {
        let framing = match self.body.len() {
            0 => BodyFraming::None,
            length => BodyFraming::Length(length as u64),
        };
        writer.start(self.request, framing, None);
        if !self.body.is_empty() {
            poll_fn(|context| writer.poll_write(context, self.body)).await?;
        }
        writer.finish(&Fields::default())?;
        poll_fn(|context| writer.poll_flush(context)).await
    }

    /// Waits for the final head.
    async fn wait_for_head(
        &self,
        reader: &mut ResponseReader<'_>,
        head: &mut ResponseHead,
    ) -> Result<(), Fault> {
        let (method, never) = (self.request.method(), far_future(now()));
        loop {
            poll_fn(|context| reader.poll_head(context, method, never, head)).await?;
            if head.status == 101 {
                return Err(Fault::new(Reason::UpstreamMalformed).because("switched protocols unasked"));
            }
            if !head.is_interim() {
                return Ok(());
            }
        }
    }

    /// Reads the body, as far as it may go; `true`: to its end.
    async fn read(
        &self,
        source: &mut ResponseBody<'_>,
        keep: Keep,
        watch: &mut impl Watch,
        fetched: &mut Fetched,
    ) -> Result<bool, Fault> {
        let mut length = 0_usize;
        while poll_fn(|context| source.poll_fill(context)).await? {
            let data = source.data();
            length = length.saturating_add(data.len());
            if keep != Keep::Nothing {
                let room = self.limits.body_bytes.saturating_sub(fetched.body.len());
                fetched.body.extend_from_slice(data.get(..room).unwrap_or(data));
            }
            if length > self.limits.body_bytes {
                watch.cut_off();
                return match keep {
                    Keep::Whole => Err(too_long()),
                    Keep::Beginning | Keep::Nothing => Ok(false),
                };
            }
            source.consume();
        }
        source.trailers(&mut fetched.trailers)?;
        Ok(true)
    }
}

fn too_long() -> Fault {
    Fault::new(Reason::UpstreamMalformed).because("the answer is longer than it may be")
}
