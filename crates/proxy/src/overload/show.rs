//! How the process stands with its bounds, for metrics and for people.

use super::Overload;
use crate::shared::Shared;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use torana_limit::{Crowded, Importance};
use torana_observe::{Samples, names};

const CROWDED: [(&str, Crowded); 2] = [("all", Crowded::All), ("address", Crowded::Address)];

impl Overload {
    /// Adds what was counted.
    #[expect(clippy::cast_precision_loss, reason = "the text format has doubles")]
    pub(crate) fn collect(&self, samples: &mut Samples) {
        for (bound, crowded) in CROWDED {
            let refused = self.connections.refused(crowded) as f64;
            samples.add(names::CONNECTIONS_REFUSED, &[("bound", bound)], refused);
        }
        for (importance, count) in Importance::ALL.iter().zip(&self.shed) {
            let labels = [("importance", importance.label())];
            samples.add(names::REQUESTS_SHED, &labels, count.load(Ordering::Relaxed) as f64);
        }
        for (number, queue) in self.workers().iter().enumerate() {
            let number = number.to_string();
            let labels = [("worker", number.as_str())];
            samples.add(names::WORKER_TASKS, &labels, queue.tasks() as f64);
            samples.add(names::QUEUE_DELAY, &labels, queue.delay().as_secs_f64());
            samples.add(names::QUEUE_PRESSURE, &labels, queue.pressure());
        }
        samples.add(names::BUFFERED_BYTES, &[], self.memory.used() as f64);
        samples.add(names::BUFFERED_REFUSED, &[], self.memory.refused() as f64);
    }
}

/// How the process stands with its bounds, as JSON.
#[must_use]
pub fn overload(shared: &Shared) -> Value {
    let pipeline = shared.pipeline();
    let (rules, state) = (&pipeline.overload, &shared.overload);
    let connections = &state.connections;
    let refused = CROWDED.map(|(bound, crowded)| (bound.to_owned(), connections.refused(crowded).into()));
    let shed = Importance::ALL.iter().zip(&state.shed);
    let shed = shed.map(|(importance, count)| (importance.label(), count.load(Ordering::Relaxed)));
    let workers = state.workers();
    let workers = workers
        .iter()
        .map(|queue| json!({ "delay_ms": queue.delay().as_secs_f64() * 1e3, "pressure": queue.pressure() }));
    let services = pipeline.upstreams.iter().filter_map(|upstream| {
        let limit = upstream.adaptive.as_ref()?;
        let shown = json!({
            "limit": limit.limit(), "under_way": limit.under_way(), "refused": limit.refused(),
        });
        Some((upstream.name.to_string(), shown))
    });
    json!({
        "connections": {
            "open": connections.open(),
            "most": rules.connections.all,
            "most_per_address": rules.connections.address,
            "refused": refused.into_iter().collect::<serde_json::Map<_, _>>(),
        },
        "queue": {
            "target_ms": rules.queue_delay.map(|delay| delay.target.as_secs_f64() * 1e3),
            "workers": workers.collect::<Vec<_>>(),
            "shed": shed.map(|(name, count)| (name.to_owned(), count.into())).collect::<serde_json::Map<_, _>>(),
        },
        "buffered": {
            "bytes": state.memory.used(),
            "most": (rules.buffered_bytes != usize::MAX).then_some(rules.buffered_bytes),
            "refused": state.memory.refused(),
        },
        "services": services.collect::<serde_json::Map<_, _>>(),
    })
}
