//! The configurations of the proxies: what each would be given in earnest. All set the same forwarding fields
//! and a request identifier, keep connections to the origin, and log nothing unless the case says so.

mod envoy;
mod haproxy;
mod nginx;
mod torana;

pub(super) use envoy::envoy;
pub(super) use haproxy::haproxy;
pub(super) use nginx::nginx;
pub(super) use torana::{SECRET, torana};

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

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
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

impl Surroundings {
    pub(super) fn new(folder: &Path, origin: SocketAddr) -> Result<Self> {
        let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
        let output = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
            .args([
                "-days",
                "30",
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=DNS:localhost,IP:127.0.0.1",
            ])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .context("is openssl installed? `scripts/bench-tools` installs what this needs")?;
        ensure!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
        Ok(Self { folder: folder.to_owned(), origin, certificate, key })
    }

    /// Writes a file and gives its path.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<String> {
        let file = self.folder.join(name);
        std::fs::write(&file, text)?;
        Ok(file.to_string_lossy().into_owned())
    }
}
