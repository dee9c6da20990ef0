//! Reading the PROXY protocol header that a trusted balancer begins a connection with.
//!
//! Not one byte more than the header is taken from the socket: what follows belongs to TLS or HTTP.

use crate::tls::{HandshakeFailure, HandshakeFault};
use std::io;
use tokio::net::TcpStream;
use torana_http::proxy_protocol::{Introduction, read_introduction};

/// Headers of version 1 and usual ones of version 2 fit into one look.
const PIECE: usize = 256;

/// Reads the header. The caller sets the deadline.
pub(super) async fn read(tcp: &TcpStream) -> Result<Introduction, HandshakeFault> {
    let closed = |error: io::Error| HandshakeFault::new(HandshakeFailure::Closed, error.to_string());
    // Bytes that belong to the header and were taken from the socket.
    let mut taken = Vec::new();
    let mut piece = [0; PIECE];
    loop {
        let count = tcp.peek(&mut piece).await.map_err(closed)?;
        if count == 0 {
            let detail = "the peer closed the connection within the PROXY header";
            return Err(HandshakeFault::new(HandshakeFailure::Closed, detail));
        }
        let before = taken.len();
        taken.extend_from_slice(piece.get(..count).unwrap_or_default());
        match read_introduction(&taken) {
            Ok(None) => take(tcp, count).await.map_err(closed)?,
            Ok(Some((introduction, length))) => {
                take(tcp, length.saturating_sub(before)).await.map_err(closed)?;
                return Ok(introduction);
            }
            Err(invalid) => {
                let detail = format!("the PROXY header: {}", invalid.0);
                return Err(HandshakeFault::new(HandshakeFailure::ProxyHeader, detail));
            }
        }
    }
}

/// Takes so many bytes off the socket, which has them.
async fn take(tcp: &TcpStream, mut count: usize) -> io::Result<()> {
    let mut piece = [0; PIECE];
    while count > 0 {
        tcp.readable().await?;
        let room = piece.get_mut(..count.min(PIECE)).unwrap_or_default();
        match tcp.try_read(room) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => count = count.saturating_sub(read),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
