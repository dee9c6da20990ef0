//! The socket as the library wants it, with a guard that looks at what passes.

use crate::buffer::Buffer;
use crate::clock::{later, now, recently};
use crate::h2::seal::seal;
use crate::io::Io;
use crate::patience::Patience;
use crate::timer::Timer;
use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use torana_http::h2::{FrameGuard, GuardLimits, Sealing, Violation};

/// What kernels on both sides hold of what was sent, at most: a peer comes upon a question behind so much of it that it
/// has not read.
const IN_KERNELS: u64 = 4 * 1024 * 1024;
/// Bytes a millisecond at which whoever is alive gets through that.
const READING: u64 = 64;
/// What small frames of a connection may take in memory beyond their content, in bytes.
const GATHER: u64 = 256 * 1024;

/// What the driver knows of its socket while the library owns it.
#[derive(Debug)]
pub(super) struct Watch {
    opened: Instant,
    guard: RefCell<FrameGuard>,
    violation: Cell<Option<Violation>>,
    has_read: Cell<bool>,
    last_heard: Cell<Instant>,
    /// Bytes that were sent since then.
    unheard: Cell<u64>,
    /// Since when the socket takes nothing, if it takes nothing.
    stalled: Cell<Option<Instant>>,
    last_sent: Cell<Option<Instant>>,
    /// What small frames had cost when those that waited were last gathered.
    gathered: Cell<u64>,
    /// With the peer's taking of bytes.
    patience: RefCell<Patience>,
}

impl Watch {
    fn new(guard: FrameGuard, patience: Patience) -> Self {
        let now = now();
        Self {
            opened: now,
            guard: RefCell::new(guard),
            violation: Cell::new(None),
            has_read: Cell::new(false),
            last_heard: Cell::new(now),
            unheard: Cell::new(0),
            stalled: Cell::new(None),
            last_sent: Cell::new(None),
            gathered: Cell::new(0),
            patience: RefCell::new(patience),
        }
    }

    /// What the peer did too often. Nothing more is read once there is something.
    pub(super) fn violation(&self) -> Option<Violation> {
        self.violation.get()
    }

    /// When the peer was last heard of: it sent something, or the socket took bytes again after it had taken none, for
    /// which the peer's side must have taken some.
    pub(super) fn last_heard(&self) -> Instant {
        self.last_heard.get()
    }

    /// How long the answer to a question may take beyond what it may take on a quiet connection: what was sent before
    /// it is read first.
    pub(super) fn reading(&self) -> Duration {
        Duration::from_millis(self.unheard.get().min(IN_KERNELS) / READING)
    }

    fn heard(&self, now: Instant) {
        self.last_heard.set(now);
        self.unheard.set(0);
    }

    /// Whether the peer was heard of at all.
    pub(super) fn has_read(&self) -> bool {
        self.has_read.get()
    }

    /// Bytes of messages' bodies that the peer has sent or announced, in frames, since the connection began.
    pub(super) fn data(&self) -> u64 {
        self.guard.borrow().data()
    }

    /// Requests that the peer has begun by heads that have come whole.
    pub(super) fn opened(&self) -> u64 {
        self.guard.borrow().opened()
    }

    /// Whether small frames may take so much memory that those that wait are to be gathered. Nothing more is
    /// read before [`Self::gathered`].
    pub(super) fn wants_gathering(&self) -> bool {
        self.guard.borrow().overhead().saturating_sub(self.gathered.get()) >= GATHER
    }

    /// Frames that wait were gathered.
    pub(super) fn gathered(&self) {
        self.gathered.set(self.guard.borrow().overhead());
    }

    /// When the peer last sent something of a message.
    pub(super) fn last_message(&self) -> Option<Instant> {
        self.guard.borrow().last_message().map(|last| later(self.opened, last))
    }

    /// Whether the peer has taken nothing, or too little, for too long; else the task will be woken when it
    /// has.
    pub(super) fn poll_write_stalled(&self, context: &mut Context<'_>, timer: &Timer) -> bool {
        self.is_write_stalled() && self.patience.borrow_mut().poll(timer, context).is_ready()
    }

    /// When the socket last took something of a message.
    pub(super) fn last_sent(&self) -> Option<Instant> {
        self.last_sent.get()
    }

    /// Whether the socket has taken nothing since it was last asked to.
    pub(super) fn is_write_stalled(&self) -> bool {
        self.stalled.get().is_some()
    }

    /// Since when it has taken nothing.
    pub(super) fn stalled_since(&self) -> Option<Instant> {
        self.stalled.get()
    }

    fn takes_nothing(&self) {
        self.stalled.set(self.stalled.get().or_else(|| Some(now())));
    }

    /// Since when a field section is incomplete.
    pub(super) fn section_since(&self) -> Option<Instant> {
        self.guard.borrow().section_since().map(|since| later(self.opened, since))
    }

    fn received(&self, bytes: &[u8]) {
        let now = now();
        self.heard(now);
        self.has_read.set(self.has_read.get() || !bytes.is_empty());
        let passed = now.checked_duration_since(self.opened).unwrap_or(Duration::ZERO);
        if let Err(violation) = self.guard.borrow_mut().received(bytes, passed) {
            self.violation.set(Some(violation));
        }
    }

