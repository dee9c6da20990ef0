//! Connections to the admin pages: few, short, and none at another's cost.
//!
//! One request each and a deadline for the whole, so that nobody holds a place for long. When all places are
//! taken, a newcomer gets that of the connection that has waited longest to send its request: a real client
//! sends it at once, a flood of idle ones only pushes itself out.

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service as _;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::collections::VecDeque;
use std::fs::File;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

/// Largest head that the library reads. What is beyond our own bounds and within these is told so; what is
/// beyond these too gets a status alone.
const READ_BYTES: usize = 64 * 1024;
const READ_COUNT: usize = 1_024;
/// How long to wait when the process is out of file descriptors.
const PAUSE_AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(50);

/// What clients of the admin pages may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Connections at once.
    pub connections: usize,
    /// From the connection to the end of the request's head.
    pub head_timeout: Duration,
    /// From the connection to the end of the response.
    pub total_timeout: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { connections: 64, head_timeout: Duration::from_secs(5), total_timeout: Duration::from_secs(30) }
    }
}

pub(crate) async fn serve(
    listener: TcpListener,
    routes: Router,
    bounds: Bounds,
    Reserve(mut spare): Reserve,
    shutdown: impl Future<Output = ()>,
) {
    let mut shutdown = pin!(shutdown);
    let mut open = Open::default();
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            Some(_) = open.tasks.join_next() => {
                refill(&mut spare);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                open.make_room(bounds.connections).await;
                open.take(stream, routes.clone(), bounds);
            }
            Err(problem) if problem.kind() == io::ErrorKind::ConnectionAborted => {}
            // Probes are answered also when clients have taken every descriptor.
            Err(_) if spare.pop().is_some() => {}
            Err(_) => tokio::time::sleep(PAUSE_AFTER_ACCEPT_ERROR).await,
        }
    }
    drop(listener);
    // Each has its deadline.
    while open.tasks.join_next().await.is_some() {}
}

/// File descriptors to let go of, one by one, when there is none for a connection.
const SPARE: usize = 8;

/// Descriptors for the admin pages alone. To be taken before anybody serves clients, who may use up all others
/// within milliseconds.
#[derive(Debug)]
pub struct Reserve(Vec<File>);

impl Reserve {
    /// Opens them, as far as there are any.
    #[must_use]
    pub fn take() -> Self {
        let mut spare = Vec::with_capacity(SPARE);
        refill(&mut spare);
        Self(spare)
    }
}

/// Some more spare descriptors, as far as there are any.
fn refill(spare: &mut Vec<File>) {
    while spare.len() < SPARE {
        let Ok(file) = File::open("/dev/null") else { return };
        spare.push(file);
    }
}

/// The connections at this moment.
#[derive(Default)]
struct Open {
    tasks: JoinSet<()>,
    /// The oldest first.
    seats: VecDeque<Seat>,
}

struct Seat {
    task: AbortHandle,
    /// Whether its request has arrived.
    asked: Arc<AtomicBool>,
}

impl Open {
    /// Takes a place from a connection that has not asked yet, when there is none; where all have asked,
    /// waits for one of them, whose deadline runs. Newcomers wait in the kernel meanwhile.
    async fn make_room(&mut self, places: usize) {
        loop {
            self.seats.retain(|seat| !seat.task.is_finished());
            if self.seats.len() < places {
                return;
            }
            let longest = self.seats.iter().position(|seat| !seat.asked.load(Ordering::Relaxed));
            match longest.and_then(|longest| self.seats.remove(longest)) {
                Some(seat) => return seat.task.abort(),
                None => self.tasks.join_next().await,
            };
        }
    }

    fn take(&mut self, stream: TcpStream, routes: Router, bounds: Bounds) {
        let asked = Arc::new(AtomicBool::new(false));
        let task = self.tasks.spawn(serve_connection(stream, routes, bounds, Arc::clone(&asked)));
        self.seats.push_back(Seat { task, asked });
    }
}

async fn serve_connection(stream: TcpStream, routes: Router, bounds: Bounds, asked: Arc<AtomicBool>) {
    let routes = TowerToHyperService::new(routes);
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        asked.store(true, Ordering::Relaxed);
        routes.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head_timeout)
        .max_buf_size(READ_BYTES)
        .max_headers(READ_COUNT)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // An end by a deadline or a mistake of the client is nobody's concern here.
    let _ = timeout(bounds.total_timeout, connection).await;
}
