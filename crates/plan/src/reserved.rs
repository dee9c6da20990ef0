//! The fields that no client may send, because services take them for what somebody in between has verified.

/// Fields that services believe, whichever policies are in force.
pub const ALWAYS: [&str; 25] = [
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
    // Certificates, as Envoy and RFC 9440 section 2 have them.
    "X-Forwarded-Client-Cert",
    "X-Client-Cert",
    "Client-Cert",
    "Client-Cert-Chain",
    // Some services serve this path instead of the one that was authorised.
    "X-Original-Url",
    "X-Rewrite-Url",
];

/// What the names of such fields begin with, in lower case: certificates as nginx and Apache have them, and who calls as
/// oauth2-proxy, Grafana and Kubernetes have it.
pub const BEGINNINGS: [&str; 5] =
    ["x-ssl-client-", "ssl-client-", "x-auth-request-", "x-webauth-", "x-remote-extra-"];

/// Whether such a field is removed from every request that no trusted proxy sends.
pub(crate) fn is_reserved(name: &str) -> bool {
    let begins = |beginning: &&str| {
        name.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning))
    };
    ALWAYS.iter().any(|one| one.eq_ignore_ascii_case(name)) || BEGINNINGS.iter().any(begins)
}
