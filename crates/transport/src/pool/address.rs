//! Where an endpoint is, and a connection to there.

use super::reach::reach;
use socket2::TcpKeepalive;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// Where an endpoint is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// An address and port.
    Socket(SocketAddr),
    /// A host name, resolved at each new connection, and a port.
    Name(Arc<str>, u16),
}

impl Address {
    pub(super) async fn connect(&self) -> io::Result<TcpStream> {
        let stream = match self {
            Self::Socket(address) => TcpStream::connect(address).await?,
            Self::Name(host, port) => {
                let addresses = tokio::net::lookup_host((&**host, *port)).await?;
                reach(addresses, TcpStream::connect::<SocketAddr>).await?
            }
        };
        stream.set_nodelay(true)?;
        socket2::SockRef::from(&stream).set_tcp_keepalive(&KEEPALIVE)?;
        Ok(stream)
    }
}

/// The kernel asks too, at no cost while anything moves: a host that has vanished without a word is found within 75
/// seconds of quiet where nothing else may ask, as behind a call of gRPC that waits. What was sent and never acknowledged
/// keeps it from asking; then it gives up after some fifteen minutes, and deadlines are what is sooner.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(45))
    .with_interval(Duration::from_secs(10))
    .with_retries(3);

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => write!(formatter, "{address}"),
            Self::Name(host, port) => write!(formatter, "{host}:{port}"),
        }
    }
}
