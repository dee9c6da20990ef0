//! The ways to say who calls, as variants of one enum.

use super::{Authenticate, Guard};
use crate::basic_auth::BasicAuthFilter;
use crate::jwt::JwtFilter;
use crate::key_auth::KeyAuthFilter;
use crate::oidc_login::OidcLoginFilter;
use std::sync::Arc;
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
    /// A login with a browser.
    OidcLogin(Box<OidcLoginFilter>),
}

impl Method {
    /// The name by which people write it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Jwt(_) => "jwt",
            Self::KeyAuth(_) => "key_auth",
            Self::BasicAuth(_) => "basic_auth",
            Self::OidcLogin(_) => "oidc_login",
        }
    }

    /// What must be there before it is asked.
    #[must_use]
    pub const fn needs(&self) -> Needs {
        match self {
            Self::Jwt(_) | Self::KeyAuth(_) | Self::BasicAuth(_) | Self::OidcLogin(_) => Needs::NOTHING,
        }
    }

    /// What it asks for, in one line without secrets.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Jwt(filter) => filter.describe(),
            Self::KeyAuth(filter) => filter.describe(),
            Self::BasicAuth(filter) => filter.describe(),
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
            Self::Jwt(_) | Self::KeyAuth(_) | Self::BasicAuth(_) => None,
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
            Self::BasicAuth(filter) => filter.authenticate(exchange, outside, guard).await,
            Self::OidcLogin(filter) => Box::pin(filter.authenticate(exchange, outside, guard)).await,
        }
    }
}
