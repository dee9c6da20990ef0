//! What a client meets before its first request: who introduces it, TLS, and which protocol is spoken.

mod introduction;
mod plain;

use crate::drain::Drain;
use crate::h1;
use crate::h2;
use crate::io::{Io, Stream};
use crate::service::{ConnectionInfo, Service};
use crate::timer::Timer;
use crate::tls::{HandshakeFailure, HandshakeFault, Protocol, TlsServer, accept};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use torana_http::proxy_protocol::Introduction;
use torana_limit::Seat;
use torana_types::Network;

/// What a listener asks of new connections.
#[derive(Clone, Debug, Default)]
pub struct Entrance {
    /// TLS; `None` is plain HTTP.
    pub tls: Option<Arc<TlsServer>>,
    /// Who begins connections with a PROXY protocol header. Nobody else's is believed: it is no request, and
    /// refused as one.
    pub introduced_by: Arc<[Network]>,
}

/// Why somebody does not get in.
struct Refusal {
    fault: HandshakeFault,
    /// The connection, where its client is still to read why.
    told: Option<Io>,
}

impl From<HandshakeFault> for Refusal {
    fn from(fault: HandshakeFault) -> Self {
        Self { fault, told: None }
    }
}

impl Entrance {
    fn is_open(&self, peer: SocketAddr) -> bool {
        self.tls.is_none() && !self.is_introduced_by(peer)
    }

    fn is_introduced_by(&self, peer: SocketAddr) -> bool {
        self.introduced_by.iter().any(|network| network.contains(peer.ip()))
    }

    /// Lets a connection in, or says that and why it is not.
    async fn enter(
        self,
        tcp: TcpStream,
        connection: ConnectionInfo,
        deadline: Duration,
        service: &impl Service,
        seat: &mut Seat,
    ) -> Option<(Io, ConnectionInfo, Protocol)> {
        let (listener, peer) = (connection.listener, connection.peer);
        match self.admit(tcp, connection, deadline, |client| service.welcomes(seat, client)).await {
            Ok(admitted) => {
                service.admitted(&admitted.1);
                Some(admitted)
            }
            Err(Refusal { fault, told }) => {
                service.turned_away(listener, peer, &fault);
                if let Some(io) = told {
                    h1::linger(&io, &Timer::default()).await;
                }
                None
            }
        }
    }

    /// Learns whom the connection is from and shakes hands; within the deadline, or not at all.
    async fn admit(
        self,
        tcp: TcpStream,
        mut connection: ConnectionInfo,
        deadline: Duration,
        welcome: impl FnOnce(IpAddr) -> bool,
    ) -> Result<(Io, ConnectionInfo, Protocol), Refusal> {
        let admitted = async {
            if self.is_introduced_by(connection.peer)
                && let Introduction::For { source, destination } = introduction::read(&tcp).await?
            {
                (connection.peer, connection.local) = (source, destination);
            }
            if !welcome(connection.peer.ip()) {
                return Err(HandshakeFault::new(
                    HandshakeFailure::Crowded,
                    "the address has its connections",
                )
                .into());
            }
            let Some(server) = &self.tls else {
                return Ok((Io::new(Stream::Tcp(tcp)), connection, Protocol::Http1));
            };
            if plain::is_spoken(&tcp).await? {
                return Err(plain::refuse(tcp).await);
            }
            let accepted = accept(tcp, server).await?;
            connection.secure = true;
            connection.tls = Some(Arc::new(accepted.info));
            Ok((Io::new(Stream::Tls(accepted.stream)), connection, accepted.protocol))
        };
        tokio::time::timeout(deadline, admitted).await.unwrap_or_else(|_| {
            Err(HandshakeFault::new(HandshakeFailure::Timeout, "the handshake took too long").into())
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
    seat: &mut Seat,
) {
    // Both fail only when the client is gone already.
    let (Ok(local), Ok(())) = (tcp.local_addr(), tcp.set_nodelay(true)) else { return };
    let connection = ConnectionInfo { listener, ..ConnectionInfo::plain(peer, local) };
    let Some(entrance) = service.entrance(listener) else { return };
    let (io, connection, protocol) = if entrance.is_open(peer) {
        if !service.welcomes(seat, peer.ip()) {
            return;
        }
        (Io::new(Stream::Tcp(tcp)), connection, Protocol::Http1)
    } else {
        let deadline = service.settings().handshake_timeout;
        // Boxed: an open connection must not hold room for a handshake.
        match Box::pin(entrance.enter(tcp, connection, deadline, &**service, seat)).await {
            Some(admitted) => admitted,
            None => return,
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
