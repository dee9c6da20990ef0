//! A scripted HTTP/2 server, over the `h2` library, in a thread of its own.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::sync::oneshot;

use crate::Gate;

/// One request as the origin received it.
#[derive(Clone, Debug)]
pub struct Http2Request {
    /// The number of its connection, counted from 1.
    pub connection: usize,
    /// The method.
    pub method: String,
    /// `:scheme`, `:authority` and `:path` as one.
    pub uri: http::Uri,
    /// The fields.
    pub headers: HeaderMap,
    /// The body, once it is whole.
    pub body: Vec<u8>,
    /// The trailers, when there were any.
    pub trailers: Option<HeaderMap>,
    /// Whether it arrived whole.
    pub complete: bool,
}

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct Http2Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    trailers: Vec<(String, String)>,
    gate: Option<Gate>,
    reset: Option<h2::Reason>,
    /// After so many bytes of the body.
    reset_after: usize,
    echo: bool,
}

impl Http2Reply {
    /// 200 with this body.
    #[must_use]
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, body: body.into(), ..Self::default() }
    }

    /// Resets the stream instead of an answer.
    #[must_use]
    pub fn reset(reason: h2::Reason) -> Self {
        Self { reset: Some(reason), ..Self::default() }
    }

    /// Resets the stream after the head and so many bytes of the body.
    #[must_use]
    pub const fn reset_after(mut self, bytes: usize, reason: h2::Reason) -> Self {
        self.reset = Some(reason);
        self.reset_after = bytes;
        self
    }

    /// Answers at once and sends back each piece of the body as it comes; the reply's own body comes last.
    #[must_use]
    pub fn echo() -> Self {
        Self { echo: true, ..Self::ok("") }
    }

    /// With this status.
    #[must_use]
    pub const fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// With this field.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With this trailer.
    #[must_use]
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        self.trailers.push((name.into(), value.into()));
        self
    }

    /// Says nothing before the gate opens.
    #[must_use]
    pub fn after(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }
}

type Script = dyn Fn(&Http2Request) -> Http2Reply + Send + Sync;

#[derive(Default)]
struct Record {
    requests: Mutex<Vec<Http2Request>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    running: AtomicUsize,
    most_running: AtomicUsize,
    cancelled: AtomicUsize,
}

/// A real server on a free port of 127.0.0.1.
pub struct Http2Origin {
    address: SocketAddr,
    record: Arc<Record>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Http2Origin {
    /// Starts an origin that asks the script when a head has arrived for [`Http2Reply::echo`], else when the
    /// whole request has.
    #[must_use]
    #[track_caller]
    pub fn respond(script: impl Fn(&Http2Request) -> Http2Reply + Send + Sync + 'static) -> Self {
        Self::with(&h2::server::Builder::new(), script)
    }

    /// As [`respond`](Self::respond), with settings of the test's own.
    #[must_use]
    #[track_caller]
    pub fn with(
        builder: &h2::server::Builder,
        script: impl Fn(&Http2Request) -> Http2Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on 127.0.0.1");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("a bound socket has an address");
        let record = Arc::new(Record::default());
        let (stop, stopped) = oneshot::channel();
        let (builder, script, shared) = (builder.clone(), Arc::new(script), Arc::clone(&record));
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    () = accept(listener, builder, script, shared) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, record, stop: Some(stop), thread: Some(thread) }
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.address
    }

    /// `h2://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> String {
        format!("h2://{}", self.address)
    }

    /// Every request that has arrived, whole or given up.
    #[must_use]
    #[track_caller]
    pub fn requests(&self) -> Vec<Http2Request> {
        self.record.requests.lock().expect("nothing panics under this lock").clone()
    }

    /// Forgets all requests so far; numbers of connections go on.
    pub fn forget(&self) {
        self.record.requests.lock().expect("nothing panics under this lock").clear();
    }

    /// Connections since the start.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.record.connections.load(Ordering::SeqCst)
    }

    /// Connections at this moment.
    #[must_use]
    pub fn connections_open(&self) -> usize {
        self.record.open.load(Ordering::SeqCst)
    }

    /// Requests at this moment.
    #[must_use]
    pub fn running(&self) -> usize {
        self.record.running.load(Ordering::SeqCst)
    }

    /// The most requests there were at once.
    #[must_use]
    pub fn most_running(&self) -> usize {
        self.record.most_running.load(Ordering::SeqCst)
    }

    /// Requests that the peer has cancelled.
    #[must_use]
    pub fn cancelled(&self) -> usize {
        self.record.cancelled.load(Ordering::SeqCst)
    }
}

impl Drop for Http2Origin {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the origin panicked");
        }
    }
}

/// Counts for as long as it lives.
struct Count<'a>(&'a AtomicUsize);

