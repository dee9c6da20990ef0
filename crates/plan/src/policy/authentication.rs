//! The ways to say who calls, and how several of them go together.

use std::slice;
use std::sync::Arc;

use torana_config::written::{AskFailure, AuthForm, AuthRequire, AuthWay, ConsumerLookup, PreflightsForm};
use torana_config::{Document, Finding, Path};
use torana_credential::directory::Consumers;
use torana_identity::Consumer;

use super::{
    AskedPlan, BasicAuthPlan, ForwardAuthPlan, HmacAuthPlan, JwtPlan, KeyAuthPlan, MtlsAuthPlan,
    OAuth2IntrospectionPlan, OidcLoginPlan, SigV4Plan,
};
use crate::reserved::CONSUMER_FIELDS;

/// A way to say who calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AuthenticationPlan {
    /// A JSON Web Token.
    Jwt(Arc<JwtPlan>),
    /// A key of a consumer.
    KeyAuth(Arc<KeyAuthPlan>),
    /// A user name and a password.
    BasicAuth(Arc<BasicAuthPlan>),
    /// A signature over the request.
    HmacAuth(Arc<HmacAuthPlan>),
    /// A signature over the request, as AWS clients make it.
    SigV4(Arc<SigV4Plan>),
    /// A client certificate.
    MtlsAuth(Arc<MtlsAuthPlan>),
    /// A token that its issuer explains.
    OAuth2Introspection(Arc<OAuth2IntrospectionPlan>),
    /// A service that is asked.
    ForwardAuth(Arc<ForwardAuthPlan>),
    /// A login with a browser.
    OidcLogin(Arc<OidcLoginPlan>),
}

impl AuthenticationPlan {
    /// Which way it is.
    #[must_use]
    pub const fn way(&self) -> AuthWay {
        match self {
            Self::Jwt(_) => AuthWay::Jwt,
            Self::KeyAuth(_) => AuthWay::KeyAuth,
            Self::BasicAuth(_) => AuthWay::BasicAuth,
            Self::HmacAuth(_) => AuthWay::HmacAuth,
            Self::SigV4(_) => AuthWay::Sigv4,
            Self::MtlsAuth(_) => AuthWay::MtlsAuth,
            Self::OAuth2Introspection(_) => AuthWay::OAuth2Introspection,
            Self::ForwardAuth(_) => AuthWay::ForwardAuth,
            Self::OidcLogin(_) => AuthWay::OidcLogin,
        }
    }

    /// The name by which people write it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.way().name()
    }

    /// The fields that it sets for services: nobody else may send them.
    pub fn identity_fields(&self) -> impl Iterator<Item = &str> {
        let claims = match self {
            Self::Jwt(plan) => plan.claims_to_headers.as_slice(),
            Self::OidcLogin(plan) => plan.id_token.claims_to_headers.as_slice(),
            Self::OAuth2Introspection(plan) => plan.claims_to_headers.as_slice(),
            Self::KeyAuth(_)
            | Self::BasicAuth(_)
            | Self::HmacAuth(_)
            | Self::SigV4(_)
            | Self::MtlsAuth(_)
            | Self::ForwardAuth(_) => &[],
        };
        let answers = match self {
            Self::ForwardAuth(plan) => Some(plan.identity_fields()),
            _ => None,
        };
        let claims = claims.iter().map(|(_, field)| &**field);
        claims.chain(answers.into_iter().flatten()).chain(self.consumer_fields().iter().copied())
    }

    /// Those of [`CONSUMER_FIELDS`] that it sets.
    fn consumer_fields(&self) -> &'static [&'static str] {
        let [.., anonymous] = &CONSUMER_FIELDS;
        let knows_consumers = match self {
            Self::KeyAuth(_)
            | Self::BasicAuth(_)
            | Self::HmacAuth(_)
            | Self::SigV4(_)
            | Self::MtlsAuth(_) => true,
            Self::Jwt(plan) => plan.consumers.is_some(),
            Self::OAuth2Introspection(plan) => plan.lookup != ConsumerLookup::Off,
            Self::ForwardAuth(plan) => plan.identity.consumers != ConsumerLookup::Off,
            Self::OidcLogin(_) => false,
        };
        match self {
            _ if knows_consumers => &CONSUMER_FIELDS,
            Self::ForwardAuth(plan) if plan.on_failure == AskFailure::Allow => slice::from_ref(anonymous),
            _ => &[],
        }
    }

    /// The fields in which callers show who they are. Those of cookies and of a connection have no other spelling.
    pub fn credential_fields(&self) -> impl Iterator<Item = &str> {
        let (fixed, written): (&[&str], &[String]) = match self {
            Self::Jwt(plan) => (&[], &plan.from.headers),
            Self::OAuth2Introspection(plan) => (&[], &plan.from.headers),
            Self::KeyAuth(plan) => (&[], &plan.config.headers),
            Self::HmacAuth(_) => (&["Signature", "Signature-Input"], &[]),
            Self::SigV4(_) => (&["X-Amz-Security-Token"], &[]),
            Self::ForwardAuth(plan) => (&[], &plan.request_headers),
            Self::BasicAuth(_) | Self::MtlsAuth(_) | Self::OidcLogin(_) => (&[], &[]),
        };
        let written = written.iter().map(String::as_str);
        let written = written.filter(|name| *name != "*" && !is_neutral(name));
        fixed.iter().copied().chain(written)
    }

    /// The service that it asks, if it asks one.
    #[must_use]
    pub fn asks(&self) -> Option<&AskedPlan> {
        match self {
            Self::OAuth2Introspection(plan) => Some(&plan.asked),
            Self::ForwardAuth(plan) => Some(&plan.asked),
            Self::Jwt(_)
            | Self::KeyAuth(_)
            | Self::BasicAuth(_)
            | Self::HmacAuth(_)
            | Self::SigV4(_)
            | Self::MtlsAuth(_)
            | Self::OidcLogin(_) => None,
        }
    }
}

