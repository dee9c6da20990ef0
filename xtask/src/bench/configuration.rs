//! The configurations of the proxies: what each would be given in earnest. All set the same forwarding fields
//! and a request identifier, keep connections to the origin, and log nothing unless the case says so.

mod envoy;
mod haproxy;
mod nginx;
mod torana;

pub(super) use envoy::envoy;
pub(super) use haproxy::haproxy;
pub(super) use nginx::nginx;
pub(super) use torana::{SECRET, SECRET_FILE, torana};

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::certificate::Certificate;
use crate::server::free_address;

/// Where a proxy that serves all cases from one process listens.
pub(super) struct Doors {
    pub(super) plain: SocketAddr,
    pub(super) logged: SocketAddr,
    pub(super) tls: SocketAddr,
}

impl Doors {
    pub(super) fn free() -> Result<Self> {
        Ok(Self { plain: free_address()?, logged: free_address()?, tls: free_address()? })
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
