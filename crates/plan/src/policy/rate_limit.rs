//! `rate_limit` in the plan.

use std::num::NonZeroU32;
use std::sync::Arc;

use torana_config::written::{LimitKey, RateLimitForm};
use torana_types::Rate;

use super::PolicyPlan;
use crate::fingerprint;

/// Callers make only so many requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RateLimitPlan {
    /// What the counters are keyed by over reloads: the scope and its name, such as `global`,
    /// `service/users` or `route/GET /x`. Routes with the same identifier count together.
    pub id: Arc<str>,
    /// How many requests in what period.
    pub limit: Rate,
    /// How many may come at once.
    pub burst: NonZeroU32,
    /// Who is counted.
    pub by: LimitKey,
    /// How many callers are remembered.
    pub max_keys: NonZeroU32,
}

impl RateLimitPlan {
    /// Changes with anything that shapes the counters.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        fingerprint::of(self)
    }
}

/// Plans the policy; `id` is what its counters are keyed by.
pub(crate) fn plan(id: &str, form: &RateLimitForm) -> PolicyPlan {
    let config = form.config();
    PolicyPlan::RateLimit(Arc::new(RateLimitPlan {
        id: id.into(),
        limit: config.limit,
        burst: config.burst.unwrap_or(config.limit.limit()),
        by: config.by,
        max_keys: config.max_keys,
    }))
}