impl<'a> Count<'a> {
    fn new(counter: &'a AtomicUsize) -> Self {
        counter.fetch_add(1, Ordering::SeqCst);
        Self(counter)
    }
}

impl Drop for Count<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn accept(
    listener: tokio::net::TcpListener,
    builder: h2::server::Builder,
    script: Arc<Script>,
    record: Arc<Record>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).expect("a connected socket");
        let number = record.connections.fetch_add(1, Ordering::SeqCst) + 1;
        let (builder, script, record) = (builder.clone(), Arc::clone(&script), Arc::clone(&record));
        tokio::spawn(async move {
            let _open = Count::new(&record.open);
            let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else { return };
            while let Some(Ok((request, respond))) = connection.accept().await {
                let (script, record) = (Arc::clone(&script), Arc::clone(&record));
                tokio::spawn(async move {
                    let _running = Count::new(&record.running);
                    let running = record.running.load(Ordering::SeqCst);
                    record.most_running.fetch_max(running, Ordering::SeqCst);
                    if serve(number, request, respond, &*script, &record).await.is_err() {
                        record.cancelled.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
    }
}

async fn serve(
    connection: usize,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    script: &Script,
    record: &Record,
) -> Result<(), h2::Error> {
    let (parts, mut stream) = request.into_parts();
    let mut received = Http2Request {
        connection,
        method: parts.method.to_string(),
        uri: parts.uri,
        headers: parts.headers,
        body: Vec::new(),
        trailers: None,
        complete: false,
    };
    let mut reply = script(&received);
    let mut body = None;
    if reply.echo {
        body = Some(respond.send_response(head_of(&reply), false)?);
    }
    let read = read(&mut stream, &mut received, body.as_mut()).await;
    received.complete = read.is_ok();
    record.requests.lock().expect("nothing panics under this lock").push(received.clone());
    read?;
    if !reply.echo {
        reply = script(&received);
    }
    if let Some(gate) = &reply.gate {
        let gate = gate.clone();
        let opened = async {
            while !gate.is_open() {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        };
        unless_reset(&mut respond, opened).await?;
    }
    if let Some(reason) = reply.reset {
        if reply.status == 0 {
            respond.send_reset(reason);
            return Ok(());
        }
        let mut body = respond.send_response(head_of(&reply), false)?;
        reply.body.truncate(reply.reset_after);
        send(&mut body, Bytes::from(reply.body), false).await?;
        body.send_reset(reason);
        return Ok(());
    }
    let ends = reply.trailers.is_empty();
    let mut body = match body {
        Some(body) => body,
        None => respond.send_response(head_of(&reply), ends && reply.body.is_empty())?,
    };
    if !reply.body.is_empty() || reply.echo && ends {
        send(&mut body, Bytes::from(std::mem::take(&mut reply.body)), ends).await?;
    }
    if !ends {
        let trailers = reply.trailers.iter();
        let trailers =
            trailers.map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")));
        body.send_trailers(trailers.collect())?;
    }
    Ok(())
}

fn head_of(reply: &Http2Reply) -> Response<()> {
    let mut head = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        head = head.header(name, value);
    }
    head.body(()).expect("a response")
}

async fn read(
    stream: &mut RecvStream,
    received: &mut Http2Request,
    mut echo: Option<&mut SendStream<Bytes>>,
) -> Result<(), h2::Error> {
    while let Some(piece) = stream.data().await {
        let piece = piece?;
        stream.flow_control().release_capacity(piece.len())?;
        received.body.extend_from_slice(&piece);
        if let Some(echo) = &mut echo {
            send(echo, piece, false).await?;
        }
    }
    received.trailers = stream.trailers().await?;
    Ok(())
}

/// Sends with the flow control that the peer asks for.
async fn send(stream: &mut SendStream<Bytes>, mut data: Bytes, ends: bool) -> Result<(), h2::Error> {
    if data.is_empty() {
        return stream.send_data(data, ends);
    }
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let room = match stream.capacity() {
            0 => std::future::poll_fn(|context| stream.poll_capacity(context)).await,
            room => Some(Ok(room)),
        };
        let room = room.ok_or(h2::Error::from(h2::Reason::CANCEL))??;
        let piece = data.split_to(room.min(data.len()));
        stream.send_data(piece, ends && data.is_empty())?;
    }
    Ok(())
}

async fn unless_reset(
    respond: &mut SendResponse<Bytes>,
    future: impl Future<Output = ()>,
) -> Result<(), h2::Error> {
    tokio::select! {
        () = future => Ok(()),
        reset = std::future::poll_fn(|context| respond.poll_reset(context)) => {
            Err(reset.unwrap_or(h2::Reason::CANCEL).into())
        }
    }
}
