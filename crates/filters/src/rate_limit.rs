//! Limits on how many requests a caller may make, counted in memory.
//!
//! Callers are told where they stand by `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset`, the
//! widespread form of draft-ietf-httpapi-ratelimit-headers up to its version 06: of all limits on the way,
//! the one that leaves the least. A refused one is told by `Retry-After` when to come back, in whole seconds
//! rounded up.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use torana_config::written::LimitKey;
use torana_fault::{Fault, Reason};
use torana_filter::{Exchange, LimitState, OnRequest, OnResponse, Outside, Verdict};
use torana_http::ResponseHead;
use torana_limit::{Gcra, Key, KeyedLimiter, Usage};
use torana_plan::RateLimitPlan;

const CONSUMER: u8 = 1;
const ADDRESS: u8 = 2;

/// The counters of a limit. They outlive a configuration that does not change the limit.
#[derive(Debug)]
pub struct LimiterState(KeyedLimiter);

impl LimiterState {
    /// Counters that have seen nobody.
    #[must_use]
    pub fn new(plan: &RateLimitPlan) -> Self {
        let limit = u64::from(plan.limit.limit().get());
        let gcra = Gcra::new(limit, plan.limit.period().as_duration(), plan.burst.get());
        Self(KeyedLimiter::new(gcra, plan.max_keys.get()))
    }

    /// Counts, for metrics.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.0.usage()
    }
}

/// Callers make only so many requests.
#[derive(Clone, Debug)]
pub struct RateLimitFilter {
    plan: Arc<RateLimitPlan>,
    state: Arc<LimiterState>,
    shown_limit: u64,
}

impl RateLimitFilter {
    /// Prepares the filter over its counters.
    #[must_use]
    pub fn prepare(plan: &Arc<RateLimitPlan>, state: Arc<LimiterState>) -> Self {
        let shown_limit = u64::from(plan.limit.limit().max(plan.burst).get());
        Self { plan: Arc::clone(plan), state, shown_limit }
    }

    /// What it asks for.
    #[must_use]
    pub fn describe(&self) -> String {
        let who = match self.plan.by {
            LimitKey::ConsumerOrAddress => "for each consumer, else client address",
            LimitKey::Consumer => "for each consumer",
            LimitKey::Address => "for each client address",
        };
        format!(
            "at most {} {who}, {} at once, counted for {}",
            self.plan.limit, self.plan.burst, self.plan.id
        )
    }

    fn decide(&self, exchange: &mut Exchange) -> Verdict {
        let consumer = match self.plan.by {
            LimitKey::Address => None,
            LimitKey::Consumer | LimitKey::ConsumerOrAddress => exchange.identity.as_ref(),
        };
        let address = address_key(exchange.client_address);
        let key = match (consumer, self.plan.by) {
            (Some(identity), _) => Key { kind: CONSUMER, bytes: identity.consumer.as_bytes() },
            (None, LimitKey::Consumer) => return Verdict::Continue,
            (None, _) => Key { kind: ADDRESS, bytes: &address },
        };
        let decision = self.state.0.decide(key, exchange.moment.since_start);
        exchange.note_limit(LimitState {
            limit: self.shown_limit,
            remaining: if decision.allowed { decision.remaining } else { 0 },
            reset_after: decision.reset_after,
        });
        if decision.allowed {
            return Verdict::Continue;
        }
        let wait = whole_seconds(decision.retry_after).max(1);
        Verdict::Fail(
            Fault::new(Reason::RateLimited)
                .because(format!("the limit of {} is used up", self.plan.id))
                .with_field("Retry-After", wait.to_string()),
        )
    }
}

/// IPv6 clients usually have a whole /64 to themselves: it counts as one.
pub(crate) fn address_key(address: IpAddr) -> [u8; 8] {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            [0, 0, 0, 0, a, b, c, d]
        }
        IpAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h, ..] = address.octets();
            [a, b, c, d, e, f, g, h]
        }
    }
}

fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
}

impl OnRequest for RateLimitFilter {
    async fn on_request(&self, exchange: &mut Exchange, _: &dyn Outside) -> Verdict {
        self.decide(exchange)
    }
}

