//! The built-in filters, as variants of one enum: called without a virtual call or a boxed future.
//!
//! Each filter has a file that says what it asks, and a folder with its parts. A filter is prepared from its
//! plan once per configuration and shared by all workers.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "tests may overflow loudly"))]

mod access;
mod acl;
mod allow_if;
mod asking;
mod authentication;
mod basic_auth;
mod bot_detection;
mod correlation_id;
mod cors;
mod csrf;
mod facts;
mod forward_auth;
mod hmac_auth;
mod hygiene;
mod ip_restriction;
mod jwt;
mod key_auth;
mod listed;
mod mtls_auth;
mod oauth2_introspection;
mod oidc_login;
mod origin;
mod rate_limit;
mod request_size;
mod required_headers;
mod roles;
mod security_headers;
mod sigv4;
mod stateless;
mod terminate;

pub use access::AccessFilter;
pub use acl::AclFilter;
pub use allow_if::AllowIfFilter;
pub use authentication::{AuthenticationFilter, FailureLimit, LetPass, Method, Place};
pub use basic_auth::BasicAuthFilter;
pub use bot_detection::BotDetectionFilter;
pub use correlation_id::CorrelationIdFilter;
pub use cors::{CorsFilter, preflight_method};
pub use csrf::CsrfFilter;
pub use facts::ExchangeFacts;
pub use forward_auth::ForwardAuthFilter;
pub use hmac_auth::HmacAuthFilter;
pub use hygiene::{ReservedFields, overriding_methods};
pub use ip_restriction::IpRestrictionFilter;
pub use jwt::{Discovered, JwtFilter, KeysUsage, Places, RemoteKeys};
pub use key_auth::KeyAuthFilter;
pub use mtls_auth::MtlsAuthFilter;
pub use oauth2_introspection::OAuth2IntrospectionFilter;
pub use oidc_login::{LoginMemory, OidcLoginFilter, Provider, Question, SealedCookie, strip_login_cookies};
pub use rate_limit::{LimiterState, LimiterUsage, RateLimitFilter, TopCaller};
pub use request_size::RequestSizeFilter;
pub use required_headers::RequiredHeadersFilter;
pub use roles::RolesFilter;
pub use security_headers::SecurityHeadersFilter;
pub use sigv4::SigV4Filter;
pub use stateless::Stateful;
pub use terminate::{Echo, EchoPlace, FixedAnswer, TerminateFilter};

pub use torana_store::{NodeClock, RedisStore, StoreAddress, StoreSettings, StoreUsage, Topology};

use std::sync::Arc;
use torana_config::written::policy_names;
use torana_filter::{DynamicFilter, Exchange, Needs, OnRequest, OnResponse, Outside, Verdict};
use torana_http::ResponseHead;

/// Any filter.
#[derive(Clone, Debug)]
pub enum Filter {
    /// Callers say who they are.
    Authentication(AuthenticationFilter),
    /// Callers have a role.
    Roles(RolesFilter),
    /// Callers belong to a group.
    Acl(AclFilter),
    /// Requests have an identifier.
    CorrelationId(CorrelationIdFilter),
    /// Browsers are told to be careful.
    SecurityHeaders(SecurityHeadersFilter),
    /// Pages of other origins may read answers.
    Cors(CorsFilter),
    /// Only some addresses may call.
    IpRestriction(IpRestrictionFilter),
    /// Bodies are only so long.
    RequestSize(RequestSizeFilter),
    /// Requests have these fields.
    RequiredHeaders(RequiredHeadersFilter),
    /// Programs that say what they are do not pass.
    BotDetection(BotDetectionFilter),
    /// What another site makes a browser send does not pass.
    Csrf(CsrfFilter),
    /// Callers are known.
    Access(AccessFilter),
    /// Expressions hold.
    AllowIf(AllowIfFilter),
    /// Callers make only so many requests.
    RateLimit(RateLimitFilter),
    /// The gateway answers in place of the service.
    Terminate(TerminateFilter),
    /// Code from outside.
    Dynamic(Arc<dyn DynamicFilter>),
}

