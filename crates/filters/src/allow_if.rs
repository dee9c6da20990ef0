//! Conditions over the request, the caller and the time. Deny comes before allow.
//!
//! A condition that has no value for a request (a claim that is not there, a text where a number is needed,
//! more work than it may make) does not hold; in `deny` it counts as if it did. So a mistake never opens.
//!
//! Services disagree on parameters of segments (`/admin;v=1/users`, RFC 3986 section 3.3) and on escapes of what may
//! stand as it is (`/items%3Adelete`): a path that has some is judged with them and without, and has to pass each way. So
//! has a request by each method that a field asks for in place of its own, where such fields are let through.

use crate::authentication::not_known;
use crate::facts::ExchangeFacts;
use crate::hygiene::overriding_methods;
use std::sync::Arc;
use torana_expression::{Expression, Fact};
use torana_fault::{Fault, Reason};
use torana_filter::{Exchange, OnRequest, Outside, Verdict};
use torana_plan::AllowIfPlan;
use torana_route::Spellings;

/// Conditions over the request, the caller and the time.
#[derive(Clone, Debug)]
pub struct AllowIfFilter {
    plan: Arc<AllowIfPlan>,
    asks_for_path: bool,
    asks_for_method: bool,
}

impl AllowIfFilter {
    /// Prepares the filter.
    #[must_use]
    pub fn prepare(plan: &Arc<AllowIfPlan>) -> Self {
        let asks_for = |fact| {
            let mut all = plan.all.iter().chain(&plan.any).chain(&plan.deny);
            all.any(|expression| expression.facts().contains(&fact))
        };
        Self {
            asks_for_path: asks_for(Fact::Path),
            asks_for_method: asks_for(Fact::Method),
            plan: Arc::clone(plan),
        }
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
        let request = &exchange.request;
        if let Some(detail) = self.refusal_by(exchange, request.method_bytes()) {
            return Some(detail);
        }
        if !self.asks_for_method {
            return None;
        }
        let mut methods = overriding_methods(&request.fields).filter(|method| !method.is_empty());
        methods.find_map(|method| {
            let detail = self.refusal_by(exchange, &method)?;
            Some(format!("{detail} for the method `{}`", String::from_utf8_lossy(&method)))
        })
    }

    /// Why the request is refused by this method.
    fn refusal_by(&self, exchange: &Exchange, method: &[u8]) -> Option<String> {
        let facts = || ExchangeFacts::new(exchange).with_method(method);
        self.judge(&facts()).or_else(|| {
            let spellings = self.asks_for_path.then(|| Spellings::of(exchange.request.path()))?;
            spellings.others().find_map(|other| {
                let detail = self.judge(&facts().with_path(other.path))?;
                Some(format!("{detail} for the path `{}`", String::from_utf8_lossy(other.path)))
            })
        })
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
        let is_known = exchange.identity.as_ref().is_some_and(|identity| !identity.anonymous);
        Verdict::Fail(if !is_known && self.plan.asks_who_calls() {
            not_known(exchange, detail)
        } else {
            Fault::new(Reason::Forbidden).because(detail)
        })
    }
}
