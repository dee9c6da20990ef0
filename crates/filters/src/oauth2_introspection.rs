//! Authentication by a token that says nothing itself: an authorization server is asked what it means
//! (RFC 7662).
//!
//! Tokens are known by their digest alone. Good ones are remembered, never longer than they are good; others
//! in a table of their own, so that made-up tokens drive out no good one. Everybody who shows the same unknown
//! token at the same time waits for one answer. A server that gives no usable answer is not the caller's
//! fault: 503.

mod answer;
mod question;

use crate::asking::{self, Print, Printed, Together};
use crate::authentication::cache::{Cache, Weight};
use crate::authentication::unverified::Looks;
use crate::authentication::{Authenticate, Guard};
use crate::jwt::invalid::Invalid;
use crate::jwt::{bearer, source};
use answer::Active;
use std::sync::Arc;
use torana_fault::{Fault, Reason};
use torana_filter::{Exchange, Identity, Outside};
use torana_plan::OAuth2IntrospectionPlan;

/// The longest token that is asked about, in bytes.
const LONGEST: usize = 16 * 1024;

type Judged = Result<Arc<Active>, Refused>;

/// Why a token is refused.
#[derive(Clone, Debug)]
struct Refused {
    fault: Fault,
    /// Whether its server has called it active: whoever has it was given it, and has guessed nothing.
    genuine: bool,
}

impl Refused {
    const fn genuine(fault: Fault) -> Self {
        Self { fault, genuine: true }
    }
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self { fault, genuine: false }
    }
}

impl Weight for Refused {
    fn weight(&self) -> usize {
        self.fault.weight()
    }
}

/// Callers show a token.
#[derive(Debug)]
pub struct OAuth2IntrospectionFilter {
    plan: Arc<OAuth2IntrospectionPlan>,
    good: Cache<Active>,
    refused: Cache<Refused>,
    asking: Together<Judged>,
}

impl OAuth2IntrospectionFilter {
    /// Prepares the filter; it remembers no token yet.
    #[must_use]
    pub fn prepare(plan: &Arc<OAuth2IntrospectionPlan>) -> Self {
        Self {
            plan: Arc::clone(plan),
            good: Cache::default(),
            refused: Cache::default(),
            asking: Together::default(),
        }
    }

    /// What it asks for.
    #[must_use]
    pub fn describe(&self) -> String {
        let plan = &self.plan;
        let scopes = match plan.scopes.as_slice() {
            [] => String::new(),
            scopes => format!(" for {}", scopes.join(" ")),
        };
        format!("a token{scopes} that `{}`, which is asked, says is good", plan.asked.name)
    }

    /// What is known of a token, by what is remembered or by asking.
    async fn judged(&self, token: &[u8], now: u64, outside: &dyn Outside, guard: Guard<'_>) -> Judged {
        let mut print = Print::new();
        print.part(token);
        // An answer names a consumer of those that were known then.
        print.part(&self.plan.consumers.generation().to_le_bytes());
        let print = print.end();
        if let Some(known) = self.good.get(&print, now) {
            return Ok(known);
        }
        guard.may_try_shown(&print)?;
        if let Some(known) = self.refused.get(&print, now) {
            return Err((*known).clone());
        }
        if !is_token(token) {
            guard.note_no_guess();
            return Err(self.invalid("what is shown is no token").into());
        }
        if !outside.is_there() {
            return Err(unavailable("nothing is asked for an explanation").into());
        }
        let begun = guard.begin_asking(Some(&print), self.plan.asked.timeout).await;
        begun.map_err(|unbegun| {
            unbegun.or(|| unavailable("others from the same address wait for an answer"))
        })?;
        if let Some(known) = self.good.get(&print, now) {
            return Ok(known);
        }
        let judged = self.asking.ask(print, async || self.ask(token, print, now, outside).await).await;
        match &judged {
            Ok(_) => guard.note_verified(&print),
            Err(Refused { genuine: true, .. }) => {}
            Err(refused) => match refused.fault.reason {
                Reason::CredentialsInvalid => guard.note_wrong(&print),
                Reason::IntrospectionUnavailable => guard.note_unanswered(),
                _ => {}
            },
        }
        judged
    }

