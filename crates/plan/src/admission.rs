//! Whom a route lets pass: a caller who says nothing, or something wrong, is not always refused where callers are
//! asked who they are.

use torana_config::written::{AskFailure, AuthWay, PreflightRule};
use torana_identity::Consumer;

use crate::fingerprint;
use crate::order::Phase;
use crate::plan::RoutePlan;
use crate::policy::{AuthenticationPlan, PolicyPlan};

/// Why a route refuses nobody for want of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anybody<'p> {
    /// Nobody is asked.
    Unasked,
    /// Others are taken for this consumer.
    TakenFor(&'p Consumer),
    /// Everybody passes while this service, which is asked, gives no answer.
    WithoutAnswerOf(&'p str),
}

impl RoutePlan {
    /// Whether it refuses nobody for want of credentials, also where it asks for some: whoever has none is taken for
    /// somebody, or passes where a service that is asked gives no answer. What is asked of callers besides, such as
    /// roles, is another thing.
    #[must_use]
    pub fn admits_anybody(&self) -> bool {
        self.anybody().is_some()
    }

    pub(crate) fn anybody(&self) -> Option<Anybody<'_>> {
        let mut ways = self
            .policies
            .iter()
            .filter_map(|planned| match &planned.policy {
                PolicyPlan::Authentication(way) => Some(way),
                _ => None,
            })
            .peekable();
        // Whoever is taken for somebody is not known, and has to be.
        if self.closes() {
            return None;
        }
        if ways.peek().is_none() {
            return Some(Anybody::Unasked);
        }
        if let Some(consumer) = &self.authentication.anonymous {
            return Some(Anybody::TakenFor(consumer));
        }
        let mut opening = None;
        for way in ways {
            let own = opens_without_answer(way);
            if own.is_none() && self.authentication.all {
                return None;
            }
            opening = opening.or(own);
        }
        opening.map(Anybody::WithoutAnswerOf)
    }

    /// Whether callers are asked who they are, or nobody passes.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        self.protected || self.closes()
    }

    fn closes(&self) -> bool {
        self.policies.iter().any(|planned| planned.policy == PolicyPlan::Access)
    }

    /// What it asks of whoever calls: the ways to say so, how several go together, and what decides whether the caller
    /// may; each a number, the same for routes that ask the same.
    #[must_use]
    pub fn asking(&self) -> Vec<u64> {
        let asks =
            |policy: &PolicyPlan| matches!(policy.phase(), Phase::Authentication | Phase::Authorisation);
        let policies = self.policies.iter().map(|planned| &planned.policy).filter(|policy| asks(policy));
        let mut asking: Vec<u64> = policies.map(PolicyPlan::fingerprint).collect();
        let ways: Vec<AuthWay> = self.policies.iter().filter_map(|planned| way(&planned.policy)).collect();
        for way in &ways {
            // Who is asked about more asks what others ask, and more.
            let rule = self.authentication.preflight.of(*way);
            let asked =
                [PreflightRule::Required, PreflightRule::Cors].into_iter().filter(|asked| rule <= *asked);
            asking.extend(asked.map(|asked| fingerprint::of(&(way, asked))));
        }
        if ways.len() > 1 {
            asking.push(fingerprint::of(&("all", self.authentication.all, self.authentication.caller)));
        }
        asking
    }

    /// Where it asks who calls and refuses nobody for want of credentials: the same for routes that ask the same of
    /// whoever calls.
    #[must_use]
    pub fn open_door(&self) -> Option<u64> {
        if !self.protected || !self.admits_anybody() {
            return None;
        }
        let asking = self.policies.iter().filter(|planned| planned.policy.asks_who_calls());
        let asking: Vec<u64> = asking.map(|planned| planned.policy.fingerprint()).collect();
        let group = &self.authentication;
        let anonymous = group.anonymous.as_ref().map(|consumer| &consumer.id);
        Some(fingerprint::of(&(asking, group.all, group.caller, &group.preflight, anonymous)))
    }
}

fn way(policy: &PolicyPlan) -> Option<AuthWay> {
    match policy {
        PolicyPlan::Authentication(plan) => Some(plan.way()),
        _ => None,
    }
}

pub(crate) fn opens_without_answer(way: &AuthenticationPlan) -> Option<&str> {
    match way {
        AuthenticationPlan::ForwardAuth(asks) if asks.on_failure == AskFailure::Allow => {
            Some(&asks.asked.name)
        }
        _ => None,
    }
}
