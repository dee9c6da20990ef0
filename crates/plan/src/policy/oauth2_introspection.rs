//! `oauth2_introspection` in the plan.

use std::sync::Arc;

use torana_config::written::{
    ConsumerLookup, OAuth2ClientConfig, OAuth2IntrospectionConfig, OneOrMany, TokenSourcesConfig,
};
use torana_config::{Document, Finding, Path};
use torana_credential::directory::Consumers;
use torana_types::TimeSpan;

use super::asked::{self, AskedPlan, Services, Written};
use super::{AuthenticationPlan, PolicyPlan, jwt};
use crate::text;

/// Callers show a token of which an authorization server says what it means.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OAuth2IntrospectionPlan {
    /// Who is asked.
    pub asked: AskedPlan,
    /// Who the gateway is to it.
    pub client: Option<OAuth2ClientConfig>,
    /// What it is told of the kind of token.
    pub token_type_hint: Option<String>,
    /// Where tokens are looked for.
    pub from: TokenSourcesConfig,
    /// Who may have issued a token; anybody when empty.
    pub issuers: Vec<String>,
    /// Whom a token must be meant for; anybody when empty.
    pub audiences: Vec<String>,
    /// Scopes that it must have.
    pub scopes: Vec<String>,
    /// Claims that must be there.
    pub required_claims: Vec<String>,
    /// Claims and the field that carries each to the service.
    pub claims_to_headers: Vec<(String, Arc<str>)>,
    /// Claims of which the first that is there says who calls.
    pub consumer_claims: Vec<String>,
    /// Whether the caller is looked up.
    pub lookup: ConsumerLookup,
    /// The claim that lists roles.
    pub roles_claim: String,
    /// The claim that lists groups.
    pub groups_claim: String,
    /// How far clocks may differ.
    pub leeway: TimeSpan,
    /// How long a good token is remembered, in seconds.
    pub ttl: u64,
    /// How long another one is.
    pub refused_ttl: u64,
    /// Whether the token is removed.
    pub hide_credentials: bool,
    /// The realm in `WWW-Authenticate`, free of quotes and control characters.
    pub realm: String,
    /// Who may be meant.
    pub consumers: Arc<Consumers>,
}

/// Plans the policy that is written at `path`.
pub(crate) fn plan(
    document: &Document,
    path: &Path,
    config: &OAuth2IntrospectionConfig,
    (consumers, services): (&Arc<Consumers>, &Services),
    findings: &mut Vec<Finding>,
) -> PolicyPlan {
    let written = Written {
        service: config.service.as_deref(),
        path: &config.path,
        url: config.url.as_ref(),
        template: false,
        timeout: config.timeout,
        max_size: config.max_size,
        between: "could call any token good, and read tokens and the secret",
    };
    let asked = asked::plan(document, path, &written, services, findings);
    jwt::leeway(document, path, config.leeway, findings);
    text::quotable(document, &path.key("realm"), &config.realm, "a realm", findings);
    text::claim_fields(document, path, &config.claims_to_headers, findings);
    for (index, scope) in config.scopes.iter().enumerate() {
        let place = path.key("scopes").index(index);
        text::quotable(document, &place, scope, "a scope", findings);
        if scope.is_empty() || scope.contains(' ') {
            let message = "a scope is one word (RFC 6749 section 3.3)";
            findings.push(Finding::error("bad-scope", message).at(document.span_at(&place)));
        }
    }
    for (key, span) in [("ttl", config.cache.ttl), ("refused_ttl", config.cache.refused_ttl)] {
        if !span.is_zero() && span.as_duration().as_secs() == 0 {
            let finding = Finding::error("no-ttl", "less than a second is no time to remember anything");
            let finding = finding.at(document.span_at(&path.key("cache").key(key)));
            findings.push(finding.help("write whole seconds, or `0s` to ask every time"));
        }
    }
    let list =
        |given: Option<&OneOrMany<String>>| given.map_or_else(Vec::new, |given| given.as_slice().to_vec());
    let seconds = |span: TimeSpan| span.as_duration().as_secs();
    let plan = OAuth2IntrospectionPlan {
        asked,
        client: config.client.clone(),
        token_type_hint: config.token_type_hint.clone(),
        from: jwt::sources(document, path, config.from.as_ref(), findings),
        issuers: list(config.issuer.as_ref()),
        audiences: list(config.audience.as_ref()),
        scopes: config.scopes.clone(),
        required_claims: config.required_claims.clone(),
        claims_to_headers: text::shared_fields(&config.claims_to_headers),
        consumer_claims: config.consumer_claim.as_slice().to_vec(),
        lookup: config.consumers,
        roles_claim: config.roles_claim.clone(),
        groups_claim: config.groups_claim.clone(),
        leeway: config.leeway,
        ttl: seconds(config.cache.ttl),
        refused_ttl: seconds(config.cache.refused_ttl),
        hide_credentials: config.hide_credentials,
        realm: config.realm.clone(),
        consumers: Arc::clone(consumers),
    };
    PolicyPlan::Authentication(AuthenticationPlan::OAuth2Introspection(Arc::new(plan)))
}
