//! The fields that no client may send, because services take them for what somebody in between has verified.

use torana_config::Span;

use crate::plan::{Plan, Settings};
use crate::policy::PolicyPlan;

/// What services are told of a consumer, as Kong has it; the last says that nobody was recognised.
pub const CONSUMER_FIELDS: [&str; 5] = [
    "X-Consumer-ID",
    "X-Consumer-Custom-ID",
    "X-Consumer-Username",
    "X-Credential-Identifier",
    "X-Anonymous-Consumer",
];

/// The groups of a consumer, and those that its credential vouches for.
pub const GROUP_FIELDS: [&str; 2] = ["X-Consumer-Groups", "X-Authenticated-Groups"];

/// Fields by which some services take another method than the request has.
pub const METHOD_OVERRIDES: [&str; 3] = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"];

/// Fields that services believe, whichever policies are in force.
pub const ALWAYS: [&str; 26] = [
    "X-Consumer-Id",
    "X-Consumer-Custom-Id",
    "X-Consumer-Username",
    "X-Consumer-Groups",
    "X-Credential-Identifier",
    "X-Anonymous-Consumer",
    "X-Authenticated-Groups",
    "X-Authenticated-Userid",
    "X-Authenticated-Scope",
    "Remote-User",
    "Remote-Name",
    "Remote-Email",
    "Remote-Groups",
    "X-Remote-User",
    "X-Remote-Group",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Access-Token",
    // Certificates, as Envoy and RFC 9440 section 2 have them.
    "X-Forwarded-Client-Cert",
    "X-Client-Cert",
    "Client-Cert",
    "Client-Cert-Chain",
    // Some services serve this path instead of the one that was authorised.
    "X-Original-Url",
    "X-Rewrite-Url",
];

/// What the names of such fields begin with, in lower case: certificates as nginx, Apache and Traefik have them, and who
/// calls as oauth2-proxy, Grafana and Kubernetes have it.
pub const BEGINNINGS: [&str; 6] = [
    "x-ssl-client-",
    "ssl-client-",
    "x-forwarded-tls-client-",
    "x-auth-request-",
    "x-webauth-",
    "x-remote-extra-",
];

/// Fields in which proxies say what they were asked, over what and by whom, beside those that begin with
/// [`WAY_BEGINNING`]: services believe them before what they see. Proxies that are trusted may send them.
pub const OF_THE_WAY: [&str; 21] = [
    "Forwarded",
    "X-Original-Uri",
    "X-Original-Path",
    "X-Original-Method",
    "X-Original-Host",
    "X-Original-Proto",
    "X-Original-For",
    "X-Envoy-Original-Path",
    "X-Envoy-Original-Host",
    "X-Replaced-Path",
    "Front-End-Https",
    "X-Scheme",
    "X-Url-Scheme",
    "X-Real-IP",
    "Client-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "True-Client-IP",
    "Fastly-Client-IP",
    "CF-Connecting-IP",
    "CF-Connecting-IPv6",
];

/// What the others begin with, in lower case.
pub const WAY_BEGINNING: &str = "x-forwarded-";

/// What services that see fields as variables (CGI, WSGI, Rack, PHP) take for the byte of a name.
#[must_use]
pub const fn folded(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' }
}

/// Whether such services take one name for the other.
#[must_use]
pub fn is_alike(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().map(folded).eq(other.bytes().map(folded))
}

/// Whether such services take the beginning of a name for another.
fn begins_with(name: &str, beginning: &str) -> bool {
    name.get(..beginning.len()).is_some_and(|start| is_alike(start, beginning))
}

/// Whether services believe a field, or take another method by it, whichever policies are in force and whoever may send it.
pub(crate) fn is_believed(name: &str) -> bool {
    ALWAYS.into_iter().chain(OF_THE_WAY).chain(METHOD_OVERRIDES).any(|one| is_alike(one, name))
        || BEGINNINGS.into_iter().chain([WAY_BEGINNING]).any(|beginning| begins_with(name, beginning))
}

/// Whether a field is removed from every request that no trusted proxy sends, as far as its name and the settings say.
pub(crate) fn is_reserved(settings: &Settings, name: &str) -> bool {
    let own = settings.reserved_headers.iter().chain(&settings.trusted_headers).map(String::as_str);
    ALWAYS.into_iter().chain(own).any(|one| is_alike(one, name))
        || BEGINNINGS.iter().any(|beginning| begins_with(name, beginning))
}

/// Whether a field says by which way a request came and the gateway does not write it, so that trusted proxies alone do.
pub(crate) fn is_of_proxies(settings: &Settings, name: &str) -> bool {
    let own = &settings.forwarded;
    let written = [
        ("X-Forwarded-For", own.x_forwarded),
        ("X-Forwarded-Proto", own.x_forwarded),
        ("X-Forwarded-Host", own.x_forwarded),
        ("X-Forwarded-Port", own.x_forwarded),
        ("Forwarded", own.forwarded),
    ];
    let is_written = written.iter().any(|(one, written)| *written && one.eq_ignore_ascii_case(name));
    let is_told = begins_with(name, WAY_BEGINNING) || OF_THE_WAY.iter().any(|one| is_alike(one, name));
    is_told && !is_written
}

impl Plan {
    /// The fields that say who calls and that the gateway itself writes, whichever route does: nobody else may send
    /// them, no trusted proxy either. Each with what has it written, where that is a policy.
    pub fn written_fields(&self) -> impl Iterator<Item = (&str, Option<&Span>)> {
        let policies = self.routes.iter().flat_map(|route| {
            route.policies.iter().flat_map(move |planned| {
                let whole = matches!(planned.policy, PolicyPlan::Authentication(_))
                    && route.authentication.anonymous.is_some();
                let anonymous = CONSUMER_FIELDS.into_iter().filter(move |_| whole);
                let names = planned.policy.identity_fields().into_iter().chain(anonymous);
                names.map(move |name| (name, Some(&planned.span)))
            })
        });
        self.certificate_fields().map(|name| (name, None)).chain(policies)
    }

    /// The fields in which listeners say which certificate a client has shown.
    pub(crate) fn certificate_fields(&self) -> impl Iterator<Item = &str> {
        let clients =
            self.settings.listen.iter().filter_map(|listener| listener.tls.as_ref()?.client_auth.as_ref());
        clients.flat_map(|clients| clients.headers.given()).map(|(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_gateway_writes_of_callers_is_always_reserved() {
        for name in CONSUMER_FIELDS.into_iter().chain(GROUP_FIELDS) {
            assert!(ALWAYS.iter().any(|one| is_alike(one, name)), "{name}");
        }
    }

    #[test]
    fn names_are_alike_whatever_stands_between_their_words() {
        for (one, other, alike) in [
            ("X-User-Id", "x_user.ID", true),
            ("X-User-Id", "X-User-Idx", false),
            ("X-User-Id", "X-UserAId", false),
            ("a_b", "a-b", true),
        ] {
            assert_eq!(is_alike(one, other), alike, "{one} {other}");
        }
    }
}
