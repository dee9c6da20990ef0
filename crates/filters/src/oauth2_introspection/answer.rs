//! What the authorization server says of a token (RFC 7662 section 2.2).

use super::{Refused, challenge, unavailable};
use crate::authentication::cache::{SentFields, Weight, fields_weight};
use crate::authentication::lookup;
use crate::jwt::claims::{consumer, fields, groups, texts, time};
use std::sync::Arc;
use torana_fault::{Fault, Reason};
use torana_filter::{Claims, Credential, CredentialKind, Identity, Json, Response};
use torana_plan::OAuth2IntrospectionPlan;

/// A token that is good, as far as its server says.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) identity: Arc<Identity>,
    /// Fields for the service.
    pub(super) fields: SentFields,
    /// Seconds since 1970-01-01 UTC.
    expires: Option<u64>,
    not_before: Option<u64>,
}

impl Active {
    /// The first second at which it is no longer good.
    pub(super) fn ends_at(&self, plan: &OAuth2IntrospectionPlan) -> u64 {
        let leeway = plan.leeway.as_duration().as_secs();
        self.expires.map_or(u64::MAX, |expires| expires.saturating_add(leeway))
    }

    /// Compares its times, whatever its server thinks of them.
    pub(super) fn check_times(&self, plan: &OAuth2IntrospectionPlan, now: u64) -> Result<(), Fault> {
        if now >= self.ends_at(plan) {
            return Err(challenge(plan, Reason::CredentialsExpired, "the token expired"));
        }
        let leeway = plan.leeway.as_duration().as_secs();
        if self.not_before.is_some_and(|not_before| now.saturating_add(leeway) < not_before) {
            return Err(challenge(plan, Reason::CredentialsInvalid, "the token is not valid yet"));
        }
        Ok(())
    }
}

impl Weight for Active {
    fn weight(&self) -> usize {
        size_of::<Self>().saturating_add(self.identity.weight()).saturating_add(fields_weight(&self.fields))
    }
}

/// Reads an answer.
///
/// # Errors
/// The token is not good for this route, or the answer says nothing about it.
pub(super) fn read(plan: &OAuth2IntrospectionPlan, answer: &Response, now: u64) -> Result<Active, Refused> {
    match answer.head.status {
        200 => {}
        status @ (401 | 403) => {
            return Err(unavailable(format!("the server does not answer this client ({status})")).into());
        }
        status => return Err(unavailable(format!("the answer is {status}")).into()),
    }
    let claims =
        Claims::read(answer.body.to_vec()).ok_or_else(|| unavailable("the answer is no JSON object"))?;
    match claims.get("active") {
        Some(Json::Bool(true)) => {}
        Some(Json::Bool(false)) => {
            return Err(challenge(plan, Reason::CredentialsInvalid, "the token is not active").into());
        }
        _ => return Err(unavailable("the answer does not say whether the token is active").into()),
    }
    let active = active(plan, claims).map_err(Refused::genuine)?;
    active.check_times(plan, now).map_err(Refused::genuine)?;
    Ok(active)
}

fn active(plan: &OAuth2IntrospectionPlan, mut claims: Claims) -> Result<Active, Fault> {
    let invalid = |why: String| challenge(plan, Reason::CredentialsInvalid, why);
    check(plan, &claims)?;
    let consumer = consumer_of(plan, &claims)?;
    let record = lookup::consumer(&plan.consumers.load(), plan.lookup, &consumer);
    let record = record.map_err(|unknown| invalid(unknown.to_string()))?;
    let id = claims.get("client_id").or_else(|| claims.get("iss")).and_then(Json::as_str);
    let credential = Credential {
        kind: CredentialKind::Introspection,
        id: id.filter(|id| is_field(id)).unwrap_or_default().into(),
    };
    let said = |error: crate::jwt::invalid::Invalid| unavailable(error.to_string());
    let expires = time(&claims, "exp", f64::floor).map_err(said)?;
    let not_before = time(&claims, "nbf", f64::ceil).map_err(said)?;
    let fields = fields(&claims, &plan.claims_to_headers);
    let roles = texts(&claims, &plan.roles_claim);
    let groups = groups(&claims, &plan.groups_claim);
    // What is remembered has no room that it does not need.
    claims.set_aside();
    Ok(Active {
        expires,
        not_before,
        fields,
        identity: Arc::new(Identity {
            consumer,
            record,
            credential: Some(credential),
            anonymous: false,
            roles: roles.read,
            authenticated_groups: groups.read,
            unread_roles: roles.unread,
            unread_groups: groups.unread,
            claims,
            told: None,
        }),
    })
}

/// Whether a text can be sent in a field.
fn is_field(text: &str) -> bool {
    text.chars().all(|one| !one.is_control()) && text.trim() == text
}

/// The first of the claims that is there.
fn consumer_of(plan: &OAuth2IntrospectionPlan, claims: &Claims) -> Result<String, Fault> {
    let there = plan.consumer_claims.iter().find(|name| claims.find(name).is_some());
    let invalid = |why: String| challenge(plan, Reason::CredentialsInvalid, why);
    let name = there.ok_or_else(|| invalid("no claim says who calls".into()))?;
    consumer(claims, name).map_err(|error| invalid(error.to_string()))
}

/// What the route asks of a token.
fn check(plan: &OAuth2IntrospectionPlan, claims: &Claims) -> Result<(), Fault> {
    let invalid = |why: String| Err(challenge(plan, Reason::CredentialsInvalid, why));
    let issuer = claims.get("iss").and_then(Json::as_str);
    if !plan.issuers.is_empty() && !plan.issuers.iter().any(|name| Some(name.as_str()) == issuer) {
        return invalid("the token is from somebody else".into());
    }
    let is_meant = |audience: &str| plan.audiences.iter().any(|own| own == audience);
    let meant = match claims.get("aud") {
        Some(Json::Text(audience)) => is_meant(audience),
        Some(Json::List(all)) => all.values().filter_map(Json::as_str).any(is_meant),
        _ => false,
    };
    if !plan.audiences.is_empty() && !meant {
        return invalid("the token is meant for somebody else".into());
    }
    if let Some(missing) = plan.required_claims.iter().find(|name| !claims.contains(name)) {
        return invalid(format!("the claim `{missing}` is missing"));
    }
    let scopes = texts(claims, "scope").read;
    if plan.scopes.iter().all(|scope| scopes.contains(scope)) {
        return Ok(());
    }
    Err(challenge(plan, Reason::Forbidden, "the token lacks a scope"))
}
