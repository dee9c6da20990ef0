//! The ways to say who calls, as variants of one enum.

use super::unverified::{BASIC, Looks};
use super::{Authenticate, Guard};
use crate::basic_auth::BasicAuthFilter;
use crate::forward_auth::ForwardAuthFilter;
use crate::hmac_auth::HmacAuthFilter;
use crate::jwt::{JwtFilter, RemoteKeys};
use crate::key_auth::KeyAuthFilter;
use crate::mtls_auth::MtlsAuthFilter;
use crate::oauth2_introspection::OAuth2IntrospectionFilter;
use crate::oidc_login::OidcLoginFilter;
use crate::sigv4::SigV4Filter;
use std::sync::Arc;
use torana_config::written::AuthWay;
use torana_fault::Fault;
use torana_filter::{Exchange, Identity, Needs, Outside, Verdict};

/// A way to say who calls.
#[derive(Debug)]
pub enum Method {
    /// A JSON Web Token.
    Jwt(JwtFilter),
    /// A key of a consumer.
    KeyAuth(KeyAuthFilter),
    /// A user name and a password.
    BasicAuth(BasicAuthFilter),
    /// A signature over the request.
    HmacAuth(HmacAuthFilter),
    /// A signature over the request, as AWS clients make it.
    SigV4(SigV4Filter),
    /// A client certificate.
    MtlsAuth(MtlsAuthFilter),
    /// A token that its issuer explains.
    OAuth2Introspection(OAuth2IntrospectionFilter),
    /// A service that is asked.
    ForwardAuth(ForwardAuthFilter),
    /// A login with a browser.
    OidcLogin(Box<OidcLoginFilter>),
}

impl Method {
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

    /// The keys that it has fetched.
    pub(super) fn remote_keys(&self) -> Vec<&Arc<RemoteKeys>> {
        match self {
            Self::Jwt(filter) => filter.remote_keys().collect(),
            Self::OidcLogin(filter) => vec![filter.remote_keys()],
            _ => Vec::new(),
        }
    }

    /// The name by which people write it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.way().name()
    }

    /// A bit of its own among the ways of a route.
    pub(super) const fn mark(&self) -> u16 {
        const { assert!(AuthWay::ALL.len() <= 16, "each has a bit") };
        1_u16.wrapping_shl(self.way() as u32)
    }

    /// What must be there before it is asked about this request.
    pub(super) fn needs(&self, exchange: &Exchange, guard: Guard<'_>) -> Needs {
        match self {
            Self::Jwt(_)
            | Self::BasicAuth(_)
            | Self::MtlsAuth(_)
            | Self::OidcLogin(_)
            | Self::OAuth2Introspection(_) => Needs::NOTHING,
            Self::KeyAuth(filter) => filter.needs(exchange),
            Self::HmacAuth(filter) => filter.needs(exchange, guard),
            Self::SigV4(filter) => filter.needs(exchange, guard),
            Self::ForwardAuth(filter) => filter.needs(),
        }
    }

    /// Where it looks for what callers show, or what services take for verified by it. Logins take their cookies out
    /// themselves.
    pub(super) fn looks(&self) -> Looks<'_> {
        match self {
            Self::Jwt(filter) => filter.looks(),
            Self::KeyAuth(filter) => filter.looks(),
            Self::BasicAuth(_) => {
                Looks { fixed: &["Authorization"], scheme: Some(BASIC), ..Looks::default() }
            }
            Self::HmacAuth(filter) => filter.looks(),
            Self::SigV4(filter) => filter.looks(),
            Self::OAuth2Introspection(filter) => filter.looks(),
            Self::ForwardAuth(filter) => filter.looks(),
            Self::OidcLogin(filter) => filter.looks(),
            Self::MtlsAuth(_) => Looks::default(),
        }
    }

    /// Whether, of a caller whom it has accepted, it has set the field or had it judged by others.
    pub(super) fn answers_for(&self, field: &str) -> bool {
        match self {
            Self::Jwt(filter) => filter.answers_for(field),
            Self::ForwardAuth(filter) => filter.answers_for(field),
            Self::OidcLogin(filter) => filter.answers_for(field),
            Self::KeyAuth(_)
            | Self::BasicAuth(_)
            | Self::HmacAuth(_)
            | Self::SigV4(_)
            | Self::MtlsAuth(_)
            | Self::OAuth2Introspection(_) => false,
        }
    }

    /// What it asks for, in one line without secrets.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Jwt(filter) => filter.describe(),
            Self::KeyAuth(filter) => filter.describe(),
            Self::BasicAuth(filter) => filter.describe(),
            Self::HmacAuth(filter) => filter.describe(),
            Self::SigV4(filter) => filter.describe(),
            Self::MtlsAuth(filter) => filter.describe(),
            Self::OAuth2Introspection(filter) => filter.describe(),
            Self::ForwardAuth(filter) => filter.describe(),
            Self::OidcLogin(filter) => filter.describe(),
        }
    }

    /// What it answers itself, whoever calls: the paths of a login.
    pub(super) async fn answer(
        &self,
        exchange: &mut Exchange,
        outside: &dyn Outside,
        guard: Guard<'_>,
    ) -> Option<Verdict> {
        match self {
            Self::OidcLogin(filter) => Box::pin(filter.answer(exchange, outside, guard)).await,
            _ => None,
        }
    }

    pub(super) async fn authenticate(
        &self,
        exchange: &mut Exchange,
        outside: &dyn Outside,
        guard: Guard<'_>,
    ) -> Result<Arc<Identity>, Fault> {
        match self {
            Self::Jwt(filter) => filter.authenticate(exchange, outside, guard).await,
            Self::KeyAuth(filter) => filter.authenticate(exchange, outside, guard).await,
            // Boxed: requests of other ways must not hold room for these.
            Self::BasicAuth(filter) => Box::pin(filter.authenticate(exchange, outside, guard)).await,
            Self::HmacAuth(filter) => Box::pin(filter.authenticate(exchange, outside, guard)).await,
            Self::SigV4(filter) => Box::pin(filter.authenticate(exchange, outside, guard)).await,
            Self::OAuth2Introspection(filter) => {
                Box::pin(filter.authenticate(exchange, outside, guard)).await
            }
            Self::ForwardAuth(filter) => Box::pin(filter.authenticate(exchange, outside, guard)).await,
            Self::MtlsAuth(filter) => filter.authenticate(exchange, outside, guard).await,
            Self::OidcLogin(filter) => Box::pin(filter.authenticate(exchange, outside, guard)).await,
        }
    }
}
