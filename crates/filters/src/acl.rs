//! Authorisation by group of the consumer, or by groups that a credential vouches for.
//!
//! Deny comes before allow; where groups are vouched for in a form that cannot be read, a caller may be in one that is
//! denied, and so is denied. Nobody is 401; a caller who showed a credential is 403; the configured stand-in
//! for callers without one is told 401, because showing one may help.

use crate::authentication::not_known;
use crate::listed::item;
use std::sync::Arc;
use torana_config::written::AclGroups;
use torana_fault::{Fault, Reason};
use torana_filter::{Exchange, Identity, OnRequest, Outside, Verdict};
use torana_plan::AclPlan;
use torana_plan::reserved::GROUP_FIELDS;

/// Told where groups were vouched for in another form.
const UNREAD: &str = ", and the claim with its groups has what is no text";
const CONSUMER_GROUPS: &str = GROUP_FIELDS[0];
const AUTHENTICATED_GROUPS: &str = GROUP_FIELDS[1];

/// Callers belong to a group.
#[derive(Clone, Debug)]
pub struct AclFilter {
    plan: Arc<AclPlan>,
}

impl AclFilter {
    /// Prepares the filter.
    #[must_use]
    pub fn prepare(plan: &Arc<AclPlan>) -> Self {
        Self { plan: Arc::clone(plan) }
    }

    /// What it asks for.
    #[must_use]
    pub fn describe(&self) -> String {
        let list = |groups: &[String]| groups.join(", ");
        match (self.plan.allow.as_slice(), self.plan.deny.as_slice()) {
            (allow, []) => format!("one of the groups {}", list(allow)),
            ([], deny) => format!("none of the groups {}", list(deny)),
            (allow, deny) => format!("one of the groups {} and none of {}", list(allow), list(deny)),
        }
    }

    /// Whether the caller's own groups count, and those that were vouched for.
    fn count(&self, identity: &Identity) -> (bool, bool) {
        let has_shown_itself = identity.record.is_some() && !identity.anonymous;
        let vouched_else_own = || {
            let vouched = !identity.authenticated_groups.is_empty() || identity.unread_groups;
            (!vouched, vouched)
        };
        match self.plan.groups {
            AclGroups::Both => (true, true),
            AclGroups::Consumer => (true, false),
            AclGroups::Authenticated => (false, true),
            AclGroups::ConsumerElseAuthenticated if has_shown_itself => (true, false),
            AclGroups::ConsumerElseAuthenticated | AclGroups::AuthenticatedElseConsumer => vouched_else_own(),
        }
    }

    fn in_one_of(&self, identity: &Identity, groups: &[String]) -> bool {
        let (own, vouched) = self.count(identity);
        groups.iter().any(|group| {
            let recorded = || identity.record.iter().flat_map(|record| record.groups.iter());
            (own && recorded().any(|known| **known == **group))
                || (vouched && identity.authenticated_groups.contains(group))
        })
    }

    /// Tells the service which groups the caller has.
    fn send(&self, exchange: &mut Exchange) {
        let Some(identity) = exchange.identity.as_deref() else { return };
        let (own, vouched) = self.count(identity);
        let recorded = identity.record.iter().flat_map(|record| record.groups.iter()).map(|group| &**group);
        let authenticated = identity.authenticated_groups.iter().map(String::as_str);
        let fields = [
            (CONSUMER_GROUPS, joined(recorded.filter(|_| own))),
            (AUTHENTICATED_GROUPS, joined(authenticated.filter(|_| vouched))),
        ];
        for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
            let _ = exchange.request.fields.insert(name, value.as_bytes());
        }
    }
}

fn joined<'g>(groups: impl Iterator<Item = &'g str>) -> String {
    groups.map(item).collect::<Vec<_>>().join(", ")
}

