//! An endpoint as all workers see it: where it is, what it may cost, and how much of that is in use.

use super::reach::reach;
use super::wanted::Wanted;
use crate::h2::{ConnectionEnd, UpstreamHttp2};
use crate::io::{Io, Stream};
use crate::tls::{HandshakeFailure, HandshakeFault, Protocol, TlsClient, TlsStream};
use socket2::TcpKeepalive;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use torana_fault::{Fault, Reason, Retry};
use torana_http::proxy_protocol::{Introduction, ProxyVersion, write_introduction};

/// Where an endpoint is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// An address and port.
    Socket(SocketAddr),
    /// A host name, resolved at each new connection, and a port.
    Name(Arc<str>, u16),
}

impl Address {
    async fn connect(&self) -> io::Result<TcpStream> {
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

/// Bounds of the connections to one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EndpointSettings {
    /// Connections at once, over all workers.
    pub max_connections: usize,
    /// Requests at once that wait for one, over all workers.
    pub max_queue: usize,
    /// How long a request waits for one.
    pub queue_timeout: Duration,
    /// How long opening one may take.
    pub connect_timeout: Duration,
    /// How long one is kept without use.
    pub idle_timeout: Duration,
    /// How long one is kept at all.
    pub max_age: Duration,
    /// What is spoken where no handshake decides.
    pub protocol: Protocol,
    /// Bounds of connections that carry many requests.
    pub http2: UpstreamHttp2,
}

impl Default for EndpointSettings {
    fn default() -> Self {
        Self {
            max_connections: 100,
            max_queue: 1000,
            queue_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(60),
            max_age: Duration::from_secs(60 * 60),
            protocol: Protocol::Http1,
            http2: UpstreamHttp2::default(),
        }
    }
}

/// Counters for metrics. All are read without stopping anybody, so they may be a moment apart.
#[derive(Debug, Default)]
pub struct EndpointUsage {
    open: AtomicUsize,
    idle: AtomicUsize,
    waiting: AtomicUsize,
    created: AtomicU64,
    reused: AtomicU64,
    lost: AtomicU64,
    broken: Mutex<BTreeMap<&'static str, u64>>,
}

impl EndpointUsage {
    /// Connections that are open or being opened.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Connections that sit idle.
    pub fn idle(&self) -> usize {
        self.idle.load(Ordering::Relaxed)
    }

    /// Requests that wait for a connection.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Connections opened since the start.
    pub fn created(&self) -> u64 {
        self.created.load(Ordering::Relaxed)
    }

    /// Requests that found a kept-alive connection.
    pub fn reused(&self) -> u64 {
        self.reused.load(Ordering::Relaxed)
    }

    /// Connections that were given up because the endpoint answered no PING, or took nothing for too long.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// HTTP/2 connections that were ended for what the endpoint did, by the label of the cause.
    pub fn broken(&self) -> Vec<(&'static str, u64)> {
        let broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        broken.iter().map(|(cause, count)| (*cause, *count)).collect()
    }

