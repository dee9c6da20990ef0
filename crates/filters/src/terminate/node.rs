//! This process, for whoever has to tell one gateway from another.

use crate::correlation_id::uuid;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// The name of the machine is asked for once.
static NODE: LazyLock<(String, String)> = LazyLock::new(|| (uuid().hyphenated().to_string(), hostname()));

fn hostname() -> String {
    let told = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match told.trim() {
        "" => std::env::var("HOSTNAME").unwrap_or_default(),
        name => name.to_owned(),
    }
}

/// As Kong tells it.
pub(super) fn shown() -> Value {
    let (id, hostname) = &*NODE;
    json!({ "node_id": id, "worker_pid": std::process::id(), "hostname": hostname })
}
