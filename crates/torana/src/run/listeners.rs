//! The listening sockets: inherited where there are any for an address, else bound; shared out to workers.
//!
//! Those that are bound do not listen yet. At an address that a predecessor serves the kernel would send connections to
//! them at once, and reset those when this process ends because something else fails.

use anyhow::{Context, ensure};
use std::net::{SocketAddr, TcpListener};
use torana_transport::Bound;
use torana_transport::handover::{Inherited, Use};
use torana_types::ListenAddr;

/// Every socket that the gateway listens on.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    /// Where clients connect, with real ports.
    pub(super) addresses: Vec<SocketAddr>,
    /// For each worker, at least one for each address, with the address's place in the list.
    pub(super) of_workers: Vec<Vec<(usize, Bound)>>,
    pub(super) admin: Option<TcpListener>,
    /// All of them once more, for a successor.
    pub(super) kept: Kept,
}

/// Sockets to hand over, with their names. While they are held, closing them elsewhere closes nothing.
pub(super) type Kept = Vec<(String, TcpListener)>;

/// Has all sockets of a worker listen.
///
/// # Errors
/// Somebody else listens there since they were bound.
pub(super) fn listen(sockets: Vec<(usize, Bound)>) -> anyhow::Result<Vec<(usize, TcpListener)>> {
    let listen = |(place, socket): (usize, Bound)| {
        let address = socket.local_addr()?;
        Ok((place, socket.listen().with_context(|| format!("cannot listen on {address}"))?))
    };
    sockets.into_iter().map(listen).collect()
}

/// Opens what is asked for.
///
/// # Errors
/// An address is in use, not ours to bind, or not of this machine; or the service manager has opened a socket
/// for something else.
pub(super) fn open(
    wanted: &[ListenAddr],
    admin: Option<ListenAddr>,
    workers: usize,
    mut inherited: Inherited,
) -> anyhow::Result<Listeners> {
    let mut all =
        Listeners { of_workers: (0..workers).map(|_| Vec::new()).collect(), ..Listeners::default() };
    // First, because a socket that is named for the admin pages may have an address of `listen` too.
    if let Some(address) = admin.map(ListenAddr::socket_addr) {
        let taken = inherited.take(Use::Admin, address).into_iter().next();
        let listener = match taken {
            Some(listener) => listener,
            None => bind_admin(address)?,
        };
        all.kept.push((Use::Admin.name(address), listener.try_clone()?));
        all.admin = Some(listener);
    }
    for (place, address) in wanted.iter().copied().map(ListenAddr::socket_addr).enumerate() {
        let sockets = share(address, workers, inherited.take(Use::Listen, address))?;
        let name = Use::Listen.name(address);
        all.addresses.extend(sockets.first().map(Bound::local_addr).transpose()?);
        for (number, socket) in sockets.into_iter().enumerate() {
            all.kept.push((name.clone(), socket.try_clone()?));
            if let Some(worker) = all.of_workers.get_mut(number.checked_rem(workers).unwrap_or_default()) {
                worker.push((place, socket));
            }
        }
    }
    let left: Vec<String> = inherited.left_by_service_manager().map(|address| address.to_string()).collect();
    ensure!(
        left.is_empty(),
        "the service manager has opened {}, where neither `listen` nor `admin` says to listen",
        left.join(" and ")
    );
    Ok(all)
}

/// At least one socket for each worker: those there are, and as many more as are missing.
fn share(wanted: SocketAddr, workers: usize, sockets: Vec<TcpListener>) -> anyhow::Result<Vec<Bound>> {
    let mut sockets: Vec<Bound> = sockets.into_iter().map(Bound::listening).collect();
    let mut address = wanted;
    match sockets.first() {
        Some(inherited) => address = inherited.local_addr()?,
        None => claim(address)?,
    }
    let inherited = sockets.len();
    for number in sockets.len()..workers {
        let socket = match Bound::at(address) {
            Ok(socket) => socket,
            // A socket that does not share its port, such as one of the service manager, is shared itself.
            Err(problem) => match sockets.get(number.checked_rem(inherited).unwrap_or_default()) {
                Some(socket) => Bound::listening(socket.try_clone()?),
                None => return Err(problem).with_context(|| format!("cannot listen on {address}")),
            },
        };
        address = socket.local_addr()?;
        sockets.push(socket);
    }
    Ok(sockets)
}

/// `SO_REUSEPORT` would let two gateways of one user share a port without a word; a plain bind does not.
fn claim(address: SocketAddr) -> anyhow::Result<()> {
    if address.port() != 0 {
        TcpListener::bind(address)
            .with_context(|| format!("cannot listen on {address}; `--listen` chooses another address"))?;
    }
    Ok(())
}

fn bind_admin(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).with_context(|| {
        format!("cannot listen on {address} for the admin pages; `--admin` chooses another address")
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