    pub(super) fn reuse(&self) {
        self.reused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn became_idle(&self) {
        self.idle.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn left_idle(&self) {
        self.idle.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One endpoint, shared by all workers.
#[derive(Debug)]
pub struct Endpoint {
    /// Where it is.
    pub address: Address,
    /// Its bounds.
    pub settings: EndpointSettings,
    /// What is asked of it before the first request; `None` is plain HTTP.
    pub tls: Option<Arc<TlsClient>>,
    /// The header that connections begin with, to say whom they are for.
    pub introduces: Option<ProxyVersion>,
    /// Its counters.
    pub usage: EndpointUsage,
    /// Told when a place under the cap becomes free.
    pub(super) freed: Notify,
    /// Told when a place is wanted: every worker's housekeeping listens.
    wanted: Mutex<Vec<Arc<Notify>>>,
    /// Whether the last connection carried one request at a time.
    single: AtomicBool,
}

impl Endpoint {
    /// An endpoint without connections.
    #[must_use]
    pub fn new(address: Address, settings: EndpointSettings) -> Arc<Self> {
        Self::reached_by(address, settings, None, None)
    }

    /// An endpoint without connections, to be reached by TLS, or by ones that say whom they are for.
    #[must_use]
    pub fn reached_by(
        address: Address,
        settings: EndpointSettings,
        tls: Option<Arc<TlsClient>>,
        introduces: Option<ProxyVersion>,
    ) -> Arc<Self> {
        Arc::new(Self {
            address,
            settings,
            tls,
            introduces,
            usage: EndpointUsage::default(),
            freed: Notify::new(),
            wanted: Mutex::default(),
            single: AtomicBool::new(false),
        })
    }

    /// Opens a connection, handshake included; the caller sets the deadline. Nothing of a request has been
    /// sent when it fails, so the fault may be retried elsewhere.
    pub(super) async fn connect(&self, wanted: Wanted<'_>) -> Result<(Io, Protocol), Fault> {
        let tcp = self.dial(wanted).await?;
        let Some(tls) = &self.tls else { return Ok((Io::new(Stream::Tcp(tcp)), self.settings.protocol)) };
        // Boxed: a request to a plain endpoint must not hold room for a handshake.
        let (stream, protocol) = Box::pin(self.agree(tls, tcp, wanted)).await?;
        Ok((Io::new(Stream::Tls(stream)), protocol))
    }

    /// Connects, and says for whom.
    async fn dial(&self, wanted: Wanted<'_>) -> Result<TcpStream, Fault> {
        let failed = |error: io::Error| self.failed(Reason::UpstreamConnectFailed, &error);
        let mut tcp = self.address.connect().await.map_err(failed)?;
        if let Some(version) = self.introduces {
            let mut header = Vec::new();
            // What the gateway asks by itself is from nobody else.
            write_introduction(wanted.client.unwrap_or(&Introduction::Itself), version, &mut header);
            tcp.write_all(&header).await.map_err(failed)?;
        }
        Ok(tcp)
    }

    /// Agrees with the endpoint on what is spoken.
    ///
    /// A server that does not know what it is offered should say so (RFC 7301 section 3.2). Some acknowledge nothing
    /// instead, which says as much as that they know nothing of ALPN: those of gRPC that are built on its C core or on
    /// Go's TLS, which close after the handshake then. Whatever was sent to them would look like a broken service. So
    /// where HTTP/1.1 alone was offered and nothing acknowledged, the endpoint is asked once more as it is for any
    /// other request, and what it chooses then is what it speaks. It is remembered where that is HTTP/1.1.
    async fn agree(
        &self,
        tls: &TlsClient,
        tcp: TcpStream,
        wanted: Wanted<'_>,
    ) -> Result<(Box<TlsStream>, Protocol), Fault> {
        let (stream, agreed) = self.shake_hands(tls, tcp, wanted.whole).await?;
        let says_nothing = wanted.whole && agreed.is_none() && tls.offers(Protocol::Http2);
        if !says_nothing || self.single.load(Ordering::Relaxed) {
            return Ok((stream, agreed.unwrap_or(Protocol::Http1)));
        }
        drop(stream);
        let tcp = self.dial(wanted).await?;
        let (stream, agreed) = self.shake_hands(tls, tcp, false).await?;
        if agreed == Some(Protocol::Http2) {
            return Err(self.failed(Reason::UpgradeImpossible, &"it chooses HTTP/2 and passes over HTTP/1.1"));
        }
        self.multiplexes(false);
        Ok((stream, Protocol::Http1))
    }

    async fn shake_hands(
        &self,
        tls: &TlsClient,
        tcp: TcpStream,
        whole: bool,
    ) -> Result<(Box<TlsStream>, Option<Protocol>), Fault> {
        tls.connect(tcp, whole).await.map_err(|fault| {
            let HandshakeFault { failure, detail } = fault;
            let reason = match failure {
                HandshakeFailure::NoCommonProtocol if whole => Reason::UpgradeImpossible,
                _ => Reason::UpstreamTlsFailed,
            };
            self.failed(reason, &format_args!("{}: {detail}", failure.label()))
        })
    }

    fn failed(&self, reason: Reason, detail: &dyn fmt::Display) -> Fault {
        Fault::new(reason).because(format!("{}: {detail}", self.address)).retry(Retry::Yes)
    }

    /// Whether the next connection may carry many requests, as far as is known before it is opened.
    pub(super) fn may_multiplex(&self) -> bool {
        match &self.tls {
            // A connection that is opened for a client carries no other's requests.
            _ if self.introduces.is_some() => false,
            None => self.settings.protocol == Protocol::Http2,
            Some(tls) => tls.offers(Protocol::Http2) && !self.single.load(Ordering::Relaxed),
        }
    }

    /// Whether a connection may be one of HTTP/1, which can be switched to another protocol.
    pub(super) fn may_switch(&self) -> bool {
        match &self.tls {
            None => self.settings.protocol == Protocol::Http1,
            Some(tls) => tls.offers(Protocol::Http1) || !tls.offers(Protocol::Http2),
        }
    }

    /// Notes whether a connection carries many requests.
    pub(super) fn multiplexes(&self, many: bool) {
        self.single.store(!many, Ordering::Relaxed);
    }

    /// Registers whom to tell when a request waits although this worker may have idle connections.
    pub fn on_wanted(&self, notify: Arc<Notify>) {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).push(notify);
    }

    /// Tells every worker that a request waits for a place.
    pub fn ask_for_room(&self) {
        if self.usage.idle() > 0 {
            for notify in self.wanted.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                notify.notify_one();
            }
        }
    }

    /// Whether a request waits for a place.
    #[must_use]
    pub fn is_waited_for(&self) -> bool {
        self.usage.waiting() > 0
    }

    /// Takes a place under the cap, if so many more are left then.
    pub(super) fn try_open(endpoint: &Arc<Self>, left: usize) -> Option<Permit> {
        let cap = endpoint.settings.max_connections.saturating_sub(left);
        endpoint
            .usage
            .open
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |open| {
                (open < cap).then(|| open.saturating_add(1))
            })
            .ok()?;
        endpoint.usage.created.fetch_add(1, Ordering::Relaxed);
        Some(Permit(Arc::clone(endpoint)))
    }

    /// Takes a place in the queue, if there is one.
    pub(super) fn queue(&self, limit: usize) -> Option<Turn<'_>> {
        self.usage
            .waiting
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |waiting| {
                (waiting < limit).then(|| waiting.saturating_add(1))
            })
            .ok()
            .map(|before| Turn { endpoint: self, before })
    }
}

/// A place under the cap; given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Endpoint>);

impl Permit {
    /// Counts the connection as given up.
    pub(crate) fn lose(&self) {
        self.0.usage.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts the connection as one that was ended for what the endpoint did.
    pub(crate) fn broke(&self, end: ConnectionEnd) {
        let mut broken = self.0.usage.broken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = broken.entry(end.label()).or_default();
        *count = count.saturating_add(1);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        // With the waiter's own order of both, one of the two sees the other: it needs one order for all.
        self.0.usage.open.fetch_sub(1, Ordering::SeqCst);
        if self.0.is_waited_for() {
            self.0.freed.notify_one();
        }
    }
}

/// A place in the queue; given back when dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    endpoint: &'a Endpoint,
    /// How many waited before, at all workers.
    pub(super) before: usize,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // One who held back for this one looks again: it may not have used what it was told of.
        if self.endpoint.usage.waiting.fetch_sub(1, Ordering::SeqCst) > 1 {
            self.endpoint.freed.notify_one();
        }
    }
}
