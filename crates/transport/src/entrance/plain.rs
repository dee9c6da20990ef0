//! Plain HTTP at a port for TLS: a mistake of people, who are told so in words that their program shows.

use super::Refusal;
use crate::io::{Io, Stream};
use crate::tls::{HandshakeFailure, HandshakeFault};
use std::future::poll_fn;
use std::task::Poll;
use tokio::net::TcpStream;

const ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
Content-Type: text/plain\r\n\
Content-Length: 74\r\n\
Connection: close\r\n\
\r\n\
Plain HTTP was sent to a TLS port. Begin the address with https: instead.\n";

/// Whether what comes first begins a method. A handshake begins with a byte that no text has (RFC 8446
/// section 5.1). The caller sets the deadline.
pub(super) async fn is_spoken(tcp: &TcpStream) -> Result<bool, HandshakeFault> {
    let mut first = [0];
    match tcp.peek(&mut first).await {
        Ok(count) => Ok(count > 0 && first.iter().all(u8::is_ascii_alphabetic)),
        Err(error) => Err(HandshakeFault::new(HandshakeFailure::Closed, error.to_string())),
    }
}

/// Says so; what is left is to end the connection once it was read.
pub(super) async fn refuse(tcp: TcpStream) -> Refusal {
    let io = Io::new(Stream::Tcp(tcp));
    let mut left = ANSWER;
    let said = poll_fn(|context| {
        while !left.is_empty() {
            match io.poll_write(context, left, &[], &[]) {
                Poll::Ready(Ok(count)) if count > 0 => left = left.get(count..).unwrap_or_default(),
                Poll::Ready(_) => return Poll::Ready(false),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(true)
    });
    let told = said.await.then_some(io);
    let fault = HandshakeFault::new(HandshakeFailure::NotTls, "plain HTTP was sent to a TLS port");
    Refusal { fault, told }
}
