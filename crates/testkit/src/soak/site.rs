//! The services behind the gateway, and the configuration that leads to them.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::{Doors, Gateway, calls, script, sockets};
use crate::certificates::Authority;
use crate::http2::Http2Origin;
use crate::origin::Origin;
use crate::tls::{TlsFront, TlsOptions};

/// Services that misbehave by the number in the target.
pub struct Site {
    authority: Authority,
    /// Dropped before what it leads to.
    front: TlsFront,
    origin: Origin,
    calls: Http2Origin,
    sockets: SocketAddr,
}

impl Site {
    /// Starts all of them.
    #[must_use]
    #[track_caller]
    pub fn start() -> Self {
        let authority = Authority::default();
        let origin = Origin::respond(script::reply);
        let front = TlsFront::new(origin.addr(), &authority.issue(&["localhost"]), None);
        Self { authority, front, origin, calls: calls::service(), sockets: sockets::service() }
    }

    /// Writes a configuration that leads to them, with deadlines that a test can wait for; its path.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn write(&self, folder: &Path, plain: SocketAddr, secure: SocketAddr) -> io::Result<PathBuf> {
        self.authority.issue(&["localhost"]).write(folder, "own");
        std::fs::write(folder.join("ca.pem"), &self.authority.pem)?;
        let services = [
            format!("mixed: {{ endpoints: [{}], {BRIEF} }}", self.origin.url()),
            format!(
                "secure: {{ endpoints: [\"https://localhost:{}\"], tls: {{ ca: ca.pem }}, {BRIEF} }}",
                self.front.addr().port()
            ),
            format!("calls: {{ endpoints: [\"{}\"], {BRIEF} }}", self.calls.url()),
            format!("sockets: {{ endpoints: [\"http://{}\"], {BRIEF} }}", self.sockets),
        ];
        let text = format!(
            "access_log: off
listen:
- {plain}
- address: {secure}
  tls: {{ certificates: {{ cert: own.pem, key: own.key }}, strict_host: false }}
timeouts: {{ head: 5s, body: 5s, keep_alive: 6s, write: 5s }}
services:
  {}
routes:
- {{ path: /mix/*, service: mixed }}
- {{ path: /secure/*, service: secure, strip_prefix: /secure }}
- {{ path: /calls/*, service: calls }}
- {{ path: /sockets/*, service: sockets }}
- {{ path: /here, respond: {{ body: here }} }}
",
            services.join("\n  ")
        );
        let path = folder.join("torana.yaml");
        std::fs::write(&path, text)?;
        Ok(path)
    }

    pub(super) fn doors(&self, gateway: Gateway) -> Doors {
        let offering = |protocol| TlsOptions::trusting(&self.authority).offering(&[protocol]);
        Doors { gateway, http1: offering("http/1.1"), http2: offering("h2") }
    }

    /// Forgets what has been asked so far.
    pub(super) fn forget(&self) {
        self.origin.forget();
        self.calls.forget();
    }

    pub(super) fn take_complaints(&self) -> Vec<String> {
        self.origin.take_complaints()
    }
}

const BRIEF: &str = "timeouts: { first_byte: 4s, idle: 4s, tunnel: 4s }";
