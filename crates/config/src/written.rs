//! The types of the written form, and every default, each once beside the field it belongs to.
//!
//! A field that is given at several scopes (timeouts, policies) is an `Option` here, and its default
//! a constant or a method of the same type, because only the plan knows which scope speaks.

mod config;
mod forms;
mod policy;
mod route;
mod server;
mod service;

pub use config::Config;
pub use forms::{Defaulted, Off, On, OneOrMany, Switch};
pub use policy::*;
pub use route::{RespondConfig, RouteConfig, ValueCondition, ValueConditionConfig};
pub use server::{
    AccessLogConfig, AccessLogForm, AccessLogFormat, EncodedSlashes, ForwardedConfig, LimitsConfig,
    PathsConfig, RequestIdConfig, ServerTimeoutsConfig,
};
pub use service::*;
