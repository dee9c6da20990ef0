//! A certificate for measurements: ECDSA on P-256, for localhost, signed by itself.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Its files.
pub(crate) struct Certificate {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificate {
    pub(crate) fn make(folder: &Path) -> Result<Self> {
        let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
        let output = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
            .args(["-days", "365", "-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .context("is openssl installed? `scripts/bench-tools` installs what this needs")?;
        ensure!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
        Ok(Self { certificate, key })
    }

    /// Torana's listener with it.
    pub(crate) fn listener(&self, address: SocketAddr) -> String {
        let (certificate, key) = (self.certificate.display(), self.key.display());
        format!(
            "{{ address: \"{address}\", tls: {{ certificates: {{ cert: {certificate}, key: {key} }} }} }}"
        )
    }
}
