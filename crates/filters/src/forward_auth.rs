//! Authentication by asking a service whether the request may pass.
//!
//! The question shows only what the configuration names, and what a client says of forwarding never reaches
//! it. An answer of 2xx lets the request pass, with fields in place of whatever the client sent under their
//! names, and its fields for the client go with whatever is answered; a refusal is handed to the client as it
//! is. Everything else says nothing: 503, never a refusal that nobody has pronounced.

mod answer;
mod question;

use crate::asking::{self, Printed};
use crate::authentication::cache::{Cache, SentFields};
use crate::authentication::unverified::Looks;
use crate::authentication::{Authenticate, Guard, Unbegun, client_fields};
use crate::hygiene::ReservedFields;
use answer::{Answer, Passed};
use std::sync::Arc;
use torana_config::written::AskFailure;
use torana_fault::{Fault, Reason, Side};
use torana_filter::{Credential, CredentialKind, Exchange, Identity, Needs, Outside};
use torana_http::{Fields, RequestHead};
use torana_plan::ForwardAuthPlan;
use torana_plan::reserved::CONSUMER_FIELDS;

/// A service is asked.
#[derive(Debug)]
pub struct ForwardAuthFilter {
    plan: Arc<ForwardAuthPlan>,
    /// The fields of its answers, however a client writes them.
    answered: ReservedFields,
    /// The fields in which callers show who they are to the service that is asked, and in which it says who they are.
    /// Not `Cookie`: services have cookies of their own there, and which is the asked one's is not known.
    credentials: Vec<String>,
    passed: Cache<Passed>,
}

impl ForwardAuthFilter {
    /// Prepares the filter; it remembers nothing yet.
    #[must_use]
    pub fn prepare(plan: &Arc<ForwardAuthPlan>) -> Self {
        Self {
            plan: Arc::clone(plan),
            credentials: question::credential_fields(plan),
            answered: ReservedFields::only(plan.response_headers.iter().map(String::as_str)),
            passed: Cache::default(),
        }
    }

    /// What must be there before it is asked.
    #[must_use]
    pub fn needs(&self) -> Needs {
        self.plan.body.map_or(Needs::NOTHING, |limit| Needs::body(limit.as_u64()))
    }

    /// Whether it sets the field itself where it accepts a caller, or has shown it to the service that is asked.
    pub(crate) fn answers_for(&self, field: &str) -> bool {
        let shown = || self.plan.request_headers.iter().any(|name| name.eq_ignore_ascii_case(field));
        self.sets(field) || self.plan.shows_all() || shown()
    }

    /// Whether it sets or removes the field where it accepts a caller.
    pub(crate) fn sets(&self, field: &str) -> bool {
        self.answered.contains(field.as_bytes())
    }

