//! What a client meets before its first request: who introduces it, TLS, and which protocol is spoken.

use crate::drain::Drain;
use crate::h1;
use crate::h2;
use crate::io::{Io, Stream};
use crate::service::{ConnectionInfo, Service};
use crate::tls::{HandshakeFailure, HandshakeFault, Protocol, TlsServer, accept};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// What a listener asks of new connections.
#[derive(Clone, Debug, Default)]
pub struct Entrance {
    /// TLS; `None` is plain HTTP.
    pub tls: Option<Arc<TlsServer>>,
}

impl Entrance {
    const fn is_open(&self) -> bool {
        self.tls.is_none()
    }

    /// Shakes hands; within the deadline, or not at all.
    async fn admit(
        self,
        tcp: TcpStream,
        mut connection: ConnectionInfo,
        deadline: Duration,
    ) -> Result<(Io, ConnectionInfo, Protocol), HandshakeFault> {
        let admitted = async {
            let Some(server) = &self.tls else {
                return Ok((Io::new(Stream::Tcp(tcp)), connection, Protocol::Http1));
            };
            let accepted = accept(tcp, server).await?;
            connection.secure = true;
            connection.tls = Some(Arc::new(accepted.info));
            Ok((Io::new(Stream::Tls(accepted.stream)), connection, accepted.protocol))
        };
        tokio::time::timeout(deadline, admitted).await.unwrap_or_else(|_| {
            Err(HandshakeFault::new(HandshakeFailure::Timeout, "the handshake took too long"))
        })
    }
}

/// Serves a connection from its acceptance to its end. `listener` is the number of the listener it came by.
pub(crate) async fn serve<S: Service + 'static>(
    tcp: TcpStream,
    peer: SocketAddr,
    listener: usize,
    service: &Rc<S>,
    drain: &Rc<Drain>,
) {
    // Both fail only when the client is gone already.
    let (Ok(local), Ok(())) = (tcp.local_addr(), tcp.set_nodelay(true)) else { return };
    let connection = ConnectionInfo { listener, ..ConnectionInfo::plain(peer, local) };
    let Some(entrance) = service.entrance(listener) else { return };
    let (io, connection, protocol) = if entrance.is_open() {
        (Io::new(Stream::Tcp(tcp)), connection, Protocol::Http1)
    } else {
        let deadline = service.settings().handshake_timeout;
        // Boxed: an open connection must not hold room for a handshake.
        match Box::pin(entrance.admit(tcp, connection, deadline)).await {
            Ok(admitted) => {
                service.admitted(&admitted.1);
                admitted
            }
            Err(fault) => return service.turned_away(listener, peer, &fault),
        }
    };
    let http2 = match protocol {
        Protocol::Http1 => h1::serve_connection(io, &connection, &**service, drain).await,
        Protocol::Http2 => Some((io, None)),
    };
    if let Some((io, received)) = http2 {
        let (service, drain) = (Rc::clone(service), Rc::clone(drain));
        // Boxed: an HTTP/1 connection must not hold room for it.
        Box::pin(h2::serve_connection(io, received, connection, service, drain)).await;
    }
}
