//! Authorisation by role.
//!
//! A request without a verified caller is answered 401, whatever the order of policies: nobody passes here
//! for want of an identity.

use std::sync::Arc;
use torana_fault::{Fault, Reason};
use torana_filter::{Exchange, OnRequest, Outside, Verdict};
use torana_plan::RolesPlan;

/// Callers have a role.
#[derive(Clone, Debug)]
pub struct RolesFilter {
    plan: Arc<RolesPlan>,
}

impl RolesFilter {
    /// Prepares the filter.
    #[must_use]
    pub fn prepare(plan: &Arc<RolesPlan>) -> Self {
        Self { plan: Arc::clone(plan) }
    }

    /// What it asks for.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut parts = Vec::new();
        if !self.plan.any.is_empty() {
            parts.push(format!("one of the roles {}", self.plan.any.join(", ")));
        }
        if !self.plan.all.is_empty() {
            parts.push(format!("all of the roles {}", self.plan.all.join(", ")));
        }
        parts.join(" and ")
    }
}

impl OnRequest for RolesFilter {
    async fn on_request(&self, exchange: &mut Exchange, _: &dyn Outside) -> Verdict {
        let Some(identity) = &exchange.identity else {
            return Verdict::Fail(
                Fault::new(Reason::CredentialsMissing)
                    .because("nothing has said who calls")
                    .with_field("WWW-Authenticate", "Bearer".into()),
            );
        };
        let plan = &self.plan;
        let any = plan.any.is_empty() || plan.any.iter().any(|role| identity.has_role(role));
        if any && plan.all.iter().all(|role| identity.has_role(role)) {
            return Verdict::Continue;
        }
        let detail = format!("{} lacks {}", identity.consumer, self.describe());
        Verdict::Fail(Fault::new(Reason::Forbidden).because(detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use torana_filter::Identity;

    async fn reason(any: &[&str], all: &[&str], roles: Option<&[&str]>) -> Option<Reason> {
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let filter = RolesFilter::prepare(&Arc::new(RolesPlan { any: owned(any), all: owned(all) }));
        let identity = roles.map(|roles| {
            Arc::new(Identity { consumer: "u".into(), roles: owned(roles), ..Identity::default() })
        });
        let mut exchange = Exchange { identity, ..Exchange::default() };
        match filter.on_request(&mut exchange, &torana_filter::Offline).await {
            Verdict::Continue => None,
            Verdict::Fail(fault) => Some(fault.reason),
            Verdict::Respond(_) => panic!("roles answer nothing"),
        }
    }

    #[tokio::test]
    async fn one_of_any_and_every_one_of_all() {
        assert_eq!(reason(&["user", "admin"], &[], Some(&["admin"])).await, None);
        assert_eq!(reason(&["user"], &[], Some(&["User"])).await, Some(Reason::Forbidden));
        assert_eq!(reason(&[], &["a", "b"], Some(&["b", "a"])).await, None);
        assert_eq!(reason(&[], &["a", "b"], Some(&["a"])).await, Some(Reason::Forbidden));
        assert_eq!(reason(&["x"], &["a"], Some(&["a"])).await, Some(Reason::Forbidden));
        assert_eq!(reason(&["x"], &[], Some(&[])).await, Some(Reason::Forbidden));
    }

    #[tokio::test]
    async fn nobody_is_not_let_through() {
        assert_eq!(reason(&["user"], &[], None).await, Some(Reason::CredentialsMissing));
    }
}
