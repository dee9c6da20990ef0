//! What the service manager is told (`sd_notify(3)`). Without one, as outside of systemd, nothing is sent.

use sd_notify::{NotifyState, notify};
use tracing::warn;

/// The gateway serves, or serves again after a reload.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// A new configuration is being prepared.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// It was told to stop.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Another process is the service from now on.
pub(super) fn succeeded_by(process: u32) {
    tell(&[NotifyState::MainPid(process), NotifyState::Ready]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(problem) = notify(states) {
        warn!("cannot tell the service manager: {problem}");
    }
}