impl Filter {
    /// The name by which people write it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Authentication(filter) => filter.name(),
            Self::Roles(_) => policy_names::ROLES,
            Self::Acl(_) => policy_names::ACL,
            Self::CorrelationId(_) => policy_names::CORRELATION_ID,
            Self::SecurityHeaders(_) => policy_names::SECURITY_HEADERS,
            Self::Cors(_) => policy_names::CORS,
            Self::IpRestriction(_) => policy_names::IP_RESTRICTION,
            Self::RequestSize(_) => policy_names::REQUEST_SIZE,
            Self::RequiredHeaders(_) => policy_names::REQUIRED_HEADERS,
            Self::BotDetection(_) => policy_names::BOT_DETECTION,
            Self::Csrf(_) => policy_names::CSRF,
            Self::Access(_) => policy_names::ACCESS,
            Self::AllowIf(_) => policy_names::ALLOW_IF,
            Self::RateLimit(_) => policy_names::RATE_LIMIT,
            Self::Terminate(_) => policy_names::TERMINATE,
            Self::Dynamic(filter) => filter.name(),
        }
    }

    /// What must be there before it is asked about this request.
    #[must_use]
    pub fn needs(&self, exchange: &Exchange) -> Needs {
        match self {
            Self::Authentication(filter) => filter.needs(exchange),
            Self::Terminate(filter) => filter.needs(exchange),
            Self::Dynamic(filter) => filter.needs(),
            _ => Needs::NOTHING,
        }
    }

    /// What it asks for, in one line without secrets.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Authentication(filter) => filter.describe(),
            Self::Roles(filter) => filter.describe(),
            Self::Acl(filter) => filter.describe(),
            Self::CorrelationId(filter) => filter.describe(),
            Self::SecurityHeaders(filter) => filter.describe(),
            Self::Cors(filter) => filter.describe(),
            Self::IpRestriction(filter) => filter.describe(),
            Self::RequestSize(filter) => filter.describe(),
            Self::RequiredHeaders(filter) => filter.describe(),
            Self::BotDetection(filter) => filter.describe(),
            Self::Csrf(filter) => filter.describe(),
            Self::Access(filter) => filter.describe(),
            Self::AllowIf(filter) => filter.describe(),
            Self::RateLimit(filter) => filter.describe(),
            Self::Terminate(filter) => filter.describe(),
            Self::Dynamic(_) => "what its author says".into(),
        }
    }
}

impl OnRequest for Filter {
    async fn on_request(&self, exchange: &mut Exchange, outside: &dyn Outside) -> Verdict {
        match self {
            Self::Authentication(filter) => filter.on_request(exchange, outside).await,
            Self::Roles(filter) => filter.on_request(exchange, outside).await,
            Self::Acl(filter) => filter.on_request(exchange, outside).await,
            Self::CorrelationId(filter) => filter.on_request(exchange, outside).await,
            Self::Cors(filter) => filter.on_request(exchange, outside).await,
            Self::IpRestriction(filter) => filter.on_request(exchange, outside).await,
            Self::RequestSize(filter) => filter.on_request(exchange, outside).await,
            Self::RequiredHeaders(filter) => filter.on_request(exchange, outside).await,
            Self::BotDetection(filter) => filter.on_request(exchange, outside).await,
            Self::Csrf(filter) => filter.on_request(exchange, outside).await,
            Self::Access(filter) => filter.on_request(exchange, outside).await,
            Self::AllowIf(filter) => filter.on_request(exchange, outside).await,
            Self::SecurityHeaders(_) => Verdict::Continue,
            Self::RateLimit(filter) => filter.on_request(exchange, outside).await,
            Self::Terminate(filter) => filter.on_request(exchange, outside).await,
            Self::Dynamic(filter) => filter.on_request(exchange, outside).await,
        }
    }
}

impl OnResponse for Filter {
    async fn on_response(&self, exchange: &mut Exchange, response: &mut ResponseHead) -> Verdict {
        match self {
            Self::Authentication(filter) => filter.on_response(exchange, response).await,
            Self::RateLimit(filter) => filter.on_response(exchange, response).await,
            Self::Dynamic(filter) => filter.on_response(exchange, response).await,
            Self::Cors(filter) => filter.on_response(exchange, response).await,
            Self::CorrelationId(filter) => filter.on_response(exchange, response).await,
            Self::SecurityHeaders(filter) => filter.on_response(exchange, response).await,
            _ => Verdict::Continue,
        }
    }
}