    /// TLS may hold records that the socket does not take.
    fn flushed(&self, result: &Poll<io::Result<()>>) {
        if result.is_pending() {
            self.takes_nothing();
        } else if self.stalled.take().is_some() {
            self.patience.borrow_mut().progress(0);
            self.last_heard.set(now());
            if self.last_sent.get().is_some() {
                self.last_sent.set(Some(recently()));
            }
        }
    }

    fn wrote(&self, result: &Poll<io::Result<usize>>, parts: [&[u8]; 3]) {
        match result {
            Poll::Ready(Ok(count)) => {
                if self.stalled.take().is_some() {
                    self.last_heard.set(now());
                }
                self.unheard.set(self.unheard.get().saturating_add(*count as u64));
                self.patience.borrow_mut().progress(*count);
                let (mut guard, mut left) = (self.guard.borrow_mut(), *count);
                for part in parts {
                    let taken = part.get(..left).unwrap_or(part);
                    if guard.sent(taken) {
                        self.last_sent.set(Some(recently()));
                    }
                    left = left.saturating_sub(taken.len());
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.takes_nothing(),
        }
    }
}

/// A socket of which some bytes may have been read already.
#[derive(Debug)]
pub(super) struct Socket {
    io: Rc<Io>,
    received: Option<Buffer>,
    sealing: Sealing,
    watch: Rc<Watch>,
}

impl Socket {
    fn new(io: Rc<Io>, received: Option<Buffer>, watch: &Rc<Watch>) -> Self {
        Self { io, received, sealing: Sealing::new(seal()), watch: Rc::clone(watch) }
    }

    /// A client's socket, and what is known of it.
    pub(super) fn from_client(io: Rc<Io>, received: Option<Buffer>, patience: Patience) -> (Self, Rc<Watch>) {
        let watch = Rc::new(Watch::new(FrameGuard::for_client(GuardLimits::default()), patience));
        (Self::new(io, received, &watch), watch)
    }

    /// An upstream's socket.
    pub(super) fn to_upstream(io: Rc<Io>, patience: Patience) -> (Self, Rc<Watch>) {
        // An upstream that resets streams is answered for by each of them.
        let limits = GuardLimits { resets: u32::MAX, ..GuardLimits::default() };
        let watch = Rc::new(Watch::new(FrameGuard::for_upstream(limits), patience));
        (Self::new(io, None, &watch), watch)
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.watch.violation.get().is_some() {
            // The driver looks after every poll and ends the connection.
            return Poll::Pending;
        }
        if self.watch.wants_gathering() {
            // The driver does so after this poll, and then reads on.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = target.filled().len();
        loop {
            let waiting = self.sealing.ready();
            if !waiting.is_empty() {
                let count = waiting.len().min(target.remaining());
                target.put_slice(waiting.get(..count).unwrap_or_default());
                self.sealing.consume(count);
                return Poll::Ready(Ok(()));
            }
            if let Poll::Ready(read) = self.poll_received(context, target) {
                read?;
            } else {
                return Poll::Pending;
            }
            let received = target.filled().get(before..).unwrap_or_default();
            self.watch.received(received);
            if received.is_empty() {
                // The end, behind what is held.
                self.sealing.end();
                if self.sealing.ready().is_empty() {
                    return Poll::Ready(Ok(()));
                }
                continue;
            }
            let untouched = self.seal(received);
            target.set_filled(before.saturating_add(untouched));
            if untouched > 0 {
                return Poll::Ready(Ok(()));
            }
            if self.watch.violation.get().is_some() {
                return Poll::Pending;
            }
        }
    }
}

impl Socket {
    fn poll_received(&mut self, context: &mut Context<'_>, target: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Some(mut received) = self.received.take() else {
            return self.io.poll_read_into(context, target);
        };
        let count = received.filled().len().min(target.remaining());
        target.put_slice(received.filled().get(..count).unwrap_or_default());
        received.consume(count);
        if !received.is_empty() {
            self.received = Some(received);
        }
        Poll::Ready(Ok(()))
    }

    /// How many of these bytes, which the guard has seen, stay where they are; the others were taken.
    fn seal(&mut self, received: &[u8]) -> usize {
        let guard = self.watch.guard.borrow();
        let (sections, cut) = (guard.sections(), guard.cut());
        if sections.is_empty() && cut == 0 && self.sealing.is_idle() {
            return received.len();
        }
        let untouched = self.sealing.untouched(received, sections, cut);
        self.sealing.take(received, untouched, sections, cut);
        untouched
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let result = self.io.poll_write(context, data, &[], &[]);
        self.watch.wrote(&result, [data, &[], &[]]);
        result
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut parts = slices.iter().filter(|slice| !slice.is_empty()).map(|slice| &**slice);
        let [first, second, third] =
            [parts.next(), parts.next(), parts.next()].map(Option::unwrap_or_default);
        let result = self.io.poll_write(context, first, second, third);
        self.watch.wrote(&result, [first, second, third]);
        result
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.io.poll_flush(context);
        self.watch.flushed(&flushed);
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_shutdown(context)
    }
}