impl OnRequest for AclFilter {
    async fn on_request(&self, exchange: &mut Exchange, _: &dyn Outside) -> Verdict {
        let Some(identity) = exchange.identity.as_deref() else {
            return Verdict::Fail(not_known(exchange, "nothing has said who calls"));
        };
        let plan = &self.plan;
        let unread = self.count(identity).1 && identity.unread_groups;
        let denied = self.in_one_of(identity, &plan.deny) || (unread && !plan.deny.is_empty());
        if denied || !(plan.allow.is_empty() || self.in_one_of(identity, &plan.allow)) {
            let unread = if unread { UNREAD } else { "" };
            let detail = format!("{} may not: {} is asked for{unread}", identity.consumer, self.describe());
            return Verdict::Fail(if identity.anonymous && !denied {
                not_known(exchange, detail)
            } else {
                Fault::new(Reason::Forbidden).because(detail)
            });
        }
        if plan.send_groups {
            self.send(exchange);
        }
        Verdict::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use torana_filter::{Consumer, Credential, CredentialKind, Offline};

    fn identity(own: &[&str], vouched: &[&str]) -> Identity {
        let groups = own.iter().map(|group| Arc::from(*group)).collect();
        Identity {
            consumer: "ada".into(),
            record: Some(Arc::new(Consumer { id: "1".into(), groups, ..Consumer::default() })),
            credential: Some(Credential { kind: CredentialKind::Key, id: "k".into() }),
            authenticated_groups: vouched.iter().map(ToString::to_string).collect(),
            ..Identity::default()
        }
    }

    async fn ask(plan: AclPlan, identity: Option<Identity>) -> (Option<u16>, Option<String>) {
        let filter = AclFilter::prepare(&Arc::new(plan));
        let mut exchange = Exchange { identity: identity.map(Arc::new), ..Exchange::default() };
        let status = match filter.on_request(&mut exchange, &Offline).await {
            Verdict::Continue => None,
            Verdict::Fail(fault) => Some(fault.status()),
            Verdict::Respond(_) => panic!("groups answer nothing"),
        };
        let sent = exchange.request.fields.get_str("x-consumer-groups").map(str::to_owned);
        (status, sent)
    }

    fn plan(allow: &[&str], deny: &[&str], groups: AclGroups) -> AclPlan {
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        AclPlan { allow: owned(allow), deny: owned(deny), groups, send_groups: true }
    }

    #[tokio::test]
    async fn deny_comes_before_allow_and_nobody_before_both() {
        use AclGroups::{Authenticated, Both, Consumer, ConsumerElseAuthenticated};
        let allow_staff = || plan(&["staff"], &[], Both);
        let none: &[&str] = &[];
        for (allow, deny, groups, own, vouched, status) in [
            (&["staff"][..], none, Both, &["staff"][..], none, None),
            (&["staff"], none, Both, none, &["staff"][..], None),
            (&["staff"], none, Both, &["guests"], none, Some(403)),
            (&["staff"], none, Both, none, none, Some(403)),
            (&["staff"], none, Both, &["Staff"], none, Some(403)),
            (none, &["banned"][..], Both, none, none, None),
            (none, &["banned"], Both, &["staff", "banned"], none, Some(403)),
            (&["staff"], &["banned"], Both, &["staff", "banned"], none, Some(403)),
            (&["staff"], none, Consumer, none, &["staff"], Some(403)),
            (&["staff"], none, Authenticated, &["staff"], none, Some(403)),
            (&["staff"], none, Authenticated, none, &["staff"], None),
            (&["staff"], none, ConsumerElseAuthenticated, &["staff"], none, None),
            (&["staff"], none, ConsumerElseAuthenticated, none, &["staff"], Some(403)),
        ] {
            let told = ask(plan(allow, deny, groups), Some(identity(own, vouched))).await.0;
            assert_eq!(told, status, "{allow:?} {deny:?} {groups:?} {own:?} {vouched:?}");
            assert_eq!(ask(plan(allow, deny, groups), None).await.0, Some(401));
        }
        let stand_in = Identity { anonymous: true, credential: None, ..identity(&[], &[]) };
        assert_eq!(ask(allow_staff(), Some(stand_in)).await.0, Some(401));
    }

    #[tokio::test]
    async fn who_may_be_in_a_denied_group_is_denied() {
        use AclGroups::{Both, Consumer, ConsumerElseAuthenticated};
        let odd = |record: bool| {
            let known = identity(&["staff"], &[]);
            Identity { record: known.record.clone().filter(|_| record), unread_groups: true, ..known }
        };
        for (allow, deny, groups, record, status) in [
            (&["staff"][..], &[][..], Both, true, None),
            (&["other"], &[], Both, true, Some(403)),
            (&["staff"], &["banned"][..], Both, true, Some(403)),
            (&["staff"], &["banned"], Consumer, true, None),
            (&[], &["banned"], ConsumerElseAuthenticated, false, Some(403)),
            (&[], &["banned"], ConsumerElseAuthenticated, true, None),
        ] {
            let told = ask(plan(allow, deny, groups), Some(odd(record))).await.0;
            assert_eq!(told, status, "{allow:?} {deny:?} {groups:?} {record}");
        }
    }

    /// Kong's `acl`, without and with `always_use_authenticated_groups`: which groups count for whom.
    #[tokio::test]
    async fn own_and_vouched_groups_stand_in_for_each_other_as_in_kong() {
        use AclGroups::{AuthenticatedElseConsumer as Vouched, ConsumerElseAuthenticated as Own};
        let (consumer, nobodys, stand_in) = ((true, false), (false, false), (true, true));
        for (groups, (is_consumer, anonymous), own, vouched, allowed, denied) in [
            (Own, consumer, &["g"][..], &[][..], None, Some(403)),
            (Own, consumer, &["g"], &["other"], None, Some(403)),
            (Own, consumer, &[], &["g"], Some(403), None),
            (Own, consumer, &["other"], &["g"], Some(403), None),
            (Own, nobodys, &[], &["g"], None, Some(403)),
            (Own, nobodys, &[], &[], Some(403), None),
            (Own, stand_in, &["g"], &[], None, Some(403)),
            (Own, stand_in, &["other"], &["g"], None, Some(403)),
            (Own, stand_in, &["g"], &["other"], Some(401), None),
            (Own, stand_in, &[], &[], Some(401), None),
            (Vouched, consumer, &["g"], &[], None, Some(403)),
            (Vouched, consumer, &["g"], &["other"], Some(403), None),
            (Vouched, consumer, &["other"], &["g"], None, Some(403)),
            (Vouched, consumer, &[], &[], Some(403), None),
            (Vouched, nobodys, &[], &["g"], None, Some(403)),
            (Vouched, stand_in, &["g"], &[], None, Some(403)),
            (Vouched, stand_in, &["g"], &["other"], Some(401), None),
        ] {
            let caller = || {
                let known = identity(own, vouched);
                let (record, credential) = (known.record, known.credential);
                let (record, credential) =
                    (record.filter(|_| is_consumer), credential.filter(|_| !anonymous));
                Some(Identity { record, credential, anonymous, ..identity(own, vouched) })
            };
            let who = (groups, is_consumer, anonymous, own, vouched);
            assert_eq!(ask(plan(&["g"], &[], groups), caller()).await.0, allowed, "allow for {who:?}");
            assert_eq!(ask(plan(&[], &["g"], groups), caller()).await.0, denied, "deny for {who:?}");
        }
    }

    #[tokio::test]
    async fn services_hear_every_group_of_the_caller() {
        let told = ask(plan(&["a"], &[], AclGroups::Both), Some(identity(&["a", "b"], &[]))).await;
        assert_eq!(told, (None, Some("a, b".into())));
    }

    #[tokio::test]
    async fn no_group_is_told_as_two() {
        for (own, sent) in [
            (&["a", "acme,admin", "b"][..], Some("a, acme%2Cadmin, b")),
            (&["a", "admin ", " b", "c\r\nd"], Some("a, admin%20, %20b, c%0D%0Ad")),
            (&[], None),
        ] {
            let told = ask(plan(&[], &["x"], AclGroups::Both), Some(identity(own, &[]))).await;
            assert_eq!(told, (None, sent.map(str::to_owned)), "{own:?}");
        }
    }
}
