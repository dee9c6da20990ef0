//! The types of the written form, and every default, each once beside the field it belongs to.
//!
//! A field that is given at several scopes (timeouts, policies) is an `Option` here, and its default
//! a constant or a method of the same type, because only the plan knows which scope speaks.

mod config;
mod consumer;
mod forms;
mod http2;
mod listen;
mod policy;
mod route;
mod server;
mod service;
mod store;
mod tls;
mod traffic;

pub use config::Config;
pub use consumer::{
    ConsumerBasicConfig, ConsumerCertificateConfig, ConsumerConfig, ConsumerHmacConfig, ConsumerJwtConfig,
    ConsumerKeyConfig, ConsumerKeyForm, ConsumerSigV4Config, ConsumersConfig, ConsumersForm,
    SignatureAlgorithm,
};
pub use forms::{Defaulted, Off, On, OneOrMany, Switch};
pub use http2::{Http2Config, UpstreamProtocol};
pub use listen::{
    ClientAuthConfig, ClientAuthMode, ClientCertificateFields, ListenForm, ListenerConfig, ListenerTlsConfig,
};
pub use policy::*;
pub use route::{Importance, RespondConfig, RouteConfig, ValueCondition, ValueConditionConfig};
pub use server::{
    AccessLogConfig, AccessLogForm, AccessLogFormat, EncodedSlashes, ForwardedConfig, LimitsConfig,
    MethodOverrides, PathsConfig, QueueDelayConfig, QueueDelayForm, RequestIdConfig, ServerTimeoutsConfig,
};
pub use service::*;
pub use store::{SentinelConfig, StoreConfig, StoreForm};
pub use tls::{CertificateConfig, ProxyProtocolVersion, TlsVersion, UpstreamTlsConfig, Verification};
pub use traffic::*;