impl OnResponse for RateLimitFilter {
    async fn on_response(&self, exchange: &mut Exchange, response: &mut ResponseHead) -> Verdict {
        let Some(state) = exchange.limit else { return Verdict::Continue };
        let numbers = [
            ("RateLimit-Limit", state.limit),
            ("RateLimit-Remaining", state.remaining),
            ("RateLimit-Reset", whole_seconds(state.reset_after)),
        ];
        for (name, number) in numbers {
            let mut room = [0; 20];
            if let Err(invalid) = response.fields.insert(name, decimal(number, &mut room)) {
                return Verdict::Fail(invalid.into());
            }
        }
        Verdict::Continue
    }
}

/// The decimal digits of a number, without allocation.
fn decimal(mut number: u64, room: &mut [u8; 20]) -> &[u8] {
    let mut first = room.len();
    for (place, digit) in room.iter_mut().enumerate().rev() {
        *digit = b'0'.saturating_add(u8::try_from(number % 10).unwrap_or(0));
        number /= 10;
        first = place;
        if number == 0 {
            break;
        }
    }
    room.get(first..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;
    use torana_filter::{Identity, Moment};

    fn filter(limit: &str, by: LimitKey) -> RateLimitFilter {
        let plan = Arc::new(RateLimitPlan {
            id: "global".into(),
            limit: limit.parse().unwrap(),
            burst: NonZeroU32::new(2).unwrap(),
            by,
            max_keys: NonZeroU32::new(1_000).unwrap(),
        });
        RateLimitFilter::prepare(&plan, Arc::new(LimiterState::new(&plan)))
    }

    fn from(address: &str, consumer: Option<&str>) -> Exchange {
        let identity =
            consumer.map(|consumer| Arc::new(Identity { consumer: consumer.into(), ..Identity::default() }));
        let moment = Moment { since_start: Duration::from_secs(9), unix_seconds: 9 };
        Exchange { client_address: address.parse().unwrap(), identity, moment, ..Exchange::default() }
    }

    async fn passes(filter: &RateLimitFilter, mut exchange: Exchange) -> bool {
        matches!(filter.on_request(&mut exchange, &torana_filter::Offline).await, Verdict::Continue)
    }

    #[tokio::test]
    async fn consumers_come_before_addresses_and_never_meet_them() {
        let filter = filter("2/minute", LimitKey::ConsumerOrAddress);
        for _ in 0..2 {
            assert!(passes(&filter, from("10.0.0.1", Some("10.0.0.2"))).await);
        }
        assert!(!passes(&filter, from("10.0.0.9", Some("10.0.0.2"))).await);
        assert!(passes(&filter, from("10.0.0.2", None)).await);
        assert!(passes(&filter, from("2001:db8::1", None)).await);
        assert!(passes(&filter, from("2001:db8::2", None)).await);
        assert!(!passes(&filter, from("2001:db8::3", None)).await);
        assert!(passes(&filter, from("2001:db8:0:1::3", None)).await);
    }

    #[tokio::test]
    async fn without_a_consumer_a_limit_by_consumer_counts_nothing() {
        let filter = filter("2/minute", LimitKey::Consumer);
        for _ in 0..5 {
            assert!(passes(&filter, from("10.0.0.1", None)).await);
        }
    }

    #[tokio::test]
    async fn callers_are_told_where_they_stand() {
        let filter = filter("2/minute", LimitKey::Address);
        let mut exchange = from("10.0.0.1", None);
        let mut head = ResponseHead::new(200);
        assert!(matches!(filter.on_request(&mut exchange, &torana_filter::Offline).await, Verdict::Continue));
        filter.on_response(&mut exchange, &mut head).await;
        assert_eq!(head.fields.get_str("RateLimit-Limit"), Some("2"));
        assert_eq!(head.fields.get_str("RateLimit-Remaining"), Some("1"));
        assert_eq!(head.fields.get_str("RateLimit-Reset"), Some("30"));
        assert!(passes(&filter, from("10.0.0.1", None)).await);
        let mut exchange = from("10.0.0.1", None);
        let Verdict::Fail(fault) = filter.on_request(&mut exchange, &torana_filter::Offline).await else {
            panic!("used up")
        };
        assert_eq!(fault.reason, Reason::RateLimited);
        assert_eq!(fault.fields(), [("Retry-After", "30".to_owned())]);
        assert_eq!(exchange.limit.unwrap().remaining, 0);
    }

    #[test]
    fn numbers_are_decimal() {
        for number in [0, 7, 10, 1_234, u64::MAX] {
            assert_eq!(decimal(number, &mut [0; 20]), number.to_string().as_bytes());
        }
    }
}
