//! What callers are told about where they stand.
//!
//! - `standard`: `RateLimit-Limit`, `-Remaining` and `-Reset`, the widespread form of
//!   draft-ietf-httpapi-ratelimit-headers up to its version 06: of all limits on the way, the one that leaves
//!   the least. `-Reset` is in seconds, rounded up.
//! - `draft`: `RateLimit-Policy` and `RateLimit` as lists of structured fields (version 10 of the same), with
//!   an item for each window.
//! - `kong`: `X-RateLimit-Limit-Minute`, `X-RateLimit-Remaining-Minute` and so on for each window that Kong has
//!   a name for, and those of `standard`. The limit is that of the rate, whatever the burst; what remains is what may
//!   come at once, but never more than that limit.

use std::sync::Arc;
use std::time::Duration;
use torana_config::written::LimitHeaders;
use torana_filter::{Exchange, LimitState};
use torana_http::{FieldName, InvalidField, Known, ResponseHead};
use torana_plan::RateLimitPlan;
use torana_types::RatePeriod;

/// What one limit tells.
#[derive(Clone, Debug)]
pub(super) struct Told {
    id: Arc<str>,
    style: LimitHeaders,
    windows: Arc<[WindowTold]>,
    /// Whether every window is told, not only the narrowest of all.
    pub(super) details: bool,
}

#[derive(Debug)]
struct WindowTold {
    /// What `RateLimit-Limit` shows: the limit, or the burst where that is larger.
    limit: u64,
    /// What the rate admits in its period, which Kong shows.
    rate: u64,
    /// Kong's fields, where it has names for the period.
    kong: Option<(FieldName, FieldName)>,
    /// The item's name, and the item of `RateLimit-Policy`.
    draft: (String, String),
}

impl Told {
    pub(super) fn new(plan: &RateLimitPlan) -> Self {
        let windows = plan.windows.iter().map(|window| {
            let name = kong_name(window.rate.period());
            let field = |what: &str, name: &str| FieldName::new(&format!("X-RateLimit-{what}-{name}"));
            let (limit, seconds) = (window.rate.limit(), window.rate.period().at_least().as_duration());
            let item = format!("\"{}\"", window.rate);
            let policy = format!("{item};q={limit};w={}", whole_seconds(seconds).max(1));
            WindowTold {
                limit: u64::from(limit.max(window.burst).get()),
                rate: u64::from(limit.get()),
                kong: name.map(|name| (field("Limit", name), field("Remaining", name))),
                draft: (item, policy),
            }
        });
        let details = matches!(plan.headers, LimitHeaders::Draft | LimitHeaders::Kong) && !plan.shadow;
        Self { id: Arc::clone(&plan.id), style: plan.headers, windows: windows.collect(), details }
    }

    /// The limit that is shown for a window.
    pub(super) fn limit(&self, window: usize, otherwise: u64) -> u64 {
        self.windows.get(window).map_or(otherwise, |window| window.limit)
    }

    pub(super) fn tell(&self, exchange: &Exchange, response: &mut ResponseHead) -> Result<(), InvalidField> {
        let mut own = exchange.limits.iter().filter(|told| Arc::ptr_eq(&told.id, &self.id));
        match self.style {
            LimitHeaders::Off => Ok(()),
            LimitHeaders::Standard => standard(exchange, response),
            LimitHeaders::Kong => {
                own.try_for_each(|told| self.kong(told.window, &told.limit, response))?;
                standard(exchange, response)
            }
            LimitHeaders::Draft => own.try_for_each(|told| self.draft(told.window, &told.limit, response)),
        }
    }

    fn kong(
        &self,
        window: usize,
        state: &LimitState,
        response: &mut ResponseHead,
    ) -> Result<(), InvalidField> {
        let Some(WindowTold { rate, kong: Some((limit, remaining)), .. }) = self.windows.get(window) else {
            return Ok(());
        };
        let fields = &mut response.fields;
        let mut digits = itoa::Buffer::new();
        fields.insert(limit, digits.format(*rate).as_bytes())?;
        fields.insert(remaining, digits.format(state.remaining.min(*rate)).as_bytes())
    }

    fn draft(
        &self,
        window: usize,
        state: &LimitState,
        response: &mut ResponseHead,
    ) -> Result<(), InvalidField> {
        let Some(WindowTold { draft: (item, policy), .. }) = self.windows.get(window) else { return Ok(()) };
        let seconds = whole_seconds(state.reset_after);
        let limit = format!("{item};r={};t={seconds}", state.remaining);
        response.fields.append("RateLimit-Policy", policy.as_bytes())?;
        response.fields.append("RateLimit", limit.as_bytes())
    }
}

fn standard(exchange: &Exchange, response: &mut ResponseHead) -> Result<(), InvalidField> {
    let Some(state) = exchange.limit else { return Ok(()) };
    let numbers = [
        (Known::RatelimitLimit, state.limit),
        (Known::RatelimitRemaining, state.remaining),
        (Known::RatelimitReset, whole_seconds(state.reset_after)),
    ];
    numbers.into_iter().try_for_each(|(name, number)| {
        response.fields.insert(name, itoa::Buffer::new().format(number).as_bytes())
    })
}

fn kong_name(period: RatePeriod) -> Option<&'static str> {
    match period {
        RatePeriod::Month => Some("Month"),
        RatePeriod::Year => Some("Year"),
        RatePeriod::Span(span) => match span.as_duration().as_millis() {
            1_000 => Some("Second"),
            60_000 => Some("Minute"),
            3_600_000 => Some("Hour"),
            86_400_000 => Some("Day"),
            _ => None,
        },
    }
}

/// Rounded up: whoever waits so long need not wait again.
pub(super) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
}
