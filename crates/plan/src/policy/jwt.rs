//! `jwt` in the plan.

use std::sync::Arc;

use torana_config::written::{Algorithm, JwtConfig};
use torana_config::{Document, Finding, Path};
use torana_types::{Secret, TimeSpan};

use super::PolicyPlan;
use crate::text;

/// Callers show a JSON Web Token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JwtPlan {
    /// The secret that tokens are signed with; never empty.
    pub secret: Secret,
    /// Algorithms that are accepted; at least one.
    pub algorithms: Vec<Algorithm>,
    /// How far clocks may differ.
    pub leeway: TimeSpan,
    /// Claims and the field that carries each to the service; the fields are removed from requests.
    pub claims_to_headers: Vec<(String, String)>,
    /// The claim that says who calls.
    pub consumer_claim: String,
    /// The claim that lists roles.
    pub roles_claim: String,
    /// The realm in `WWW-Authenticate`, free of quotes and control characters.
    pub realm: String,
}

/// Plans the policy that is written at `path`.
pub(crate) fn plan(
    document: &Document,
    path: &Path,
    config: &JwtConfig,
    findings: &mut Vec<Finding>,
) -> PolicyPlan {
    let bytes = config.secret.expose().len();
    if bytes == 0 {
        let place = document.span_at(&path.key("secret"));
        findings.push(
            Finding::error("empty-secret", "the secret is empty: anybody could sign a token").at(place),
        );
    } else if bytes < 32 {
        let place = document.span_at(&path.key("secret"));
        let finding =
            Finding::warning("short-secret", "the secret is shorter than 32 bytes and can be guessed")
                .at(place);
        findings.push(
            finding.help("HS256 asks for at least 256 bits (RFC 7518 section 3.2): `openssl rand -hex 32`"),
        );
    }
    let realm_ok = |character: char| character.is_ascii_graphic() || character == ' ';
    if !config.realm.chars().all(|character| realm_ok(character) && !matches!(character, '"' | '\\')) {
        let place = document.span_at(&path.key("realm"));
        findings.push(
            Finding::error("bad-value", "a realm holds no quotes, backslashes or control characters")
                .at(place),
        );
    }
    for (claim, field) in &config.claims_to_headers {
        text::field_name(document, &path.key("claims_to_headers").key(claim), field, findings);
    }
    let mut algorithms = config.algorithms.as_slice().to_vec();
    algorithms.dedup();
    if algorithms.is_empty() {
        let place = document.span_at(&path.key("algorithms"));
        findings.push(
            Finding::error("no-algorithm", "without an algorithm no token could be accepted").at(place),
        );
    }
    PolicyPlan::Jwt(Arc::new(JwtPlan {
        secret: config.secret.clone(),
        algorithms,
        leeway: config.leeway,
        claims_to_headers: config.claims_to_headers.clone().into_iter().collect(),
        consumer_claim: config.consumer_claim.clone(),
        roles_claim: config.roles_claim.clone(),
        realm: config.realm.clone(),
    }))
}
