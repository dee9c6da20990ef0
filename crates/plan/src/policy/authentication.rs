//! The ways to say who calls, and how several of them go together.

use std::sync::Arc;

use torana_config::written::{AuthForm, AuthRequire};

use super::JwtPlan;

/// A way to say who calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AuthenticationPlan {
    /// A JSON Web Token.
    Jwt(Arc<JwtPlan>),
}

impl AuthenticationPlan {
    /// The name by which people write it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Jwt(_) => "jwt",
        }
    }

    /// The fields that it sets for services: no client may send them.
    pub fn identity_fields(&self) -> impl Iterator<Item = &str> {
        let claims = match self {
            Self::Jwt(plan) => &plan.claims_to_headers,
        };
        claims.iter().map(|(_, field)| field.as_str())
    }
}

/// How the ways to say who calls go together on a route.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AuthenticationGroup {
    /// Whether every one must succeed, else the first that does is enough.
    pub all: bool,
    /// Who a caller without an accepted credential is taken for; refused when `None`.
    pub anonymous: Option<Arc<str>>,
    /// Whether a CORS preflight must say who calls too.
    pub preflight: bool,
}

impl Default for AuthenticationGroup {
    fn default() -> Self {
        Self { all: true, anonymous: None, preflight: true }
    }
}

/// Plans how they go together.
pub(crate) fn group(form: &AuthForm) -> AuthenticationGroup {
    let config = form.config();
    AuthenticationGroup {
        all: config.require == AuthRequire::All,
        anonymous: config.anonymous.as_deref().map(Into::into),
        preflight: config.preflight,
    }
}
