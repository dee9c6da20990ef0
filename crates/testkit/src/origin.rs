//! A scripted HTTP/1.1 server for tests.
//!
//! Each origin has a thread with its own runtime, so that a test stays plain blocking code and a slow test
//! never slows its origins. Connections are served strictly in order; what arrives malformed is printed,
//! answered with 400 and makes the next look at the origin (or its drop) panic: a gateway that sends
//! nonsense cannot pass a test by accident.

mod connection;
mod received;
mod record;
mod reply;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

pub use self::received::ReceivedRequest;
pub use self::reply::Reply;

use self::record::Record;
use crate::{Gate, HeldPort, eventually_some};

/// What to do when a head has arrived and its body has not.
pub enum UponHead {
    /// Read the body, then ask the script. `Expect: 100-continue` is answered with 100 before.
    ReadBody,
    /// Wait for the gate without reading a byte, then go on as [`ReadBody`](UponHead::ReadBody): the peer
    /// runs into full buffers.
    ReadBodyAfter(Gate),
    /// Send these bytes verbatim (an interim response), then read the body and ask the script.
    Send(Vec<u8>),
    /// Answer now, before the body is read; the body is read afterwards unless the reply ends the connection.
    Reply(Reply),
}

type Script = dyn Fn(&ReceivedRequest) -> Reply + Send + Sync;
type HeadScript = dyn Fn(&ReceivedRequest) -> UponHead + Send + Sync;

struct Scripts {
    upon_head: Box<HeadScript>,
    respond: Box<Script>,
}

/// A real server on a free port of 127.0.0.1; see the [crate's page](crate).
pub struct Origin {
    address: SocketAddr,
    scripts: Arc<Scripts>,
    record: Arc<Record>,
    state: Mutex<State>,
}

/// Whether it serves.
struct State {
    running: Option<Running>,
    /// The port of one that was killed, so that it is nobody else's meanwhile.
    held: Option<HeldPort>,
}

struct Running {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Origin {
    /// Starts an origin that reads each request whole and answers with what `script` returns.
    #[track_caller]
    pub fn respond(script: impl Fn(&ReceivedRequest) -> Reply + Send + Sync + 'static) -> Self {
        Self::respond_upon_head(|_| UponHead::ReadBody, script)
    }

    /// Starts an origin that gives every request the same answer.
    #[track_caller]
    pub fn always(reply: Reply) -> Self {
        Self::respond(move |_| reply.clone())
    }

    /// Starts an origin that asks `upon_head` when a head has arrived (with an empty body), and `script` when
    /// the body has, unless `upon_head` already answered.
    #[track_caller]
    pub fn respond_upon_head(
        upon_head: impl Fn(&ReceivedRequest) -> UponHead + Send + Sync + 'static,
        script: impl Fn(&ReceivedRequest) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on 127.0.0.1");
        let address = listener.local_addr().expect("a bound socket has an address");
        let scripts = Arc::new(Scripts { upon_head: Box::new(upon_head), respond: Box::new(script) });
        let record = Arc::new(Record::default());
        let running = Some(start(listener, &scripts, &record));
        Self { address, scripts, record, state: Mutex::new(State { running, held: None }) }
    }

    /// Where it listens; the port stays the same over [`restart`](Self::restart).
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request whose head has arrived, in the order of arrival; over restarts as well.
    ///
    /// # Panics
    /// When something malformed arrived, or a script panicked; so does every other look at the record.
    #[must_use]
    #[track_caller]
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.record.read(|record| record.requests.clone())
    }

    /// The targets of every request whose head has arrived, as [`requests`](Self::requests) gives them.
    #[must_use]
    #[track_caller]
    pub fn targets(&self) -> Vec<String> {
        self.record.read(|record| record.requests.iter().map(|request| request.target.clone()).collect())
    }

