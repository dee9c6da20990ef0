//! The side that is read: bodies out of a buffer and a socket. Used for requests and responses alike.

use crate::buffer::Buffer;
use crate::io::Io;
use crate::patience::Patience;
use crate::timer::Timer;
use std::ops::Range;
use std::task::{Context, Poll};
use std::time::Duration;
use torana_fault::{Fault, Reason, Retry};
use torana_http::Fields;
use torana_http::h1::{BodyDecoder, BodyFraming, BodyStep};

/// The faults of one direction: a client's body and an upstream's body fail for different reasons.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blame {
    pub(crate) malformed: Reason,
    pub(crate) closed: Reason,
    pub(crate) timeout: Reason,
}

pub(crate) const CLIENT: Blame = Blame {
    malformed: Reason::MalformedBody,
    closed: Reason::ClientClosed,
    timeout: Reason::ClientBodyTimeout,
};

pub(crate) const UPSTREAM: Blame = Blame {
    malformed: Reason::UpstreamMalformed,
    closed: Reason::UpstreamClosed,
    timeout: Reason::UpstreamIdleTimeout,
};

/// What a [`BodySource`](crate::body::BodySource) has from its `incoming`.
macro_rules! has_from_incoming {
    () => {
        fn data(&self) -> &[u8] {
            self.incoming.data()
        }

        fn consume(&mut self) {
            self.incoming.consume();
        }

        fn trailers(&mut self, into: &mut Fields) -> Result<(), Fault> {
            self.incoming.trailers(into);
            Ok(())
        }

        fn is_done(&self) -> bool {
            self.incoming.is_done()
        }
    };
}
pub(crate) use has_from_incoming;

/// A body that is read from a socket.
#[derive(Debug)]
pub(crate) struct Incoming<'a> {
    pub(crate) io: &'a Io,
    pub(crate) timer: &'a Timer,
    pub(crate) buffer: &'a mut Buffer,
    blame: Blame,
    decoder: BodyDecoder,
    /// Where the data at hand lies in the buffer; empty when there is none.
    data: Range<usize>,
    patience: Patience,
    limit: u64,
    grow_next: bool,
    /// Why it failed: then it is not asked again, and never complete.
    failed: Option<Reason>,
    pub(crate) bytes: u64,
}

impl<'a> Incoming<'a> {
    pub(crate) fn new(
        io: &'a Io,
        timer: &'a Timer,
        buffer: &'a mut Buffer,
        framing: BodyFraming,
        blame: Blame,
        patience: Patience,
        limit: u64,
    ) -> Self {
        let decoder = BodyDecoder::new(framing);
        Self {
            io,
            timer,
            buffer,
            blame,
            decoder,
            data: 0..0,
            patience,
            limit,
            grow_next: false,
            failed: None,
            bytes: 0,
        }
    }

    /// From here on the peer may pause for so long at a time, however little it sends.
    pub(crate) fn bear_pauses(&mut self, most: Duration) {
        self.patience = Patience::bearing(most);
    }

    /// From here on all bytes until the end of the connection are data, however slowly they come.
    pub(crate) fn switch(&mut self) {
        self.decoder = BodyDecoder::new(BodyFraming::UntilClose);
        self.patience = Patience::endless();
        self.limit = u64::MAX;
    }

    pub(crate) fn is_done(&self) -> bool {
        self.data.is_empty() && self.decoder.is_done() && self.failed.is_none()
    }

    pub(crate) fn data(&self) -> &[u8] {
        self.buffer.filled().get(self.data.clone()).unwrap_or_default()
    }

    pub(crate) fn consume(&mut self) {
        self.buffer.consume(self.data.end);
        self.data = 0..0;
    }

    pub(crate) fn trailers(&self, into: &mut Fields) {
        self.decoder.trailers(into);
    }

    pub(crate) fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Fault>> {
        if let Some(reason) = self.failed {
            return Poll::Ready(Err(Fault::new(reason)));
        }
        let filled = self.poll_more(context);
        if let Poll::Ready(Err(fault)) = &filled {
            self.failed = Some(fault.reason);
        }
        filled
    }

    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Fault>> {
        if !self.data.is_empty() {
            return Poll::Ready(Ok(true));
        }
        loop {
            if let Some(found) = self.decode()? {
                return Poll::Ready(Ok(found));
            }
            let capacity = self.buffer.capacity();
            match self.io.poll_read(context, self.buffer, capacity) {
                Poll::Ready(Ok(0)) => return Poll::Ready(self.closed().map(|()| false)),
                Poll::Ready(Ok(count)) => {
                    self.patience.progress(count);
                    // A read that fills the whole buffer: there is a lot, so the next may take more.
                    self.grow_next = count == capacity;
                }
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(Err(Fault::new(self.blame.closed).because(error.to_string())));
                }
                Poll::Pending => return self.poll_idle(context),
            }
        }
    }

    /// `Some(true)`: data is at hand; `Some(false)`: the body is complete; `None`: more must be read.
    fn decode(&mut self) -> Result<Option<bool>, Fault> {
        let input = self.buffer.filled();
        match self.decoder.step(input, 0) {
            Ok(BodyStep::Data { start, end }) => {
                self.data = start..end;
                self.bytes = self.bytes.saturating_add(self.data.len() as u64);
                if self.bytes > self.limit {
                    return Err(Fault::new(Reason::BodyTooLarge));
                }
                Ok(Some(true))
            }
            Ok(BodyStep::NeedMore) => {
                let used = input.len();
                self.buffer.consume(used);
                if std::mem::take(&mut self.grow_next) {
                    self.buffer.grow_for_body();
                }
                Ok(None)
            }
            Ok(BodyStep::End { consumed }) => {
                self.buffer.consume(consumed);
                Ok(Some(false))
            }
            Err(error) => Err(Fault::new(self.blame.malformed).because(error.to_string())),
        }
    }

    fn closed(&mut self) -> Result<(), Fault> {
        self.decoder
            .close()
            .map_err(|error| Fault::new(self.blame.closed).because(error.to_string()).retry(Retry::No))
    }

    pub(crate) fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Fault>> {
        self.patience.poll(self.timer, context).map(|()| Err(Fault::new(self.blame.timeout)))
    }
}
