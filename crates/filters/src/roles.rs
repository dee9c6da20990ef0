//! Authorisation by role, on the whole scope or by path and method.
//!
//! The most specific rule decides what is asked; what any matching rule denies is denied. Patterns and their
//! precedence are the router's, so a rule means what the same pattern means for a route. A path is judged in
//! every reading that a service may give it ([`readings`]): each of them has to pass.
//!
//! Where something is asked, a request without a verified caller is answered 401, whatever the order of
//! policies: nobody passes here for want of an identity. Who is only taken for somebody passes with a role that this
//! somebody has, but is not known where no role is asked for.

mod readings;

use crate::authentication::not_known;
use crate::hygiene::overriding_methods;
use readings::{Reading, looser, readings};
use std::ops::ControlFlow;
use std::sync::Arc;
use torana_fault::{Fault, Reason};
use torana_filter::{Exchange, Identity, Json, OnRequest, Outside, Verdict};
use torana_plan::{Asked, RoleSource, RolesPlan, RulePlan};
use torana_route::{RequestView, Router};

/// Told where roles were claimed in another form.
const UNREAD: &str = ", and the claim with its roles has what is no text";
/// How many rules are told when the filter describes itself.
const TOLD: usize = 8;

/// Callers have a role.
#[derive(Clone, Debug)]
pub struct RolesFilter {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    plan: Arc<RolesPlan>,
    /// By the places of the plan's rules. `None` could only be two rules that the plan's checks have let
    /// through although they are equally specific: then nobody passes.
    rules: Option<Router>,
    /// What is asked where no rule matches.
    otherwise: Asked,
    /// Whether a rule names a method.
    by_method: bool,
}

