//! Limits on how many requests a caller may make.
//!
//! Who is counted is in [`principal`], where in [`state`], what the caller is told in [`headers`].

mod headers;
mod principal;
mod state;
#[cfg(test)]
mod tests;

pub use state::{LimiterState, LimiterUsage, TopCaller};
use state::{Origin, Taken};

use headers::Told;
use principal::{Principal, Scratch};
use std::sync::Arc;
use std::time::Duration;
use torana_config::written::{LimitHeaders, MissingKey};
use torana_fault::{Fault, Reason};
use torana_filter::{
    Charge, Exchange, GiveBack, LimitState, Moment, OnRequest, OnResponse, OpenCost, Outside, TakenPermits,
    ToldLimit, Verdict,
};
use torana_http::ResponseHead;
use torana_limit::{Ask, Grant, Key};
use torana_plan::{CostPlan, KeyPart, RateLimitPlan};
use torana_route::PathPattern;

/// Callers make only so many requests.
#[derive(Clone, Debug)]
pub struct RateLimitFilter {
    plan: Arc<RateLimitPlan>,
    state: Arc<LimiterState>,
    principal: Principal,
    told: Told,
    /// Whether no other limit stands on the route: then nothing is ever given back.
    alone: bool,
}

impl RateLimitFilter {
    /// Prepares the filter over its counters, for a route and the service behind it.
    #[must_use]
    pub fn prepare(
        plan: &Arc<RateLimitPlan>,
        state: Arc<LimiterState>,
        route: &str,
        pattern: &PathPattern,
        service: Option<&str>,
    ) -> Self {
        Self {
            plan: Arc::clone(plan),
            state,
            principal: Principal::new(plan, route, pattern, service),
            told: Told::new(plan),
            alone: true,
        }
    }

    /// Another limit on the way may refuse what this one lets through.
    #[must_use]
    pub const fn beside_others(mut self, others: bool) -> Self {
        self.alone = !others;
        self
    }

    /// What it asks for.
    #[must_use]
    pub fn describe(&self) -> String {
        let plan = &self.plan;
        let mut parts: Vec<String> = plan
            .windows
            .iter()
            .map(|window| match window.kind {
                torana_config::written::WindowKind::Steady => {
                    format!("at most {}, {} at once", window.rate, window.burst)
                }
                torana_config::written::WindowKind::Fixed => {
                    format!("at most {} of the calendar", window.rate)
                }
                torana_config::written::WindowKind::Sliding => {
                    format!("at most {} in any stretch", window.rate)
                }
            })
            .collect();
        parts.extend(plan.concurrency.map(|most| format!("at most {most} under way")));
        let who: Vec<String> = plan.by.iter().map(who).collect();
        let missing = match plan.missing {
            _ if !plan.by.iter().any(can_lack) => "",
            MissingKey::Address => ", else client address",
            MissingKey::Skip => ", others are not counted",
        };
        let shadow = if plan.shadow { "; only counted, never refused" } else { "" };
        let where_ = match plan.sharing {
            Some(sharing) if sharing.leased => " in the store, by leases",
            Some(_) => " in the store, request by request",
            None => "",
        };
        let (what, who) = (parts.join(" and "), who.join(" and "));
        format!("{what} {who}{missing}, counted for {}{where_}{shadow}", plan.id)
    }

    async fn decide(&self, exchange: &mut Exchange, there: bool) -> Verdict {
        let cost = cost(&self.plan.cost, exchange);
        let (place, taken, kept, open) = {
            let mut scratch = Scratch::default();
            let Some(key) = self.principal.of(exchange, &mut scratch) else { return Verdict::Continue };
            let (place, taken) = match self.state.enter(key, cost) {
                // There is no place: nothing is taken from the windows either.
                Some(None) => (Some(None), Taken::Nothing),
                place => (place, self.state.take(key, exchange.moment, self.ask(cost), there).await),
            };
            let kept = self.keep(key, exchange.moment, cost, &taken);
            let open = self.open(key, exchange.moment, cost, &taken);
            (place, taken, kept, open)
        };
        exchange.taken.extend(kept);
        exchange.open_costs.extend(open);
        match place {
            Some(None) => return self.refuse(exchange, Reason::ConcurrencyLimited, Duration::from_secs(1)),
            Some(Some(place)) => exchange.under_way.push(place),
            None => {}
        }
        match taken {
            Taken::Nothing => Verdict::Continue,
            Taken::Grant(grant, _) => self.judge(exchange, &grant, cost),
            Taken::Unavailable => {
                self.refuse(exchange, Reason::LimitStoreUnavailable, Duration::from_secs(1))
            }
        }
    }

