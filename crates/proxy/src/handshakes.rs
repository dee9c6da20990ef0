//! What becomes of new connections: handshakes are counted, and who is turned away before a first request has a line in
//! the log, for no line of the access log will tell of them.

use crate::sparing::Sparing;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use torana_observe::{Samples, names};
use torana_transport::{HandshakeFailure, HandshakeFault, TlsInfo};
use tracing::info;

const VERSIONS: [&str; 2] = ["1.2", "1.3"];
const RESUMED: [&str; 2] = ["no", "yes"];

/// Handshakes since the start. They are rare beside requests, so one counter serves all workers.
#[derive(Debug, Default)]
pub(crate) struct Handshakes {
    done: [[AtomicU64; 2]; 2],
    failed: [AtomicU64; HandshakeFailure::ALL.len()],
    lines: Sparing,
}

impl Handshakes {
    pub(crate) fn done(&self, info: &TlsInfo) {
        let version = usize::from(info.version == "1.3");
        if let Some(counter) =
            self.done.get(version).and_then(|versions| versions.get(usize::from(info.resumed)))
        {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// `listener` is its place in the file, from zero.
    pub(crate) fn failed(&self, listener: usize, peer: SocketAddr, fault: &HandshakeFault) {
        if let Some(counter) = self.failed.get(fault.failure.index()) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(unsaid) = self.lines.says(Instant::now()) {
            let (reason, detail) = (fault.failure.label(), &fault.detail);
            info!(%peer, listener = listener.saturating_add(1), reason, "a connection was turned away: {detail}");
            if unsaid > 0 {
                info!("{unsaid} more were turned away before without a line");
            }
        }
    }

    /// Adds what was counted.
    #[allow(clippy::cast_precision_loss, reason = "the text format has doubles")]
    pub(crate) fn collect(&self, samples: &mut Samples) {
        for (version, resumed) in VERSIONS.iter().zip(&self.done) {
            for (resumed, counter) in RESUMED.iter().zip(resumed) {
                let count = counter.load(Ordering::Relaxed);
                if count > 0 {
                    let labels = [("version", *version), ("resumed", *resumed)];
                    samples.add(names::TLS_HANDSHAKES, &labels, count as f64);
                }
            }
        }
        for (label, counter) in HandshakeFailure::LABELS.iter().zip(&self.failed) {
            let count = counter.load(Ordering::Relaxed);
            if count > 0 {
                samples.add(names::TLS_HANDSHAKE_ERRORS, &[("reason", *label)], count as f64);
            }
        }
    }
}
