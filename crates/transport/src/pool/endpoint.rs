//! An endpoint as all workers see it, and how a connection to it is opened.

use super::address::Address;
use super::settings::EndpointSettings;
use super::usage::EndpointUsage;
use super::wanted::Wanted;
use crate::io::{Io, Stream};
use crate::tls::{HandshakeFailure, Protocol, TlsClient, TlsStream};
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use torana_fault::{Fault, Reason, Retry};
use torana_http::proxy_protocol::{Introduction, ProxyVersion, write_introduction};

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
    /// Whether HTTP/2 may be spoken with it, as far as is known without a connection.
    #[must_use]
    pub fn may_speak_http2(&self) -> bool {
        match &self.tls {
            Some(tls) => tls.offers(Protocol::Http2),
            None => self.settings.protocol == Protocol::Http2,
        }
    }

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
            let reason = match fault.failure {
                HandshakeFailure::NoCommonProtocol if whole => Reason::UpgradeImpossible,
                _ => Reason::UpstreamTlsFailed,
            };
            self.failed(reason, &fault)
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
}
