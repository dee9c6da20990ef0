//! A data-plane thread: one runtime, its own listening sockets, its own pools.

use crate::gateway::Gateway;
use crate::local_thread;
use crate::shared::Shared;
use crate::upstream::Pools;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use torana_transport::{AcceptError, Drain, connection_task_bytes, serve_listener};

/// How often a draining worker looks whether its last connection has ended.
const DRAIN_POLL: Duration = Duration::from_millis(20);

/// What a connection's task may hold: ten thousand idle ones cost that much ten thousand times.
const CONNECTION_TASK_BYTES: usize = 1024;
const _: () = assert!(
    connection_task_bytes::<Gateway>() <= CONNECTION_TASK_BYTES,
    "an idle connection must not hold what only a request needs: box that"
);

/// Listening sockets, each with the number of its listener in the plan.
type Sockets = Vec<(usize, std::net::TcpListener)>;

/// A running worker.
#[derive(Debug)]
pub struct WorkerHandle {
    thread: JoinHandle<Option<bool>>,
    /// `None` once it has its sockets.
    give: Option<oneshot::Sender<Sockets>>,
    stop: watch::Sender<Option<Duration>>,
}

impl WorkerHandle {
    /// Gives the worker the sockets that it accepts connections from, each with the number of its listener in the plan.
    /// It takes them once.
    pub fn serve(&mut self, sockets: Vec<(usize, std::net::TcpListener)>) {
        if let Some(give) = self.give.take() {
            // A worker that has ended serves nobody.
            let _ = give.send(sockets);
        }
    }

    /// Tells the worker to accept nothing more and to end within `deadline`.
    pub fn drain(&self, deadline: Duration) {
        // A worker that has ended already needs no telling.
        let _ = self.stop.send(Some(deadline));
    }

    /// Waits until the worker has taken notice of [`Self::drain`]: every response that begins from then on
    /// says that its connection closes.
    pub async fn noticed(&self) {
        self.stop.closed().await;
    }

    /// Waits for the thread.
    #[must_use]
    pub fn join(self) -> Ended {
        match self.thread.join() {
            Ok(Some(false)) => Ended::CutOff,
            Ok(_) => Ended::Whole,
            Err(_) => Ended::Panicked,
        }
    }
}

/// How a worker has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every request has ended before.
    Whole,
    /// The deadline has passed before the last request.
    CutOff,
    /// By a mistake in the worker itself.
    Panicked,
}

/// Starts a worker on its own thread. It serves nobody before [`WorkerHandle::serve`].
/// `report` is told of accepts that fail.
///
/// # Errors
/// The thread or its runtime cannot be made.
pub fn start_worker(
    name: String,
    shared: Arc<Shared>,
    report: impl Fn(AcceptError) + Clone + Send + 'static,
) -> io::Result<WorkerHandle> {
    let (stop, stopped) = watch::channel(None);
    let (give, given) = oneshot::channel();
    let thread = local_thread::start(name, move || work(given, shared, report, stopped))?;
    Ok(WorkerHandle { thread, give: Some(give), stop })
}

/// `true`: every connection has ended by itself.
async fn work(
    given: oneshot::Receiver<Sockets>,
    shared: Arc<Shared>,
    report: impl Fn(AcceptError) + Clone + 'static,
    mut stopped: watch::Receiver<Option<Duration>>,
) -> bool {
    let pools = Rc::new(Pools::within(Arc::clone(&shared.overload.memory)));
    let gateway = Rc::new(Gateway::new(shared, Rc::clone(&pools)));
    let drain = Rc::new(Drain::default());
    let refreshed = Rc::clone(&gateway);
    let housekeeping =
        tokio::task::spawn_local(async move { pools.keep_house(|| refreshed.refresh()).await });
    let measured = Rc::clone(&gateway);
    let measuring = tokio::task::spawn_local(async move { measured.watch_queue().await });
    let sockets = tokio::select! {
        sockets = given => sockets.unwrap_or_default(),
        _ = stopped.wait_for(Option::is_some) => Sockets::new(),
    };
    let mut accepting = Vec::new();
    for (number, listener) in sockets {
        match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => accepting.push(tokio::task::spawn_local(serve_listener(
                listener,
                number,
                Rc::clone(&gateway),
                Rc::clone(&drain),
                report.clone(),
            ))),
            Err(error) => report(AcceptError(error)),
        }
    }
    // The sender is gone only when the process is ending; then there is no time to give.
    let deadline = match stopped.wait_for(Option::is_some).await {
        Ok(deadline) => deadline.unwrap_or_default(),
        Err(_) => Duration::ZERO,
    };
    drain.start();
    // Tells the other side that the notice has been taken.
    drop(stopped);
    let ended = async {
        for task in accepting {
            // A listener's task that has panicked accepts nothing more either.
            let _ = task.await;
        }
        while drain.connections() > 0 {
            tokio::time::sleep(DRAIN_POLL).await;
        }
    };
    // Past the deadline the connections that are left end with the thread.
    let in_time = tokio::time::timeout(deadline, ended).await.is_ok();
    housekeeping.abort();
    measuring.abort();
    in_time
}
