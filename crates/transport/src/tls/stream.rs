//! One TLS connection over TCP, polled from the task that owns it.
//!
//! What is written is encrypted at once. What the socket does not take then goes out with the next poll of
//! either direction, and bounds what may be written after it: one batch of records, never more.

use super::failure::HandshakeFault;
use rustls::Connection;
use std::io::{self, BufRead, IoSlice, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A TLS connection.
#[derive(Debug)]
pub struct TlsStream {
    tcp: TcpStream,
    session: Connection,
    /// Whether the peer must not take what it got for a whole message.
    broken: bool,
}

impl TlsStream {
    pub(super) fn new(tcp: TcpStream, session: Connection) -> Self {
        Self { tcp, session, broken: false }
    }

    pub(super) const fn session(&self) -> &Connection {
        &self.session
    }

    /// Goes on with the handshake until it is done and everything of it was sent.
    pub(super) fn poll_handshake(&mut self, context: &mut Context<'_>) -> Poll<Result<(), HandshakeError>> {
        loop {
            ready!(self.poll_send(context)).map_err(HandshakeError::Socket)?;
            if !self.session.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            match ready!(self.poll_receive(context)) {
                Ok(true) => {}
                Ok(false) => return Poll::Ready(Err(HandshakeError::Closed)),
                Err(ReceiveError::Socket(error)) => return Poll::Ready(Err(HandshakeError::Socket(error))),
                Err(ReceiveError::Tls(error)) => {
                    // The peer learns why, as far as its socket takes it at once.
                    let _ = self.poll_send(context);
                    return Poll::Ready(Err(HandshakeError::Tls(error)));
                }
            }
        }
    }

    pub(crate) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            self.go_on_sending(context);
            match self.session.reader().read(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read),
            }
            ready!(self.poll_receive(context))?;
        }
    }

    /// Waits for plaintext, the end or an error.
    pub(crate) fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            self.go_on_sending(context);
            if self.has_plaintext() {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_receive(context))?;
        }
    }

    /// Whether the peer has closed or sent something, without waiting. Tickets and other messages of the
    /// protocol itself are dealt with and do not count.
    pub(crate) fn has_input(&mut self) -> bool {
        loop {
            if self.has_plaintext() {
                return true;
            }
            match self.session.read_tls(&mut Now(&self.tcp)) {
                Ok(0) => return true,
                Ok(_) if self.session.process_new_packets().is_ok() => {}
                Ok(_) => return true,
                Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
            }
        }
    }

    /// How the peer has refused our certificate, or that there is none, as far as that has come. By TLS 1.3 our part of the
    /// handshake is over before it has looked (RFC 8446 section 2), so that a read finds out.
    pub(crate) fn refusal(&mut self) -> Option<HandshakeFault> {
        loop {
            match self.session.process_new_packets() {
                Err(error) => return HandshakeFault::of_our_certificate(error),
                Ok(_) if matches!(self.session.read_tls(&mut Now(&self.tcp)), Ok(count) if count > 0) => {}
                Ok(_) => return None,
            }
        }
    }

    pub(crate) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_send(context))?;
        let count = self.session.writer().write_vectored(slices)?;
        match self.poll_send(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            // What is left goes out with the next poll.
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(count)),
        }
    }

    /// Sends every record that waits.
    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send(context)
    }

    /// Says goodbye (RFC 8446 section 6.1) and ends our side.
    pub(crate) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.session.send_close_notify();
        ready!(self.poll_send(context))?;
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }

    /// The socket below.
    pub(crate) const fn socket(&self) -> &TcpStream {
        &self.tcp
    }

    /// Ends without goodbye.
    pub(crate) fn reset(&mut self) -> &TcpStream {
        self.broken = true;
        &self.tcp
    }

    fn has_plaintext(&mut self) -> bool {
        // Data, a clean end (nothing), or an end without goodbye (an error other than "not yet").
        !matches!(self.session.reader().fill_buf(), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends what waits, if the socket takes it; reading goes on whatever becomes of it.
    fn go_on_sending(&mut self, context: &mut Context<'_>) {
        if self.session.wants_write() {
            let _ = self.poll_send(context);
        }
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut Polled { tcp: &mut self.tcp, context }) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Takes what the socket has. `false`: the peer has closed.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, ReceiveError>> {
        match self.session.read_tls(&mut Polled { tcp: &mut self.tcp, context }) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            Err(error) => Poll::Ready(Err(ReceiveError::Socket(error))),
            Ok(count) => match self.session.process_new_packets() {
                Ok(_) => Poll::Ready(Ok(count > 0)),
                Err(error) => Poll::Ready(Err(ReceiveError::Tls(error))),
            },
        }
    }
}

impl Drop for TlsStream {
    /// A goodbye as far as the socket takes it at once, so that the peer can tell an end from a cut.
    fn drop(&mut self) {
        if !self.broken && !self.session.is_handshaking() {
            self.session.send_close_notify();
            while self.session.wants_write() {
                if !matches!(self.session.write_tls(&mut Now(&self.tcp)), Ok(count) if count > 0) {
                    break;
                }
            }
        }
    }
}

/// Why a handshake did not come about.
#[derive(Debug)]
pub(super) enum HandshakeError {
    /// The peer went away.
    Closed,
    /// The socket failed.
    Socket(io::Error),
    /// The two could not agree, or one did not trust the other.
    Tls(rustls::Error),
}

enum ReceiveError {
    Socket(io::Error),
    Tls(rustls::Error),
}

impl From<ReceiveError> for io::Error {
    fn from(error: ReceiveError) -> Self {
        match error {
            ReceiveError::Socket(error) => error,
            ReceiveError::Tls(error) => Self::new(io::ErrorKind::InvalidData, error),
        }
    }
}

/// The socket as rustls wants it: what would wait is an error, and the task is woken later.
struct Polled<'a, 'c, 'w> {
    tcp: &'a mut TcpStream,
    context: &'c mut Context<'w>,
}

impl Read for Polled<'_, '_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut target = ReadBuf::new(into);
        match Pin::new(&mut *self.tcp).poll_read(self.context, &mut target) {
            Poll::Ready(Ok(())) => Ok(target.filled().len()),
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Polled<'_, '_, '_> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        at_once(Pin::new(&mut *self.tcp).poll_write(self.context, from))
    }

    fn write_vectored(&mut self, from: &[IoSlice<'_>]) -> io::Result<usize> {
        at_once(Pin::new(&mut *self.tcp).poll_write_vectored(self.context, from))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn at_once(written: Poll<io::Result<usize>>) -> io::Result<usize> {
    match written {
        Poll::Ready(written) => written,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// The socket without a task to wake.
struct Now<'a>(&'a TcpStream);

impl Read for Now<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(into)
    }
}

impl Write for Now<'_> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.0.try_write(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