    /// What was taken, where another limit may still refuse the request. What refused requests take is theirs.
    fn keep(&self, key: Key<'_>, moment: Moment, cost: u64, taken: &Taken) -> Option<TakenPermits> {
        if self.alone || self.plan.count_refused {
            return None;
        }
        let back = Box::new(self.borrowed(key, moment, cost, taken)?);
        Some(TakenPermits { id: Arc::clone(&self.plan.id), permits: cost, back })
    }

    /// Whom to charge when the response says what the request has cost. It is kept here because what follows may change
    /// the request: its path, its host, its credentials.
    fn open(&self, key: Key<'_>, moment: Moment, cost: u64, taken: &Taken) -> Option<OpenCost> {
        let field = Arc::clone(self.plan.cost.response_header.as_ref()?);
        let charge = Box::new(self.borrowed(key, moment, cost, taken)?);
        Some(OpenCost { field, taken: cost, most: u64::from(self.plan.cost.most.get()), charge })
    }

    fn borrowed(&self, key: Key<'_>, moment: Moment, cost: u64, taken: &Taken) -> Option<Borrowed> {
        let Taken::Grant(grant, origin) = taken else { return None };
        if grant.granted < cost {
            return None;
        }
        let (state, key) = (Arc::clone(&self.state), (key.kind, Box::from(key.bytes)));
        Some(Borrowed { state, key, moment, permits: cost, origin: *origin })
    }

    fn ask(&self, cost: u64) -> Ask {
        Ask { charge_refused: self.plan.count_refused, details: self.told.details, ..Ask::exactly(cost) }
    }

    /// What follows from a grant, and what the caller is told of it.
    fn judge(&self, exchange: &mut Exchange, grant: &Grant, cost: u64) -> Verdict {
        let allowed = grant.granted >= cost;
        self.note(exchange, grant, allowed);
        if allowed {
            Verdict::Continue
        } else {
            // Whoever waits for what never comes is told not to.
            let never = cost > self.state.largest();
            let reason = if never { Reason::CostAboveLimit } else { Reason::RateLimited };
            self.refuse(exchange, reason, grant.view.retry_after)
        }
    }

    fn note(&self, exchange: &mut Exchange, grant: &Grant, allowed: bool) {
        if self.plan.headers == LimitHeaders::Off || self.plan.shadow {
            return;
        }
        exchange.note_limit(LimitState {
            limit: self.told.limit(grant.window, grant.view.limit),
            remaining: if allowed { grant.view.remaining } else { 0 },
            reset_after: grant.view.reset_after,
        });
        for (window, view) in grant.all.iter().enumerate() {
            let limit =
                LimitState { limit: view.limit, remaining: view.remaining, reset_after: view.reset_after };
            exchange.limits.push(ToldLimit { id: Arc::clone(&self.plan.id), window, limit });
        }
    }

    fn refuse(&self, exchange: &mut Exchange, reason: Reason, retry_after: Duration) -> Verdict {
        if self.plan.shadow {
            self.state.would_refuse();
            exchange.would_refuse.push(Arc::clone(&self.plan.id));
            return Verdict::Continue;
        }
        give_back(exchange);
        let (id, wait) = (&self.plan.id, headers::whole_seconds(retry_after).max(1));
        let fault = Fault::new(reason).because(match reason {
            Reason::LimitStoreUnavailable => format!("the store of {id} does not answer"),
            Reason::CostAboveLimit => {
                format!(
                    "the request costs more than {}, which is all that {id} ever gives",
                    self.state.largest()
                )
            }
            _ => format!("the limit of {id} is used up"),
        });
        Verdict::Fail(match reason {
            Reason::CostAboveLimit => fault,
            _ => fault.with_field("Retry-After", wait.to_string()),
        })
    }

