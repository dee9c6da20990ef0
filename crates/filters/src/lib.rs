//! The built-in filters, as variants of one enum: called without a virtual call or a boxed future.
//!
//! Each filter has a file that says what it asks, and a folder with its parts. A filter is prepared from its
//! plan once per configuration and shared by all workers.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "tests may overflow loudly"))]

mod authentication;
mod basic_auth;
mod jwt;
mod key_auth;
mod rate_limit;
mod roles;

pub use authentication::{AuthenticationFilter, CONSUMER_FIELDS, FailureLimit, Method, Place};
pub use basic_auth::BasicAuthFilter;
pub use jwt::{JwtFilter, RemoteKeys};
pub use key_auth::KeyAuthFilter;
pub use rate_limit::{LimiterState, LimiterUsage, RateLimitFilter};
pub use roles::RolesFilter;

pub use torana_store::{Place as StoreAddress, RedisStore, StoreSettings, StoreUsage, Topology};

use std::sync::Arc;
use torana_filter::{DynamicFilter, Exchange, Needs, OnRequest, OnResponse, Outside, Verdict};
use torana_http::{FieldName, Fields, ResponseHead};

/// Any filter.
#[derive(Clone, Debug)]
pub enum Filter {
    /// Callers say who they are.
    Authentication(AuthenticationFilter),
    /// Callers have a role.
    Roles(RolesFilter),
    /// Callers make only so many requests.
    RateLimit(RateLimitFilter),
    /// Code from outside.
    Dynamic(Arc<dyn DynamicFilter>),
}

impl Filter {
    /// The name by which people write it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Authentication(filter) => filter.name(),
            Self::Roles(_) => "roles",
            Self::RateLimit(_) => "rate_limit",
            Self::Dynamic(filter) => filter.name(),
        }
    }

    /// What must be there before it is asked.
    #[must_use]
    pub fn needs(&self) -> Needs {
        match self {
            Self::Authentication(filter) => filter.needs(),
            Self::Roles(_) | Self::RateLimit(_) => Needs::NOTHING,
            Self::Dynamic(filter) => filter.needs(),
        }
    }

    /// What it asks for, in one line without secrets.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Authentication(filter) => filter.describe(),
            Self::Roles(filter) => filter.describe(),
            Self::RateLimit(filter) => filter.describe(),
            Self::Dynamic(_) => "what its author says".into(),
        }
    }
}

impl OnRequest for Filter {
    async fn on_request(&self, exchange: &mut Exchange, outside: &dyn Outside) -> Verdict {
        match self {
            Self::Authentication(filter) => filter.on_request(exchange, outside).await,
            Self::Roles(filter) => filter.on_request(exchange, outside).await,
            Self::RateLimit(filter) => filter.on_request(exchange, outside).await,
            Self::Dynamic(filter) => filter.on_request(exchange, outside).await,
        }
    }
}

impl OnResponse for Filter {
    async fn on_response(&self, exchange: &mut Exchange, response: &mut ResponseHead) -> Verdict {
        match self {
            Self::RateLimit(filter) => filter.on_response(exchange, response).await,
            Self::Dynamic(filter) => filter.on_response(exchange, response).await,
            Self::Authentication(_) | Self::Roles(_) => Verdict::Continue,
        }
    }
}

/// Removes fields that only filters may set: a client that sends one claims to be somebody.
pub fn strip_identity_headers(fields: &mut Fields, names: &[FieldName]) {
    if !names.is_empty() {
        fields.retain(|field, _| !names.iter().any(|name| name.is(field)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spoofed_identity_is_removed_however_it_is_written() {
        let mut fields = Fields::default();
        for name in ["X-User-Id", "x-user-id", "X-USER-ID", "X-Other"] {
            fields.append(name, b"admin").unwrap();
        }
        strip_identity_headers(&mut fields, &[FieldName::new("X-User-Id")]);
        assert_eq!(fields.iter().map(|(name, _)| name).collect::<Vec<_>>(), [b"X-Other"]);
    }
}
