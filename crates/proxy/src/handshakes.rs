//! Counts of handshakes with clients.

use std::sync::atomic::{AtomicU64, Ordering};
use torana_observe::{Samples, names};
use torana_transport::{HandshakeFailure, TlsInfo};

const VERSIONS: [&str; 2] = ["1.2", "1.3"];
const RESUMED: [&str; 2] = ["no", "yes"];

/// Handshakes since the start. They are rare beside requests, so one counter serves all workers.
#[derive(Debug, Default)]
pub(crate) struct Handshakes {
    done: [[AtomicU64; 2]; 2],
    failed: [AtomicU64; HandshakeFailure::ALL.len()],
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

    pub(crate) fn failed(&self, failure: HandshakeFailure) {
        if let Some(counter) = self.failed.get(failure.index()) {
            counter.fetch_add(1, Ordering::Relaxed);
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
