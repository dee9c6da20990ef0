//! The configurations of the proxies: what each would be given in earnest. All set the same forwarding fields
//! and a request identifier, keep connections to the origin, and log nothing unless the case says so. Where the
//! case asks for policies HAProxy and Envoy do the same as Torana: a verified token that has not expired, a role
//! of its claims, a limit that nobody reaches, one of a thousand routes. nginx has none of it and forwards only.

mod envoy;
mod haproxy;
mod nginx;
mod routes;
mod torana;

pub(super) use envoy::envoy;
pub(super) use haproxy::haproxy;
pub(super) use nginx::nginx;
pub(super) use torana::{SECRET, SECRET_FILE, TORANA_LOG, torana};

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::certificate::Certificate;
use crate::server::free_address;

/// Where a proxy that serves all cases from one process listens.
pub(super) struct Doors {
    pub(super) plain: SocketAddr,
    /// With the policies, by whom that can.
    pub(super) policies: SocketAddr,
    /// With a log, and with the policies by whom that can.
    pub(super) logged: SocketAddr,
    pub(super) tls: SocketAddr,
}

impl Doors {
    pub(super) fn free() -> Result<Self> {
        let [plain, policies, logged, tls] =
            [free_address()?, free_address()?, free_address()?, free_address()?];
        Ok(Self { plain, policies, logged, tls })
    }
}

/// What every configuration needs.
pub(super) struct Surroundings {
    pub(super) folder: PathBuf,
    pub(super) origin: SocketAddr,
    pub(super) certificate: Certificate,
}

impl Surroundings {
    pub(super) fn new(folder: &Path, origin: SocketAddr) -> Result<Self> {
        Ok(Self { folder: folder.to_owned(), origin, certificate: Certificate::make(folder)? })
    }

    /// Writes a file and gives its path.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<String> {
        let file = self.folder.join(name);
        std::fs::write(&file, text)?;
        Ok(file.to_string_lossy().into_owned())
    }
}