/// What became of a caller under the rules for one path.
enum Judgement<'r> {
    Passed,
    /// Something is asked, and nobody is known who could be refused it.
    Unknown,
    /// This rule denies the caller.
    Denied(&'r RulePlan),
    /// The caller lacks what this rule asks for, or what is asked where none matches.
    Lacking(Option<&'r RulePlan>),
}

impl RolesFilter {
    /// Prepares the filter.
    #[must_use]
    pub fn prepare(plan: &Arc<RolesPlan>) -> Self {
        let specs = plan.rules.iter().map(RulePlan::spec).collect();
        let otherwise = Asked { any: plan.any.clone(), all: plan.all.clone(), ..Asked::default() };
        let by_method = plan.rules.iter().any(|rule| !rule.methods.is_empty());
        let inner = Inner { plan: Arc::clone(plan), rules: Router::build(specs).ok(), otherwise, by_method };
        Self { inner: Arc::new(inner) }
    }

    /// What it asks for.
    #[must_use]
    pub fn describe(&self) -> String {
        let plan = &self.inner.plan;
        let rules = plan.rules.iter().take(TOLD);
        let mut parts: Vec<String> =
            rules.map(|rule| format!("{} on {}", describe(&rule.asked), rule.text)).collect();
        let more = plan.rules.len().saturating_sub(TOLD);
        if more > 0 {
            parts.push(format!("{more} more rules"));
        }
        if self.inner.otherwise != Asked::default() {
            let elsewhere = if plan.rules.is_empty() { "" } else { " elsewhere" };
            parts.push(format!("{}{elsewhere}", describe(&self.inner.otherwise)));
        }
        parts.join("; ")
    }
}

/// What is asked, in words.
fn describe(asked: &Asked) -> String {
    if asked.nobody {
        return "nobody".into();
    }
    let mut parts = Vec::new();
    let list = |verb: &str, roles: &[String]| match roles {
        [one] => format!("{verb}the role {one}"),
        many if verb.is_empty() => format!("one of the roles {}", many.join(", ")),
        many => format!("{verb}the roles {}", many.join(", ")),
    };
    if !asked.any.is_empty() {
        parts.push(list("", &asked.any));
    }
    if !asked.all.is_empty() {
        parts.push(list("all of ", &asked.all).replace("all of the role ", "the role "));
    }
    if !asked.deny.is_empty() {
        parts.push(list("none of ", &asked.deny).replace("none of the role ", "not the role "));
    }
    if parts.is_empty() { "any known caller".into() } else { parts.join(" and ") }
}

impl Inner {
    fn judge(&self, identity: Option<&Identity>, reading: &Reading<'_>) -> Judgement<'_> {
        let Some(router) = &self.rules else { return Judgement::Lacking(None) };
        let mut deciding: Option<&RulePlan> = None;
        let mut denying: Option<&RulePlan> = None;
        let above = reading.beyond.map(|path| self.deciding(router, path));
        let meant = reading.written.and_then(|written| Some((written, self.deciding(router, written)?)));
        let meant = meant.filter(|(_, rule)| rule.path.is_for_escapes(reading.path()));
        if !self.plan.rules.is_empty() {
            router.each(reading, &mut |place| {
                let Some(rule) = self.plan.rules.get(place) else { return ControlFlow::Continue(()) };
                if let Some(Some(written)) = above
                    && !rule.path.kinds().lt(written.path.kinds())
                {
                    return ControlFlow::Continue(());
                }
                if let Some((written, meant)) = meant
                    && rule.path.matches(written.path())
                    && !rule.path.kinds().lt(meant.path.kinds())
                {
                    return ControlFlow::Continue(());
                }
                if reading.slash && !rule.path.as_str().starts_with('~') {
                    return ControlFlow::Continue(());
                }
                deciding = deciding.or(Some(rule));
                let has_denied = |identity| {
                    let deny = &rule.asked.deny;
                    deny.iter().any(|role| self.has(identity, role))
                        || (!deny.is_empty() && self.may_have_more(identity))
                };
                if rule.asked.nobody || identity.is_some_and(has_denied) {
                    denying = Some(rule);
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            });
        }
        if let Some(rule) = denying {
            return Judgement::Denied(rule);
        }
        let asked = deciding.map_or(&self.otherwise, |rule| &rule.asked);
        let is_judged = reading.slash || above.is_some() || meant.is_some();
        if deciding.is_none() && (is_judged || *asked == Asked::default()) {
            return Judgement::Passed;
        }
        let Some(identity) = identity else { return Judgement::Unknown };
        let any = asked.any.is_empty() || asked.any.iter().any(|role| self.has(identity, role));
        let has = any && asked.all.iter().all(|role| self.has(identity, role));
        let asks_for_roles = !(asked.any.is_empty() && asked.all.is_empty());
        match (has, identity.anonymous) {
            (true, false) => Judgement::Passed,
            (true, true) if asks_for_roles => Judgement::Passed,
            (_, true) => Judgement::Unknown,
            (false, false) => Judgement::Lacking(deciding),
        }
    }

    /// The rule that decides about a path as it is written.
    fn deciding(&self, router: &Router, path: &Reading<'_>) -> Option<&RulePlan> {
        let mut first = None;
        router.each(path, &mut |place| {
            first = self.plan.rules.get(place);
            ControlFlow::Break(())
        });
        first
    }

    /// Why the caller may not, in one of the readings of the path.
    fn refusal(&self, identity: Option<&Identity>, method: &[u8], path: &[u8]) -> Option<Fault> {
        let mut refusal = None;
        let mut visit = |reading: &Reading<'_>| {
            let who = || identity.map_or("nobody", |identity| identity.consumer.as_str());
            let unread = || if identity.is_some_and(|one| self.may_have_more(one)) { UNREAD } else { "" };
            refusal = Some(match self.judge(identity, reading) {
                Judgement::Passed => return ControlFlow::Continue(()),
                Judgement::Unknown => {
                    Fault::new(Reason::CredentialsMissing).because("nothing has said who calls")
                }
                Judgement::Denied(rule) => Fault::new(Reason::Forbidden).because(format!(
                    "{} denies {}{}",
                    rule.text,
                    who(),
                    unread()
                )),
                Judgement::Lacking(rule) => {
                    let asked = describe(rule.map_or(&self.otherwise, |rule| &rule.asked));
                    let on = rule.map(|rule| format!(" on {}", rule.text)).unwrap_or_default();
                    Fault::new(Reason::Forbidden).because(format!("{} lacks {asked}{on}{}", who(), unread()))
                }
            });
            ControlFlow::Break(())
        };
        if readings(method, path, &mut visit).is_continue() && !self.plan.rules.is_empty() {
            looser(method, path, &mut visit);
        }
        refusal
    }

    /// Whether its credential says more of roles, in a form that cannot be read.
    fn may_have_more(&self, identity: &Identity) -> bool {
        self.plan.from.iter().any(|source| match source {
            RoleSource::Roles => identity.unread_roles,
            RoleSource::Groups => identity.unread_groups,
            RoleSource::Claim(path) => match identity.claim(path) {
                None | Some(Json::Null | Json::Text(_)) => false,
                Some(Json::List(list)) => list.values().any(|own| own.as_str().is_none()),
                Some(_) => true,
            },
        })
    }

    /// Whether the caller has the role in one of the places where roles stand. Compared byte by byte.
    fn has(&self, identity: &Identity, role: &str) -> bool {
        self.plan.from.iter().any(|source| match source {
            RoleSource::Roles => identity.has_role(role),
            RoleSource::Groups => identity.in_group(role),
            RoleSource::Claim(path) => match identity.claim(path) {
                Some(Json::List(list)) => list.values().any(|own| own.as_str() == Some(role)),
                Some(Json::Text(words)) => words.split_ascii_whitespace().any(|own| own == role),
                _ => false,
            },
        })
    }
}

impl OnRequest for RolesFilter {
    async fn on_request(&self, exchange: &mut Exchange, _: &dyn Outside) -> Verdict {
        let identity = exchange.identity.as_deref();
        let request = &exchange.request;
        let mut fault = self.inner.refusal(identity, request.method_bytes(), request.path());
        if fault.is_none() && self.inner.by_method {
            for method in overriding_methods(&request.fields) {
                fault = fault.or_else(|| self.inner.refusal(identity, &method, request.path()));
            }
        }
        match fault {
            Some(fault) if fault.reason == Reason::CredentialsMissing => {
                Verdict::Fail(not_known(exchange, "nothing has said who calls"))
            }
            Some(fault) => Verdict::Fail(fault),
            None => Verdict::Continue,
        }
    }
}

#[cfg(test)]
mod tests;