/// Fields by which nobody is known, though services look at them: what a client can read and what it is, and by what a
/// request is found again.
const NEUTRAL: [&str; 26] = [
    "Accept",
    "Accept-Charset",
    "Accept-Encoding",
    "Accept-Language",
    "Baggage",
    "Cache-Control",
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-Type",
    "DNT",
    "Date",
    "Host",
    "Origin",
    "Pragma",
    "Priority",
    "Referer",
    "Save-Data",
    "Traceparent",
    "Tracestate",
    "Upgrade-Insecure-Requests",
    "User-Agent",
    "Via",
    "X-Correlation-Id",
    "X-Request-Id",
    "X-Requested-With",
];

/// Whether nobody is known by a field, whatever its value: one that every client sends of itself.
#[must_use]
pub fn is_neutral(name: &str) -> bool {
    let hints = name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("Sec-"));
    hints || NEUTRAL.iter().any(|neutral| neutral.eq_ignore_ascii_case(name))
}

/// How the ways to say who calls go together on a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticationGroup {
    /// Whether every one must succeed, else the first that does is enough.
    pub all: bool,
    /// The name of the way that says who calls where every one must succeed; the last one when `None`.
    pub caller: Option<&'static str>,
    /// Who a caller without an accepted credential is taken for; refused when `None`.
    pub anonymous: Option<Arc<Consumer>>,
    /// Which requests need not say who calls.
    pub preflight: PreflightsForm,
}

impl Default for AuthenticationGroup {
    fn default() -> Self {
        Self { all: true, caller: None, anonymous: None, preflight: PreflightsForm::default() }
    }
}

/// Plans how they go together.
pub(crate) fn group(form: &AuthForm, consumers: &Consumers) -> AuthenticationGroup {
    let config = form.config();
    AuthenticationGroup {
        all: config.require == AuthRequire::All,
        caller: config.caller.map(AuthWay::name),
        anonymous: config.anonymous.and_then(|name| consumers.planned().consumer(&name).cloned()),
        preflight: config.preflight,
    }
}

/// Reports a policy that recognises consumers where there are none: nobody could pass.
pub(super) fn needs_consumers(
    document: &Document,
    path: &Path,
    consumers: &Consumers,
    findings: &mut Vec<Finding>,
) {
    if consumers.planned().is_empty() {
        let finding = Finding::warning("no-consumers", "there are no consumers: nobody could pass");
        findings.push(finding.at(document.key_span_at(path)).help("add `consumers`"));
    }
}
