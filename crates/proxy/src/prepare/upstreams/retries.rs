//! When requests to a service are sent again.

use crate::forward::{Hedge, HedgeCounts, RetryPolicy};
use crate::registry::Registry;
use crate::statuses::Statuses;
use std::sync::Arc;
use torana_balance::{Backoff, BudgetSettings, RetryBudget};
use torana_config::written::{RetryEvent, RetryOn};
use torana_plan::ServicePlan;
use torana_types::TimeSpan;

pub(super) fn policy(service: &ServicePlan, registry: &mut Registry) -> RetryPolicy {
    let planned = &service.retries;
    let on = |event| planned.on.contains(&RetryOn::Event(event));
    let statuses = planned.on.iter().filter_map(|on| match on {
        RetryOn::Status(range) => Some(range),
        RetryOn::Event(_) => None,
    });
    let budget = planned.budget.on().map(|budget| {
        let settings = BudgetSettings { percent: budget.share.as_percent(), minimum: budget.minimum };
        registry.budgets.get_or((Arc::clone(&service.name), settings), || RetryBudget::new(settings))
    });
    let hedge = planned.hedge.as_ref().map(|hedge| Hedge {
        after: hedge.after.as_duration(),
        at_once: usize::from(hedge.at_once.get()),
        counts: registry.hedges.get_or(Arc::clone(&service.name), HedgeCounts::default),
    });
    RetryPolicy {
        hedge,
        attempts: u32::from(planned.attempts.get()),
        on_reset: on(RetryEvent::Reset),
        on_timeout: on(RetryEvent::Timeout),
        statuses: Statuses::of(statuses),
        methods: planned.methods.clone(),
        idempotency_key: planned.idempotency_key.clone(),
        per_try: planned.per_try_timeout.map(TimeSpan::as_duration),
        backoff: Backoff { base: planned.backoff.base.as_duration(), max: planned.backoff.max.as_duration() },
        budget,
        keep_body: planned.keep_body.on().map_or(0, |size| size.as_u64()),
    }
}
