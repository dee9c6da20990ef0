//! The ways into the gateway.

use std::net::SocketAddr;
use std::time::Duration;

use super::Mixer;
use crate::client::Client;
use crate::http2::Http2Client;
use crate::tls::TlsOptions;

/// What a client waits that behaves: more than any deadline of the gateway.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a gateway is that serves a [`Site`](super::Site).
#[derive(Clone, Copy, Debug)]
pub struct Gateway {
    /// Its plain listener.
    pub plain: SocketAddr,
    /// Its listener with TLS.
    pub secure: SocketAddr,
    /// Its admin pages.
    pub admin: SocketAddr,
    /// Its process.
    pub pid: u32,
}

/// How clients get in.
#[derive(Clone)]
pub(super) struct Doors {
    pub(super) gateway: Gateway,
    pub(super) http1: TlsOptions,
    pub(super) http2: TlsOptions,
}

impl Doors {
    /// A connection for HTTP/1, every third by TLS. A gateway that refuses connections serves nobody.
    pub(super) fn connect(&self, random: &mut Mixer) -> Result<Client, String> {
        let client = match random.below(3) {
            0 => Client::try_connect_tls(self.gateway.secure, &self.http1, "localhost"),
            _ => Client::try_connect(self.gateway.plain),
        };
        let client = client.map_err(|error| format!("connecting: {error}"))?;
        Ok(client.deadline(PATIENCE))
    }

    /// A connection for HTTP/2, half of them by TLS.
    pub(super) fn connect_http2(&self, random: &mut Mixer) -> Result<Http2Client, String> {
        if random.below(2) == 0 {
            return Ok(Http2Client::connect(self.gateway.plain));
        }
        Http2Client::try_connect_tls(self.gateway.secure, &self.http2, "localhost")
            .map_err(|error| format!("connecting by TLS: {error}"))
    }
}
