//! Conditions over the request, the caller and the time. Deny comes before allow.
//!
//! A condition that has no value for a request (a claim that is not there, a text where a number is needed,
//! more work than it may make) does not hold; in `deny` it counts as if it did. So a mistake never opens.
//!
//! Services disagree on parameters of segments (`/admin;v=1/users`, RFC 3986 section 3.3): a path that has some is
//! judged with them and without, and has to pass both ways.

use crate::facts::ExchangeFacts;
use std::sync::Arc;
use torana_expression::{Expression, Fact};
use torana_fault::{Fault, Reason};
use torana_filter::{Exchange, OnRequest, Outside, Verdict};
use torana_plan::AllowIfPlan;
use torana_route::without_parameters;

/// Conditions over the request, the caller and the time.
#[derive(Clone, Debug)]
pub struct AllowIfFilter {
    plan: Arc<AllowIfPlan>,
}

impl AllowIfFilter {
    /// Prepares the filter.
    #[must_use]
    pub fn prepare(plan: &Arc<AllowIfPlan>) -> Self {
        Self { plan: Arc::clone(plan) }
    }

    /// What it asks for.
    #[must_use]
    pub fn describe(&self) -> String {
        let list = |all: &[Expression], word: &str| {
            let all: Vec<String> = all.iter().map(|one| format!("`{}`", one.source().trim())).collect();
            all.join(word)
        };
        let mut parts = Vec::new();
        if !self.plan.all.is_empty() {
            parts.push(list(&self.plan.all, " and "));
        }
        if !self.plan.any.is_empty() {
            parts.push(list(&self.plan.any, " or "));
        }
        if !self.plan.deny.is_empty() {
            parts.push(format!("not {}", list(&self.plan.deny, " nor ")));
        }
        parts.join(", and ")
    }

    /// Why the request is refused, if it is.
    fn refusal(&self, exchange: &Exchange) -> Option<String> {
        let path = exchange.request.path();
        self.judge(&ExchangeFacts::new(exchange)).or_else(|| {
            let plain = without_parameters(path).filter(|_| self.asks_for_path())?;
            let detail = self.judge(&ExchangeFacts::new(exchange).with_path(&plain))?;
            Some(format!("{detail} for the path `{}`", String::from_utf8_lossy(&plain)))
        })
    }

    fn asks_for_path(&self) -> bool {
        let plan = &self.plan;
        let mut all = plan.all.iter().chain(&plan.any).chain(&plan.deny);
        all.any(|expression| expression.facts().contains(&Fact::Path))
    }

    /// Why these facts do not pass, if they do not.
    fn judge(&self, facts: &ExchangeFacts<'_>) -> Option<String> {
        let holds = |expression: &Expression| expression.holds(facts);
        for expression in &self.plan.deny {
            match holds(expression) {
                Ok(false) => {}
                Ok(true) => return Some(format!("`{expression}` holds")),
                Err(error) => return Some(format!("`{expression}`: {error}")),
            }
        }
        for expression in &self.plan.all {
            match holds(expression) {
                Ok(true) => {}
                Ok(false) => return Some(format!("`{expression}` does not hold")),
                Err(error) => return Some(format!("`{expression}`: {error}")),
            }
        }
        let any = self.plan.any.is_empty() || self.plan.any.iter().any(|one| holds(one) == Ok(true));
        (!any).then(|| "none of the conditions holds".to_owned())
    }
}

impl OnRequest for AllowIfFilter {
    async fn on_request(&self, exchange: &mut Exchange, _: &dyn Outside) -> Verdict {
        let Some(detail) = self.refusal(exchange) else { return Verdict::Continue };
        Verdict::Fail(if exchange.identity.is_none() && self.plan.asks_who_calls() {
            let fault = Fault::new(Reason::CredentialsMissing).because(detail);
            fault.with_field("WWW-Authenticate", "Bearer".into())
        } else {
            Fault::new(Reason::Forbidden).because(detail)
        })
    }
}