    async fn ask(&self, token: &[u8], print: Printed, now: u64, outside: &dyn Outside) -> Judged {
        let (mut request, body) = question::question(&self.plan, token)?;
        let answer = asking::ask(outside, &self.plan.asked, &mut request, &body).await;
        let answer = answer.map_err(|fault| unavailable(fault.to_string()))?;
        let judged = answer::read(&self.plan, &answer, now).map(Arc::new);
        match &judged {
            Ok(active) => {
                let until = now.saturating_add(self.plan.ttl).min(active.ends_at(&self.plan));
                if until > now {
                    self.good.insert(&print, active, until, now);
                }
            }
            Err(refused) if refused.fault.status() < 500 && self.plan.refused_ttl > 0 => {
                let until = now.saturating_add(self.plan.refused_ttl);
                self.refused.insert(&print, &Arc::new(refused.clone()), until, now);
            }
            Err(_) => {}
        }
        judged
    }

    pub(crate) fn looks(&self) -> Looks<'_> {
        source::looks(&self.plan.from)
    }

    fn invalid(&self, why: &'static str) -> Fault {
        challenge(&self.plan, Reason::CredentialsInvalid, why)
    }
}

/// RFC 6750 section 2.1, and no longer than any server gives out.
fn is_token(token: &[u8]) -> bool {
    token.len() <= LONGEST && token.iter().all(u8::is_ascii_graphic)
}

/// Nobody has said what the token means.
fn unavailable(why: impl Into<std::borrow::Cow<'static, str>>) -> Fault {
    Fault::new(Reason::IntrospectionUnavailable).because(why)
}

/// RFC 6750 section 3: no error code where no credential was shown.
fn challenge(
    plan: &OAuth2IntrospectionPlan,
    reason: Reason,
    why: impl Into<std::borrow::Cow<'static, str>>,
) -> Fault {
    let challenge = match reason {
        Reason::CredentialsMissing => bearer(&plan.realm, None),
        Reason::Forbidden => {
            let error = format!("error=\"insufficient_scope\", scope=\"{}\"", plan.scopes.join(" "));
            bearer(&plan.realm, Some(&error))
        }
        _ => bearer(&plan.realm, Some("error=\"invalid_token\"")),
    };
    Fault::new(reason).because(why).with_field("WWW-Authenticate", challenge)
}

impl Authenticate for OAuth2IntrospectionFilter {
    async fn authenticate(
        &self,
        exchange: &mut Exchange,
        outside: &dyn Outside,
        guard: Guard<'_>,
    ) -> Result<Arc<Identity>, Fault> {
        let (plan, now) = (&*self.plan, exchange.moment.unix_seconds);
        let found = source::find(&exchange.request, &plan.from).map_err(|why| match why {
            Invalid::Missing => challenge(plan, Reason::CredentialsMissing, "no token"),
            other => challenge(plan, Reason::CredentialsInvalid, other.to_string()),
        });
        let (token, found) = found?;
        let judged = self.judged(&token, now, outside, guard).await;
        drop(token);
        let judged = judged.and_then(|active| {
            active.check_times(plan, now).map_err(Refused::genuine)?;
            Ok(active)
        });
        let active = judged.map_err(|refused| {
            if refused.genuine {
                guard.note_genuine();
            }
            refused.fault
        })?;
        for (name, value) in &active.fields {
            exchange.request.fields.insert(&**name, value)?;
        }
        if plan.hide_credentials {
            source::remove(&mut exchange.request, &plan.from, found);
        }
        Ok(Arc::clone(&active.identity))
    }
}

#[cfg(test)]
mod tests;
