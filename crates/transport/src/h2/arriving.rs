//! The data of one message that has come on a stream and was not passed on yet.
//!
//! The library keeps each DATA frame by itself, with some hundred bytes around it that no window counts, and ends a
//! connection over too many small ones: one client that reads nothing of its stream of small messages would end an
//! upstream's connection for all who share it. So that is switched off, and small frames that wait are gathered from
//! time to time: then they take what they hold, and the windows bound it.

use super::ledger::Ledger;
use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use http::HeaderMap;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

/// The library's own budget for small frames, which it gives nothing back to for frames that it passes over.
pub(super) const UNCOUNTED: usize = usize::MAX;

/// What was gathered is read in pieces no larger than a frame.
const PIECE: usize = 16 * 1024;

/// The receiving half of a stream.
pub(super) struct Arriving {
    ledger: Rc<Ledger>,
    stream: RefCell<RecvStream>,
    /// What was gathered and not read yet.
    gathered: RefCell<BytesMut>,
    /// Bytes that were read and not passed on yet.
    read: Cell<usize>,
    counted: Cell<usize>,
}

impl Arriving {
    pub(super) fn new(stream: RecvStream, ledger: &Rc<Ledger>) -> Self {
        Self {
            ledger: Rc::clone(ledger),
            stream: RefCell::new(stream),
            gathered: RefCell::default(),
            read: Cell::new(0),
            counted: Cell::new(0),
        }
    }

    /// The next piece; `None` before the trailers or the end.
    pub(super) fn poll_data(&self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
        let mut gathered = self.gathered.borrow_mut();
        let piece = if gathered.is_empty() {
            ready!(self.stream.borrow_mut().poll_data(context))
        } else {
            let length = gathered.len().min(PIECE);
            let piece = gathered.split_to(length).freeze();
            if gathered.is_empty() {
                // It would hold on to what the pieces share.
                *gathered = BytesMut::new();
            }
            Some(Ok(piece))
        };
        if let Some(Ok(piece)) = &piece {
            self.read.set(self.read.get().saturating_add(piece.len()));
        }
        Poll::Ready(piece)
    }

    /// The trailers, if there are any, once there is no more data.
    pub(super) fn poll_trailers(
        &self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<HeaderMap>, h2::Error>> {
        self.stream.borrow_mut().poll_trailers(context)
    }

    /// Whether all was read and nothing can follow.
    pub(super) fn is_end_stream(&self) -> bool {
        self.gathered.borrow().is_empty() && self.stream.borrow().is_end_stream()
    }

    /// Marks the data at hand as passed on: the peer may send as much again.
    pub(super) fn pass_on(&self, data: &mut Bytes) {
        let used = std::mem::take(data).len();
        self.read.set(self.read.get().saturating_sub(used));
        if self.counted.get() > 0 {
            self.count(self.counted.get().saturating_sub(used));
        }
        // It fails only when the stream is gone.
        let _ = self.stream.borrow_mut().flow_control().release_capacity(used);
    }

    /// Joins the frames that wait.
    pub(super) fn gather(&self) {
        let mut stream = self.stream.borrow_mut();
        let mut gathered = self.gathered.borrow_mut();
        let known = gathered.len().saturating_add(self.read.get());
        let waiting = stream.flow_control().used_capacity().saturating_sub(known);
        if waiting == 0 {
            return;
        }
        gathered.reserve(waiting);
        // Whoever reads this stream was woken by the first frame that waits, and is told of its end or failure anew.
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(Ok(piece))) = stream.poll_data(&mut context) {
            gathered.extend_from_slice(&piece);
        }
    }

    /// Tells the ledger what waits.
    pub(super) fn weigh(&self) {
        let waiting = self.stream.borrow_mut().flow_control().used_capacity();
        self.count(waiting);
    }

    fn count(&self, bytes: usize) {
        self.ledger.waits(bytes, self.counted.replace(bytes));
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.count(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Request, Response};
    use std::future::poll_fn;

    /// A response of so many frames of four bytes and a trailer.
    async fn arriving(frames: usize) -> Rc<Arriving> {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        tokio::spawn(async move {
            let mut connection = h2::server::handshake(theirs).await.unwrap();
            let (_, mut respond) = connection.accept().await.unwrap().unwrap();
            let mut body = respond.send_response(Response::new(()), false).unwrap();
            for number in 0..frames {
                body.send_data(Bytes::from(format!("{number:04}")), false).unwrap();
            }
            body.send_trailers(HeaderMap::from_iter([("x-end".parse().unwrap(), "1".parse().unwrap())]))
                .unwrap();
            poll_fn(|context| connection.poll_closed(context)).await
        });
        let mut builder = h2::client::Builder::new();
        let (mut send, connection) =
            builder.data_frame_budget(UNCOUNTED).handshake::<_, Bytes>(ours).await.unwrap();
        tokio::spawn(connection);
        let (response, _) = send.send_request(Request::get("http://a/").body(()).unwrap(), true).unwrap();
        let arriving = Ledger::new(None, 0).watch(response.await.unwrap().into_body());
        while arriving.stream.borrow_mut().flow_control().used_capacity() < frames * 4 {
            tokio::task::yield_now().await;
        }
        // The library's client ends with its last handle.
        std::mem::forget(send);
        arriving
    }

    #[tokio::test]
    async fn frames_that_wait_are_joined_in_their_turn_and_the_end_follows_them() {
        let arriving = arriving(1_000).await;
        let next = || poll_fn(|context| arriving.poll_data(context));
        let mut first = next().await.unwrap().unwrap();
        assert_eq!(first, "0000");
        arriving.gather();
        arriving.gather();
        assert!(!arriving.is_end_stream());
        let mut rest = next().await.unwrap().unwrap();
        let expected: String = (1..1_000).map(|number| format!("{number:04}")).collect();
        assert_eq!(rest, expected, "one piece");
        assert!(next().await.is_none());
        assert_eq!(poll_fn(|context| arriving.poll_trailers(context)).await.unwrap().unwrap()["x-end"], "1");
        assert!(arriving.is_end_stream());
        arriving.pass_on(&mut first);
        arriving.pass_on(&mut rest);
        assert_eq!(arriving.stream.borrow_mut().flow_control().used_capacity(), 0);
    }

    #[tokio::test]
    async fn what_was_joined_is_read_in_pieces_of_a_frame_s_size() {
        let arriving = arriving(7_000).await;
        arriving.gather();
        let mut sizes = Vec::new();
        while let Some(piece) = poll_fn(|context| arriving.poll_data(context)).await {
            sizes.push(piece.unwrap().len());
        }
        assert_eq!(sizes, [PIECE, 28_000 - PIECE]);
    }
}
