//! Conditions over the request, the caller and the time. Deny comes before allow.
//!
//! A condition that has no value for a request (a claim that is not there, a text where a number is needed,
//! more work than it may make) does not hold; in `deny` it counts as if it did. So a mistake never opens.

use crate::facts::ExchangeFacts;
use std::sync::Arc;
use torana_expression::Expression;
use torana_fault::{Fault, Reason};
use torana_filter::{Exchange, OnRequest, Outside, Verdict};
use torana_plan::AllowIfPlan;

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
        let facts = ExchangeFacts::new(exchange);
        let holds = |expression: &Expression| expression.holds(&facts);
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