    /// The only request.
    ///
    /// # Panics
    /// When there is none, or more than one.
    #[must_use]
    #[track_caller]
    pub fn only_request(&self) -> ReceivedRequest {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "requests received: {requests:#?}");
        requests.remove(0)
    }

    /// How many requests' heads have arrived.
    #[must_use]
    #[track_caller]
    pub fn count(&self) -> usize {
        self.record.read(|record| record.requests.len())
    }

    /// Waits until `number` requests have arrived whole (or were given up by the peer) and returns all.
    ///
    /// # Panics
    /// When `deadline` passes first.
    #[track_caller]
    pub fn wait_for(&self, number: usize, deadline: Duration) -> Vec<ReceivedRequest> {
        eventually_some(deadline, || {
            let requests = self.requests();
            let settled = requests.iter().filter(|request| request.complete || request.abandoned).count();
            (settled >= number).then_some(requests)
        })
    }

    /// How many connections are open now.
    #[must_use]
    #[track_caller]
    pub fn connections_open(&self) -> usize {
        self.record.read(|record| record.connections_open)
    }

    /// How many connections were accepted since the start, over restarts as well.
    #[must_use]
    #[track_caller]
    pub fn connections_accepted(&self) -> usize {
        self.record.read(|record| record.connections_accepted)
    }

    /// Bytes read from all connections: what a peer could get rid of under back-pressure.
    #[must_use]
    #[track_caller]
    pub fn bytes_received(&self) -> u64 {
        self.record.read(|record| record.bytes_received)
    }

    /// Bytes that the kernel took from the origin, on all connections.
    #[must_use]
    #[track_caller]
    pub fn bytes_sent(&self) -> u64 {
        self.record.read(|record| record.bytes_sent)
    }

    /// Takes the complaints about malformed input, for the tests that provoke it; without this they panic.
    #[must_use]
    pub fn take_complaints(&self) -> Vec<String> {
        self.record.take_complaints()
    }

    /// Forgets all requests so far; numbers of connections go on.
    pub fn forget(&self) {
        self.record.forget();
    }

    /// Stops listening and drops all connections at once; a new connection is then refused. The port stays its
    /// own. Nothing happens when it is stopped already.
    pub fn kill(&self) {
        let running = self.state().running.take();
        if let Some(Running { stop, thread }) = running {
            let _gone = stop.send(());
            thread.join().expect("the origin's thread does not panic");
            self.state().held = HeldPort::at(self.address).ok();
        }
    }

    /// Listens again on the same port after [`kill`](Self::kill); kills first when still running.
    ///
    /// # Panics
    /// When the port has been taken by another process for [`DEADLINE`](crate::DEADLINE).
    #[track_caller]
    pub fn restart(&self) {
        self.kill();
        let listener = eventually_some(crate::DEADLINE, || TcpListener::bind(self.address).ok());
        let running = start(listener, &self.scripts, &self.record);
        *self.state() = State { running: Some(running), held: None };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under this lock")
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.kill();
        let complaints = self.record.take_complaints();
        if !std::thread::panicking() {
            assert!(complaints.is_empty(), "the origin complains: {complaints:#?}");
        }
    }
}

fn start(listener: TcpListener, scripts: &Arc<Scripts>, record: &Arc<Record>) -> Running {
    let (stop, stopped) = oneshot::channel();
    let (scripts, record) = (Arc::clone(scripts), Arc::clone(record));
    listener.set_nonblocking(true).expect("a socket can be made non-blocking");
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime for the origin").block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listening socket");
            tokio::select! {
                _ = stopped => {}
                () = accept(listener, scripts, record) => {}
            }
        });
        // Dropping the runtime drops every connection's task, and with it its socket.
    };
    let thread = std::thread::Builder::new().name("origin".to_owned()).spawn(work);
    Running { stop, thread: thread.expect("a thread for the origin") }
}

async fn accept(listener: tokio::net::TcpListener, scripts: Arc<Scripts>, record: Arc<Record>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let _ = stream.set_nodelay(true);
                tokio::spawn(connection::serve(stream, peer, Arc::clone(&scripts), Arc::clone(&record)));
            }
            Err(error) => record.complain(format!("accept failed: {error}")),
        }
    }
}
