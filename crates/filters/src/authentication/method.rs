//! The ways to say who calls, as variants of one enum.

use super::{Authenticate, Guard};
use crate::jwt::JwtFilter;
use std::sync::Arc;
use torana_fault::Fault;
use torana_filter::{Exchange, Identity, Needs, Outside};

/// A way to say who calls.
#[derive(Debug)]
pub enum Method {
    /// A JSON Web Token.
    Jwt(JwtFilter),
}

impl Method {
    /// The name by which people write it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Jwt(_) => "jwt",
        }
    }

    /// What must be there before it is asked.
    #[must_use]
    pub const fn needs(&self) -> Needs {
        match self {
            Self::Jwt(_) => Needs::NOTHING,
        }
    }

    /// What it asks for, in one line without secrets.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Jwt(filter) => filter.describe(),
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
        }
    }
}
