//! What an answer means.

use super::unavailable;
use crate::authentication::cache::{SentFields, Weight, fields_weight};
use crate::authentication::lookup;
use serde_json::{Map, Value};
use std::sync::Arc;
use torana_fault::{Fault, Reason};
use torana_filter::{Credential, CredentialKind, Identity, Response};
use torana_http::{Fields, Known, ResponseHead};
use torana_plan::ForwardAuthPlan;

/// A request may pass.
#[derive(Debug)]
pub(super) struct Passed {
    pub(super) identity: Arc<Identity>,
    /// For the service.
    pub(super) fields: SentFields,
    /// Whether the answer may be remembered.
    pub(super) may_be_kept: bool,
}

impl Weight for Passed {
    fn weight(&self) -> usize {
        size_of::<Self>().saturating_add(self.identity.weight()).saturating_add(fields_weight(&self.fields))
    }
}

/// An answer that says something.
#[derive(Debug)]
pub(super) enum Answer {
    /// The request may pass.
    Passed(Box<Passed>),
    /// It may not; the client gets this.
    Refused(Box<Response>),
    /// Neither, although the service works: whoever calls may have brought this about.
    Unusable(Fault),
}

/// Reads an answer; `told` says whether the client gets something of it that is for this one alone.
///
/// # Errors
/// The service has failed (5xx).
pub(super) fn read(plan: &ForwardAuthPlan, response: Response, told: bool) -> Result<Answer, Fault> {
    match response.head.status {
        200..=299 => Ok(match passed(plan, &response.head.fields, told) {
            Ok(passed) => Answer::Passed(Box::new(passed)),
            Err(fault) => Answer::Unusable(fault),
        }),
        status if plan.refusals.contains(&status) => {
            handed(plan, response).map(Box::new).map(Answer::Refused)
        }
        status @ 500..=599 => Err(unavailable(format!("the answer is {status}"))),
        status => Ok(Answer::Unusable(unavailable(format!("the answer is {status}")))),
    }
}

fn passed(plan: &ForwardAuthPlan, answer: &Fields, told: bool) -> Result<Passed, Fault> {
    let mut fields = SentFields::new();
    for name in &plan.response_headers {
        fields.extend(answer.get_all(name.as_str()).map(|value| (name.as_str().into(), value.to_vec())));
    }
    let forbidden = answer.get_all(Known::CacheControl).any(|line| {
        line.split(|byte| *byte == b',').any(|word| word.trim_ascii().eq_ignore_ascii_case(b"no-store"))
    });
    Ok(Passed { identity: Arc::new(identity(plan, answer)?), fields, may_be_kept: !told && !forbidden })
}

fn identity(plan: &ForwardAuthPlan, answer: &Fields) -> Result<Identity, Fault> {
    let says = &plan.identity;
    let consumer = match &says.consumer {
        Some(name) => one(answer, name)?.ok_or_else(|| unavailable("the answer does not say who calls"))?,
        None => plan.asked.name.to_string(),
    };
    let record = lookup::consumer(&plan.consumers.load(), says.consumers, &consumer)
        .map_err(|unknown| Fault::new(Reason::Forbidden).because(unknown.to_string()))?;
    let mut claims = Map::new();
    for (claim, name) in &says.claims {
        if let Some(value) = one(answer, name)? {
            claims.insert(claim.clone(), Value::String(value));
        }
    }
    let credential = Credential { kind: CredentialKind::Forward, id: plan.asked.name.as_ref().into() };
    Ok(Identity {
        consumer,
        record,
        credential: Some(credential),
        anonymous: false,
        roles: list(answer, says.roles.as_deref())?,
        authenticated_groups: list(answer, says.groups.as_deref())?,
        claims: claims.into(),
        ..Identity::default()
    })
}

/// The one value of a field. Of two, either could be meant, so neither is.
fn one(answer: &Fields, name: &str) -> Result<Option<String>, Fault> {
    let mut values = answer.get_all(name);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(unavailable(format!("the answer has `{name}` twice")));
    }
    let text = text(value, name)?;
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

fn list(answer: &Fields, name: Option<&str>) -> Result<Vec<String>, Fault> {
    let Some(name) = name else { return Ok(Vec::new()) };
    let mut words = Vec::new();
    for line in answer.get_all(name) {
        let line = text(line, name)?.split(',').map(str::trim);
        words.extend(line.filter(|word| !word.is_empty()).map(str::to_owned));
    }
    Ok(words)
}

fn text<'t>(value: &'t [u8], name: &str) -> Result<&'t str, Fault> {
    let text = std::str::from_utf8(value).map(str::trim);
    text.map_err(|_| unavailable(format!("`{name}` of the answer is not text")))
}

/// What the client gets of a refusal.
fn handed(plan: &ForwardAuthPlan, response: Response) -> Result<Response, Fault> {
    let mut head = ResponseHead::new(response.head.status);
    for name in &plan.refusal_headers {
        for value in response.head.fields.get_all(name.as_str()) {
            head.fields.append(name.as_str(), value)?;
        }
    }
    Ok(Response { head, body: response.body })
}

/// Whether a refusal may be of what the caller has shown: services tell it by any of these.
pub(super) const fn is_of_credentials(response: &Response) -> bool {
    matches!(response.head.status, 401 | 403 | 404)
}

/// Why the request does not pass, for counting and the log. `shown` says whether a credential was.
pub(super) fn refusal(response: &Response, shown: bool) -> Fault {
    let status = response.head.status;
    let reason = match status {
        401 if shown => Reason::CredentialsInvalid,
        300..=399 | 401 => Reason::CredentialsMissing,
        _ => Reason::Forbidden,
    };
    let mut fault =
        Fault::new(reason).because(format!("the asked service said {status}")).with_status(status);
    if status == 401 {
        for value in response.head.fields.get_all("WWW-Authenticate") {
            fault = fault.with_field("WWW-Authenticate", String::from_utf8_lossy(value).into_owned());
        }
    }
    fault
}
