//! The listening sockets that a process was started with.

use listenfd::ListenFd;
use std::io;
use std::net::{SocketAddr, TcpListener};

/// What a listening socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Requests of clients.
    Listen,
    /// The admin pages.
    Admin,
}

impl Use {
    const fn word(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::Admin => "admin",
        }
    }

    /// The name under which a socket is handed over: what it is for, and the address as it was asked for.
    /// The port of the socket itself may be another one, where any was asked for.
    #[must_use]
    pub fn name(self, wanted: SocketAddr) -> String {
        format!("{} {wanted}", self.word())
    }
}

/// Sockets that are open already.
#[derive(Debug, Default)]
pub struct Inherited {
    sockets: Vec<Socket>,
}

#[derive(Debug)]
struct Socket {
    name: String,
    /// Handed over by a predecessor, which knew what it is for; else by the service manager.
    handed: bool,
    listener: TcpListener,
}

impl Inherited {
    /// The sockets that the service manager has opened for this process (`LISTEN_FDS`, `LISTEN_PID`,
    /// `LISTEN_FDNAMES`; see `sd_listen_fds(3)`); none when there is no such thing.
    ///
    /// # Errors
    /// One of them is no listening TCP socket.
    pub fn from_service_manager() -> io::Result<Self> {
        let mut passed = ListenFd::from_env();
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut inherited = Self::default();
        for number in 0..passed.len() {
            let name = names.next().unwrap_or_default().to_owned();
            if let Some(listener) = passed.take_tcp_listener(number)? {
                listener.set_nonblocking(true)?;
                inherited.sockets.push(Socket { name, handed: false, listener });
            }
        }
        Ok(inherited)
    }

    pub(super) fn add_handed(&mut self, name: String, listener: TcpListener) {
        self.sockets.push(Socket { name, handed: true, listener });
    }

    /// Takes the sockets that are meant for an address: all that workers shared it by. The service manager's
    /// are told by their address, and one for the admin pages by the name `admin` too.
    pub fn take(&mut self, purpose: Use, wanted: SocketAddr) -> Vec<TcpListener> {
        let mut taken: Vec<TcpListener> = Vec::new();
        let mut at = None;
        let (matching, others) = std::mem::take(&mut self.sockets).into_iter().partition(|socket| {
            let local = socket.listener.local_addr().ok();
            // Where the same address was asked for twice with any port, each has its own.
            let fits = socket.fits(purpose, wanted) && (at.is_none() || at == local);
            if fits {
                at = local;
            }
            fits
        });
        self.sockets = others;
        let matching: Vec<Socket> = matching;
        taken.extend(matching.into_iter().map(|socket| socket.listener));
        taken
    }

    /// The addresses of the service manager's sockets that nobody has taken.
    pub fn left_by_service_manager(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets
            .iter()
            .filter(|socket| !socket.handed)
            .filter_map(|socket| socket.listener.local_addr().ok())
    }
}

impl Socket {
    fn fits(&self, purpose: Use, wanted: SocketAddr) -> bool {
        if self.handed {
            return self.name == purpose.name(wanted);
        }
        let named_admin = self.name == Use::Admin.word();
        if named_admin {
            return purpose == Use::Admin;
        }
        self.listener.local_addr().is_ok_and(|local| same(local, wanted))
    }
}

/// `ListenStream=8000` of a unit is every address of both families, which is what `0.0.0.0:8000` means.
fn same(local: SocketAddr, wanted: SocketAddr) -> bool {
    local == wanted
        || (local.port() == wanted.port() && local.ip().is_unspecified() && wanted.ip().is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").unwrap()
    }

    fn any() -> SocketAddr {
        "127.0.0.1:0".parse().unwrap()
    }

    #[test]
    fn each_address_gets_all_of_its_sockets_and_no_other() {
        let (one, two, admin) = (socket(), socket(), socket());
        let mut inherited = Inherited::default();
        for listener in [&one, &two, &one] {
            inherited.add_handed(Use::Listen.name(any()), listener.try_clone().unwrap());
        }
        inherited.add_handed(Use::Admin.name(any()), admin.try_clone().unwrap());
        let ports = |taken: Vec<TcpListener>| -> Vec<u16> {
            taken.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
        };
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        assert_eq!(ports(inherited.take(Use::Listen, any())), [port(&one), port(&one)]);
        assert_eq!(ports(inherited.take(Use::Admin, any())), [port(&admin)]);
        assert_eq!(ports(inherited.take(Use::Listen, any())), [port(&two)]);
        assert!(inherited.take(Use::Listen, any()).is_empty());
    }

    #[test]
    fn sockets_of_the_service_manager_are_told_by_address_or_as_admin() {
        let (data, admin, other) = (socket(), socket(), socket());
        let address = |listener: &TcpListener| listener.local_addr().unwrap();
        let mut inherited = Inherited::default();
        for (name, listener) in [("data", &data), ("admin", &admin), ("", &other)] {
            let listener = listener.try_clone().unwrap();
            inherited.sockets.push(Socket { name: name.to_owned(), handed: false, listener });
        }
        assert_eq!(inherited.take(Use::Listen, address(&data)).len(), 1);
        assert!(
            inherited.take(Use::Listen, address(&admin)).is_empty(),
            "a socket named admin is no listener"
        );
        assert_eq!(inherited.take(Use::Admin, any()).len(), 1);
        let left: Vec<SocketAddr> = inherited.left_by_service_manager().collect();
        assert_eq!(left, [other.local_addr().unwrap()]);
        assert!(same("[::]:80".parse().unwrap(), "0.0.0.0:80".parse().unwrap()));
        assert!(!same("[::]:80".parse().unwrap(), "127.0.0.1:80".parse().unwrap()));
    }
}
