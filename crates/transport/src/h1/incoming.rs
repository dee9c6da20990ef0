//! The side that is read: bodies out of a buffer and a socket. Used for requests and responses alike.

use crate::buffer::Buffer;
use crate::clock::{later, recently};
use crate::io::Io;
use crate::patience::Patience;
use crate::timer::Timer;
use std::ops::Range;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
use torana_fault::{Fault, Reason, Retry};
use torana_http::Fields;
use torana_http::h1::{BodyDecoder, BodyFraming, BodyStep};

/// How long a buffer that has grown is kept after the last large read. Between the pieces of a body that comes at any
/// pace to speak of it stays, so that it need not grow anew for each.
const REST: Duration = Duration::from_secs(1);

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
    /// When a read last took as much as a buffer grows for.
    large: Option<Instant>,
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
            large: None,
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
                    if Buffer::is_large(count) {
                        self.large = Some(recently());
                    }
                }
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(Err(Fault::new(self.blame.closed).because(error.to_string())));
                }
                Poll::Pending => {
                    if self.buffer.has_grown() {
                        self.poll_rest(context);
                    }
                    return self.poll_idle(context);
                }
            }
        }
    }

    /// Lends to others what has grown for a long body, once little has come for a while: tunnels and streams of events
    /// live for hours after one large message.
    fn poll_rest(&mut self, context: &mut Context<'_>) {
        let large = *self.large.get_or_insert_with(recently);
        if self.timer.poll_deadline(context, later(large, REST)).is_ready() {
            self.buffer.rest();
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;
    use crate::io::Stream;
    use std::future::poll_fn;
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};

    #[tokio::test]
    async fn what_has_grown_for_a_large_message_is_let_go_in_the_pause_behind_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let io = Io::new(Stream::Tcp(listener.accept().await.unwrap().0));
        let (timer, mut buffer) = (Timer::default(), Buffer::empty());
        let patience = Patience::endless();
        let framing = BodyFraming::UntilClose;
        let mut incoming = Incoming::new(&io, &timer, &mut buffer, framing, UPSTREAM, patience, u64::MAX);
        // Until it has grown, however the kernel cuts what is sent.
        let message = vec![b'x'; 1024 * 1024];
        let (mut largest, mut begun) = (0, Instant::now());
        for _ in 0..100 {
            begun = Instant::now();
            let send = peer.write_all(&message);
            let read = async {
                let end = incoming.bytes.saturating_add(message.len() as u64);
                while incoming.bytes < end {
                    assert!(poll_fn(|context| incoming.poll_fill(context)).await.unwrap());
                    largest = largest.max(incoming.buffer.capacity());
                    incoming.consume();
                }
            };
            let (sent, ()) = tokio::join!(send, read);
            sent.unwrap();
            if incoming.buffer.has_grown() {
                break;
            }
        }
        assert!(incoming.buffer.has_grown(), "{largest}");
        // A pause, in which a word comes now and then.
        while incoming.buffer.has_grown() && begun.elapsed() < REST * 60 {
            peer.write_all(b"ping").await.unwrap();
            let word = poll_fn(|context| incoming.poll_fill(context));
            assert!(word.await.unwrap());
            incoming.consume();
            let silence = poll_fn(|context| incoming.poll_fill(context));
            let _pause = tokio::time::timeout(REST / 4, silence).await;
        }
        assert!(!incoming.buffer.has_grown());
        assert!(begun.elapsed() >= REST, "it is kept between the pieces of a body");
    }
}
