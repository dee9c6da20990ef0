//! A connection's socket, readable and writable from two futures of one task.

use crate::buffer::Buffer;
use crate::clock::now;
use crate::tls::{HandshakeFault, TlsStream};
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What carries the bytes; nothing above this type needs to know.
#[derive(Debug)]
pub enum Stream {
    /// Plain TCP.
    Tcp(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream>),
}

/// A stream whose two directions may be used by two futures of the same task. The borrow lasts for one
/// poll, so they can never meet.
#[derive(Debug)]
pub struct Io {
    stream: RefCell<Stream>,
}

impl Io {
    /// Wraps a connected socket.
    #[must_use]
    pub const fn new(stream: Stream) -> Self {
        Self { stream: RefCell::new(stream) }
    }

    /// Reads into the buffer's room, growing it up to `limit`. Zero means that the peer has closed its
    /// side; a buffer that is at its limit reads as [`io::ErrorKind::OutOfMemory`].
    pub fn poll_read(
        &self,
        context: &mut Context<'_>,
        buffer: &mut Buffer,
        limit: usize,
    ) -> Poll<io::Result<usize>> {
        let room = buffer.room(limit);
        if room.is_empty() {
            return Poll::Ready(Err(io::ErrorKind::OutOfMemory.into()));
        }
        let result = match &mut *self.stream.borrow_mut() {
            Stream::Tcp(tcp) => {
                let mut target = ReadBuf::new(room);
                Pin::new(tcp).poll_read(context, &mut target).map_ok(|()| target.filled().len())
            }
            Stream::Tls(tls) => tls.poll_read(context, room),
        };
        if let Poll::Ready(Ok(count)) = &result {
            buffer.filled_more(*count);
            // Something has arrived: the moment that all of what follows takes place in.
            let _ = now();
        } else {
            buffer.give_back();
        }
        result
    }

    /// Reads into a target that the caller owns. Nothing read means that the peer has closed its side.
    pub(crate) fn poll_read_into(
        &self,
        context: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self.stream.borrow_mut() {
            Stream::Tcp(tcp) => Pin::new(tcp).poll_read(context, target),
            Stream::Tls(tls) => {
                let read = tls.poll_read(context, target.initialize_unfilled());
                read.map_ok(|count| target.advance(count))
            }
        }
    }

    /// Waits until there is something to read (data, end or error) without needing a buffer.
    pub fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self.stream.borrow_mut() {
            Stream::Tcp(tcp) => tcp.poll_read_ready(context),
            Stream::Tls(tls) => tls.poll_readable(context),
        }
    }

    /// What has befallen the connection that no read has told yet: a reset behind data that waits.
    pub fn error(&self) -> Option<io::Error> {
        let stream = self.stream.borrow();
        let tcp = match &*stream {
            Stream::Tcp(tcp) => tcp,
            Stream::Tls(tls) => tls.socket(),
        };
        tcp.take_error().unwrap_or_else(Some)
    }

    /// How the peer has refused, after the handshake, what it was shown in it.
    pub(crate) fn refusal(&self) -> Option<HandshakeFault> {
        match &mut *self.stream.borrow_mut() {
            Stream::Tcp(_) => None,
            Stream::Tls(tls) => tls.refusal(),
        }
    }

    /// Whether the peer has closed or sent something, as far as the event loop knows. Costs no system
    /// call while it knows of nothing.
    pub fn has_input(&self) -> bool {
        let mut probe = [0_u8; 1];
        match &mut *self.stream.borrow_mut() {
            Stream::Tls(tls) => tls.has_input(),
            Stream::Tcp(tcp) => {
                !matches!(tcp.try_read(&mut probe), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
            }
        }
    }

    /// Writes some of `first` then `second` in one call.
    pub fn poll_write(
        &self,
        context: &mut Context<'_>,
        first: &[u8],
        second: &[u8],
        third: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut *self.stream.borrow_mut() {
            Stream::Tcp(tcp) if second.is_empty() && third.is_empty() => {
                poll_send(tcp, context, |tcp| tcp.try_write(first))
            }
            Stream::Tcp(tcp) => {
                let slices = [io::IoSlice::new(first), io::IoSlice::new(second), io::IoSlice::new(third)];
                poll_send(tcp, context, |tcp| tcp.try_write_vectored(&slices))
            }
            Stream::Tls(tls) => {
                let slices = [io::IoSlice::new(first), io::IoSlice::new(second), io::IoSlice::new(third)];
                tls.poll_write(context, &slices)
            }
        }
    }

    /// Sends what was taken and waits below: TLS holds records back while the socket is full.
    pub fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self.stream.borrow_mut() {
            Stream::Tcp(_) => Poll::Ready(Ok(())),
            Stream::Tls(tls) => tls.poll_flush(context),
        }
    }

    /// Makes the coming close a reset, so that the peer cannot take what it got for a whole message.
    pub fn reset(&self) {
        let mut stream = self.stream.borrow_mut();
        let tcp = match &mut *stream {
            Stream::Tcp(tcp) => &*tcp,
            Stream::Tls(tls) => tls.reset(),
        };
        // A socket that refuses the option is gone already.
        let _ = socket2::SockRef::from(tcp).set_linger(Some(std::time::Duration::ZERO));
    }

    /// Ends our side of the stream.
    pub fn poll_shutdown(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self.stream.borrow_mut() {
            Stream::Tcp(tcp) => Pin::new(tcp).poll_shutdown(context),
            Stream::Tls(tls) => tls.poll_shutdown(context),
        }
    }
}

/// Tries to send at once, and asks to be woken only where the socket is full: nearly never.
fn poll_send(
    tcp: &TcpStream,
    context: &mut Context<'_>,
    send: impl Fn(&TcpStream) -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        match send(tcp) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => match tcp.poll_write_ready(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            },
            sent => return Poll::Ready(sent),
        }
    }
}
