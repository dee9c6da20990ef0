//! The bounds of the whole process.

use crate::overload::OverloadRules;
use std::num::NonZeroU32;
use torana_config::written::{Importance as Written, QueueDelayForm, Switch};
use torana_limit::{ConnectionCaps, Importance, QueueDelay};
use torana_plan::Settings;
use torana_transport::descriptors;

/// File descriptors that are never given to clients: listeners, logs, the admin pages, the store.
const RESERVE: u64 = 128;

pub(super) fn rules(settings: &Settings) -> OverloadRules {
    let limits = &settings.limits;
    let all = match &limits.connections {
        Some(switch) => switch.on().copied().map(NonZeroU32::get),
        None => Some(affordable(descriptors())),
    };
    let address = match &limits.connections_per_address {
        Some(switch) => switch.on().copied().map(NonZeroU32::get),
        None => all.map(|all| all.div_ceil(2)),
    };
    let queue_delay = limits.queue_delay.on().map(QueueDelayForm::config);
    OverloadRules {
        connections: ConnectionCaps {
            all: all.map(|all| usize::try_from(all).unwrap_or(usize::MAX)),
            address,
            ipv6_prefix: limits.ipv6_prefix.get(),
        },
        queue_delay: queue_delay.map(|delay| QueueDelay {
            target: delay.target.as_duration(),
            interval: delay.interval.as_duration(),
        }),
        buffered_bytes: Switch::on(&limits.buffered_bytes).map_or(usize::MAX, |size| size.as_usize()),
    }
}

/// How many connections of clients so many descriptors are enough for: each may need one to a service, most of
/// which are shared.
fn affordable(descriptors: u64) -> u32 {
    let all = descriptors.saturating_sub(RESERVE).saturating_mul(3) / 4;
    u32::try_from(all).unwrap_or(u32::MAX).max(16)
}

pub(super) const fn importance(written: Written) -> Importance {
    match written {
        Written::Critical => Importance::Critical,
        Written::High => Importance::High,
        Written::Normal => Importance::Normal,
        Written::Low => Importance::Low,
    }
}

#[cfg(test)]
mod tests {
    use super::affordable;

    #[test]
    fn some_descriptors_always_stay_for_others() {
        assert_eq!([0, 200, 1_024, 20_000].map(affordable), [16, 54, 672, 14_904]);
    }
}