    /// Takes what the response says that the request has cost beyond what was taken, from where that was taken: for every
    /// limit that reads the field, because the next one does not find it any more.
    fn settle(&self, exchange: &mut Exchange, response: &mut ResponseHead) {
        let Some(field) = &self.plan.cost.response_header else { return };
        let said = response.fields.get_str(&**field).and_then(|text| text.trim().parse::<u64>().ok());
        response.fields.remove(&**field);
        for open in exchange.open_costs.iter_mut().filter(|open| open.field.eq_ignore_ascii_case(field)) {
            let more = said.unwrap_or(0).min(open.most).saturating_sub(open.taken);
            if more > 0 {
                open.charge.charge(more);
                // Another answer may take the place of this one, and then says what that one has cost.
                open.taken = open.taken.saturating_add(more);
            }
        }
    }
}

/// Gives back what the limits before this one have taken: a request that is refused takes nothing.
fn give_back(exchange: &mut Exchange) {
    exchange.open_costs.clear();
    for taken in exchange.taken.drain(..) {
        taken.back.give_back();
        for told in exchange.limits.iter_mut().filter(|told| told.id == taken.id) {
            told.limit.remaining = told.limit.remaining.saturating_add(taken.permits).min(told.limit.limit);
        }
    }
}

/// What was taken from one caller's windows.
#[derive(Debug)]
struct Borrowed {
    state: Arc<LimiterState>,
    key: (u8, Box<[u8]>),
    moment: Moment,
    permits: u64,
    origin: Origin,
}

impl GiveBack for Borrowed {
    fn give_back(&self) {
        let key = Key { kind: self.key.0, bytes: &self.key.1 };
        self.state.refund(key, self.moment, self.permits, self.origin);
    }
}

impl Charge for Borrowed {
    fn charge(&self, more: u64) {
        let key = Key { kind: self.key.0, bytes: &self.key.1 };
        self.state.charge(key, self.moment, more, self.origin);
    }
}

/// What this request takes before it goes on; never nothing, because a client may be the one who says it.
fn cost(plan: &CostPlan, exchange: &Exchange) -> u64 {
    let said = plan.request_header.as_ref().and_then(|field| exchange.request.fields.get_str(&**field));
    match said.and_then(|text| text.trim().parse::<u64>().ok()) {
        Some(said) => said.clamp(1, u64::from(plan.most.get())),
        None => u64::from(plan.default.get()),
    }
}

/// Whether a request may come without this part.
const fn can_lack(part: &KeyPart) -> bool {
    !matches!(part, KeyPart::ConsumerOrAddress | KeyPart::Address | KeyPart::Route | KeyPart::Everybody)
}

fn who(part: &KeyPart) -> String {
    match part {
        KeyPart::ConsumerOrAddress => "for each consumer, else client address".into(),
        KeyPart::Consumer => "for each consumer".into(),
        KeyPart::Credential => "for each credential".into(),
        KeyPart::Group => "for each group".into(),
        KeyPart::Address => "for each client address".into(),
        KeyPart::Route => "for each route".into(),
        KeyPart::Service => "for each service".into(),
        KeyPart::Everybody => "for everybody together".into(),
        KeyPart::Header(name) => format!("for each value of {name}"),
        KeyPart::Claim(name) => format!("for each value of the claim {name}"),
        KeyPart::Path(path) => format!("for all who ask for {path}"),
        KeyPart::Parameter(name) => format!("for each {{{name}}} of the path"),
        KeyPart::Expression(expression) => format!("for each value of `{}`", expression.source().trim()),
    }
}

impl OnRequest for RateLimitFilter {
    async fn on_request(&self, exchange: &mut Exchange, outside: &dyn Outside) -> Verdict {
        self.decide(exchange, outside.is_there()).await
    }
}

impl OnResponse for RateLimitFilter {
    async fn on_response(&self, exchange: &mut Exchange, response: &mut ResponseHead) -> Verdict {
        self.settle(exchange, response);
        match self.told.tell(exchange, response) {
            Ok(()) => Verdict::Continue,
            Err(invalid) => Verdict::Fail(invalid.into()),
        }
    }
}