    pub(crate) fn looks(&self) -> Looks<'_> {
        Looks { headers: &self.credentials, ..Looks::default() }
    }

    /// Whether it is shown something by which a caller could be known, all of which is so.
    pub(crate) fn is_shown_only(&self, request: &RequestHead, is_so: impl Fn(&str, &[u8]) -> bool) -> bool {
        question::credentials(&self.plan, request, is_so) == Some(true)
    }

    /// What it asks for.
    #[must_use]
    pub fn describe(&self) -> String {
        let remembered = match &self.plan.cache {
            Some(cache) => format!(", and remembers for {}", cache.ttl),
            None => String::new(),
        };
        format!("that `{}`, which is asked, lets the request pass{remembered}", self.plan.asked.name)
    }

    /// Who may pass, by what is remembered or by asking.
    async fn judged(
        &self,
        exchange: &mut Exchange,
        outside: &dyn Outside,
        guard: Guard<'_>,
    ) -> Result<Arc<Passed>, Fault> {
        let now = exchange.moment.unix_seconds;
        let print = self.plan.cache.as_ref().map(|cache| question::print(&self.plan, cache, exchange));
        // Before what is remembered too: it could be guessed there as well.
        match &print {
            Some(print) => guard.may_try_shown(print)?,
            None => guard.may_try()?,
        }
        if let Some(known) = print.as_ref().and_then(|print| self.passed.get(print, now)) {
            return Ok(known);
        }
        if !outside.is_there() {
            return Err(unavailable("nothing is asked for an explanation"));
        }
        match guard.begin_asking(print.as_ref().map(|print| &print[..]), self.plan.asked.timeout).await {
            Ok(()) => {}
            Err(Unbegun::Limited(fault)) => return Err(fault),
            Err(Unbegun::Unanswered { silent: true }) if self.plan.on_failure == AskFailure::Allow => {
                return Ok(Arc::new(Passed::unasked()));
            }
            Err(Unbegun::Unanswered { .. }) => {
                return Err(unavailable("others from the same address wait for an answer"));
            }
        }
        if let Some(known) = print.as_ref().and_then(|print| self.passed.get(print, now)) {
            return Ok(known);
        }
        let shown = question::shows_credentials(&self.plan, exchange);
        match self.ask(exchange, outside).await {
            Ok(Answer::Passed(passed)) => {
                let passed = Arc::new(*passed);
                if let Some(print) = &print {
                    guard.note_verified(print);
                    self.remember(print, &passed, now);
                }
                Ok(passed)
            }
            Ok(Answer::Refused(response)) => {
                let fault = answer::refusal(&response, shown);
                if shown && answer::is_of_credentials(&response) {
                    note_wrong(&fault, print.as_ref(), guard);
                }
                exchange.answer = Some(response);
                Err(fault)
            }
            Ok(Answer::Unusable(fault)) => Err(fault),
            Err(fault) if fault.reason == Reason::ForwardAuthUnavailable => {
                guard.note_unanswered();
                match self.plan.on_failure {
                    AskFailure::Allow => Ok(Arc::new(Passed::unasked())),
                    AskFailure::Deny => Err(fault),
                }
            }
            Err(fault) => Err(fault),
        }
    }

    fn remember(&self, print: &Printed, passed: &Arc<Passed>, now: u64) {
        if let (Some(cache), true) = (&self.plan.cache, passed.may_be_kept) {
            let until = now.saturating_add(cache.ttl.as_duration().as_secs());
            self.passed.insert(print, passed, until, now);
        }
    }

    /// Who may pass by the method that a field asks for instead too. A service behind may take either; it gets what was
    /// said of that one.
    async fn judged_by_all(
        &self,
        exchange: &mut Exchange,
        outside: &dyn Outside,
        guard: Guard<'_>,
    ) -> Result<Arc<Passed>, Fault> {
        let passed = self.judged(exchange, outside, guard).await?;
        let Some(instead) = question::method_instead(&exchange.request)? else { return Ok(passed) };
        let own = String::from_utf8_lossy(exchange.request.method_bytes()).into_owned();
        exchange.request.set_method(&instead);
        let judged = Box::pin(self.judged(exchange, outside, guard)).await;
        exchange.request.set_method(&own);
        judged
    }

    async fn ask(&self, exchange: &mut Exchange, outside: &dyn Outside) -> Result<Answer, Fault> {
        let mut request = question::request(&self.plan, exchange)?;
        let body = exchange.body.clone().filter(|_| self.plan.body.is_some()).unwrap_or_default();
        let response = asking::ask(outside, &self.plan.asked, &mut request, &body).await;
        let response = match response {
            Ok(response) => response,
            Err(fault) => {
                let unavailable = unavailable(fault.to_string());
                return if is_silence(&fault) { Err(unavailable) } else { Ok(Answer::Unusable(unavailable)) };
            }
        };
        // Before it is judged: a session that was renewed is so whatever becomes of the request.
        let yes = (200..300).contains(&response.head.status);
        let told = yes && client_fields::note(exchange, &self.plan.client_headers, &response.head.fields);
        answer::read(&self.plan, response, told)
    }

    fn pass_on(&self, fields: &mut Fields, passed: &Passed) -> Result<(), Fault> {
        self.answered.strip(fields);
        for (name, value) in &passed.fields {
            fields.append(&**name, value)?;
        }
        if passed.identity.anonymous {
            let [.., anonymous] = CONSUMER_FIELDS;
            fields.insert(anonymous, b"true")?;
        }
        Ok(())
    }
}

/// Counts what the asked service has refused as wrong.
fn note_wrong(fault: &Fault, print: Option<&Printed>, guard: Guard<'_>) {
    // What is refused as wrong is counted with every other way's.
    if fault.reason != Reason::CredentialsInvalid {
        guard.note_wrong_too();
    }
    if let Some(print) = print {
        guard.note_wrong(print);
    }
}

/// Whether nothing came back. What came back and cannot be used, or was too long, may be the caller's doing.
const fn is_silence(fault: &Fault) -> bool {
    let unusable = matches!(
        fault.reason,
        Reason::UpstreamMalformed | Reason::UpstreamHeadTooLarge | Reason::UpstreamReset
    );
    matches!(fault.side(), Side::Upstream) && !unusable
}

/// Nobody has said whether the request may pass.
fn unavailable(why: impl Into<std::borrow::Cow<'static, str>>) -> Fault {
    Fault::new(Reason::ForwardAuthUnavailable).because(why)
}

impl Passed {
    /// Somebody who passes because nobody could be asked.
    fn unasked() -> Self {
        let credential = Credential { kind: CredentialKind::Forward, id: "".into() };
        let identity = Identity {
            consumer: "anonymous".into(),
            credential: Some(credential),
            anonymous: true,
            ..Identity::default()
        };
        Self { identity: Arc::new(identity), fields: SentFields::new(), may_be_kept: false }
    }
}

impl Authenticate for ForwardAuthFilter {
    async fn authenticate(
        &self,
        exchange: &mut Exchange,
        outside: &dyn Outside,
        guard: Guard<'_>,
    ) -> Result<Arc<Identity>, Fault> {
        let passed = self.judged_by_all(exchange, outside, guard).await?;
        self.pass_on(&mut exchange.request.fields, &passed)?;
        Ok(Arc::clone(&passed.identity))
    }
}

#[cfg(test)]
mod tests;
