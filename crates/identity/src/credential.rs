//! By what a caller was recognised.

use std::sync::Arc;

/// The kind of a credential. The names are those of the policies that accept them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CredentialKind {
    /// A JSON Web Token.
    Jwt,
    /// An API key.
    Key,
    /// A name and a password.
    Basic,
    /// A signature with a shared secret, or of the message (RFC 9421).
    Hmac,
    /// A client certificate.
    Certificate,
    /// An AWS Signature Version 4.
    SigV4,
    /// A token that another server vouched for (RFC 7662).
    Introspection,
    /// A service that was asked.
    Forward,
    /// A login in a browser.
    Oidc,
}

impl CredentialKind {
    /// The name of the policy that accepts it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::Key => "key_auth",
            Self::Basic => "basic_auth",
            Self::Hmac => "hmac_auth",
            Self::Certificate => "mtls_auth",
            Self::SigV4 => "sigv4",
            Self::Introspection => "oauth2_introspection",
            Self::Forward => "forward_auth",
            Self::Oidc => "oidc_login",
        }
    }
}

/// A credential by its name, never by its secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Credential {
    /// What it is.
    pub kind: CredentialKind,
    /// Its identifier: that of a key, the user name of a password, the issuer of a token, the fingerprint
    /// of a certificate. One text for all that an issuer vouches for.
    pub id: Arc<str>,
}
