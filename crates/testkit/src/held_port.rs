//! A port that nobody else gets while a test wants nobody there.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// A port of 127.0.0.1 that is bound and on which nobody listens: connections to it are refused, and the kernel
/// gives it to nobody who asks for any. A port that was bound and let go may be another test's a moment later.
///
/// A server that sets `SO_REUSEADDR`, as most do, may listen there meanwhile.
#[derive(Debug)]
pub struct HeldPort {
    address: SocketAddr,
    _socket: Socket,
}

impl HeldPort {
    /// A free one.
    #[must_use]
    #[track_caller]
    pub fn free() -> Self {
        Self::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a free port")
    }

    /// This one.
    ///
    /// # Errors
    /// Somebody listens there.
    pub fn at(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        let address = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { address, _socket: socket })
    }

    /// Its address.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Its number.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.address.port()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_held_port_refuses_until_a_server_takes_it_and_again_afterwards() {
        let held = HeldPort::free();
        let refused = || TcpStream::connect(held.addr()).map_err(|error| error.kind());
        assert_eq!(refused().unwrap_err(), io::ErrorKind::ConnectionRefused);
        let server = TcpListener::bind(held.addr()).unwrap();
        assert!(refused().is_ok());
        drop(server);
        assert_eq!(refused().unwrap_err(), io::ErrorKind::ConnectionRefused);
        assert!(TcpListener::bind(held.addr()).is_ok());
    }
}
