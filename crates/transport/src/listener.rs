//! Listening sockets: one a worker and address, spread by the kernel.

use crate::drain::{Counted, Drain};
use crate::entrance;
use crate::service::Service;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use torana_limit::Seat;

/// Connections that the kernel holds for us until we accept them.
const BACKLOG: i32 = 4096;
/// How long to wait when the process is out of file descriptors; the backlog holds the newcomers.
const PAUSE_AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(50);

/// An accept that failed for a reason that will not go away by itself.
#[derive(Debug)]
pub struct AcceptError(pub io::Error);

/// A socket that has its address. The kernel takes connections for it once it listens: one that goes away before takes
/// none with it.
#[derive(Debug)]
pub struct Bound {
    socket: std::net::TcpListener,
    listens: bool,
}

impl Bound {
    /// Binds a socket that others may share the address with by `SO_REUSEPORT`.
    ///
    /// # Errors
    /// The address is in use by somebody else, not ours to bind, or not of this machine.
    pub fn at(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        Ok(Self { socket: socket.into(), listens: false })
    }

    /// One that listens already.
    #[must_use]
    pub const fn listening(socket: std::net::TcpListener) -> Self {
        Self { socket, listens: true }
    }

    /// The address, with the real port.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The same socket once more; it listens when this one does.
    ///
    /// # Errors
    /// The process has no file descriptor left.
    pub fn try_clone(&self) -> io::Result<std::net::TcpListener> {
        self.socket.try_clone()
    }

    /// Has the kernel take connections from here on.
    ///
    /// # Errors
    /// Somebody else listens at the address since it was bound.
    pub fn listen(self) -> io::Result<std::net::TcpListener> {
        if !self.listens {
            SockRef::from(&self.socket).listen(BACKLOG)?;
        }
        Ok(self.socket)
    }
}

/// Binds a listening socket that other workers may share by `SO_REUSEPORT`.
///
/// # Errors
/// The address is in use by somebody else, not ours to bind, or not of this machine.
pub fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    Bound::at(address)?.listen()
}

/// Connections that a draining listener takes at most: more than the kernel holds for it.
const TAKEN_WHEN_DRAINING: usize = 2 * BACKLOG as usize;

/// Accepts connections and serves each in a task of this worker, until the worker drains. Then it takes what
/// the kernel holds for it, because closing the socket would reset those, and ends.
/// Must run where `tokio::task::spawn_local` works. Failed accepts are handed to `report`.
/// `number` is what the service knows the listener by.
pub async fn serve_listener<S: Service + 'static>(
    listener: TcpListener,
    number: usize,
    service: Rc<S>,
    drain: Rc<Drain>,
    report: impl Fn(AcceptError),
) {
    let seat = poll_fn(|context| Poll::Ready(drain.seat(context.waker().clone()))).await;
    loop {
        let accepted = poll_fn(|context| match drain.is_draining() {
            true => Poll::Ready(None),
            false => listener.poll_accept(context).map(Some),
        });
        match accepted.await {
            None => break,
            Some(Ok((stream, peer))) => serve_stream(stream, peer, number, &service, &drain),
            Some(Err(error)) if is_of_one_connection(&error) => {}
            Some(Err(error)) => {
                report(AcceptError(error));
                tokio::time::sleep(PAUSE_AFTER_ACCEPT_ERROR).await;
            }
        }
    }
    drop(seat);
    // The event loop may not know yet of what has arrived, so the kernel is asked.
    let listener = match listener.into_std() {
        Ok(listener) => listener,
        Err(error) => return report(AcceptError(error)),
    };
    for _ in 0..TAKEN_WHEN_DRAINING {
        match accept_now(&listener) {
            Ok((stream, peer)) => serve_stream(stream, peer, number, &service, &drain),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                report(AcceptError(error));
                tokio::time::sleep(PAUSE_AFTER_ACCEPT_ERROR).await;
            }
        }
    }
}

fn accept_now(listener: &std::net::TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, peer) = listener.accept()?;
    stream.set_nonblocking(true)?;
    Ok((TcpStream::from_std(stream)?, peer))
}

fn serve_stream<S: Service + 'static>(
    stream: TcpStream,
    peer: SocketAddr,
    number: usize,
    service: &Rc<S>,
    drain: &Rc<Drain>,
) {
    // Closed at once: what a client may have sent already is not read.
    let Some(seat) = service.seat() else { return };
    // From here on, not from the first turn of its task: a drain that starts in between waits for it too.
    let counted = drain.count();
    tokio::task::spawn_local(own(
        stream,
        peer,
        number,
        Rc::clone(service),
        Rc::clone(drain),
        (counted, seat),
    ));
}

/// The task of one connection.
async fn own<S: Service + 'static>(
    stream: TcpStream,
    peer: SocketAddr,
    number: usize,
    service: Rc<S>,
    drain: Rc<Drain>,
    (_counted, mut seat): (Counted, Seat),
) {
    let _open = Open::new(&*service);
    entrance::serve(stream, peer, number, &service, &drain, &mut seat).await;
}

/// Bytes of a connection's task, which every open connection pays for, idle or not. A constant, so that who
/// knows the service can hold it below a bound when compiling.
#[must_use]
pub const fn connection_task_bytes<S: Service + 'static>() -> usize {
    const fn returned<A, B, C, D, E, F, R>(_: &impl Fn(A, B, C, D, E, F) -> R) -> usize {
        size_of::<R>()
    }
    returned(&own::<S>)
}

/// Tells the service of a connection's end, also when its task panics or is dropped.
struct Open<'a, S: Service>(&'a S);

impl<'a, S: Service> Open<'a, S> {
    fn new(service: &'a S) -> Self {
        service.opened();
        Self(service)
    }
}

impl<S: Service> Drop for Open<'_, S> {
    fn drop(&mut self) {
        self.0.closed();
    }
}

/// Whether the error is about the connection that was to be accepted, not about the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
