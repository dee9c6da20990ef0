//! Which request goes where.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{FaultsConfig, MirrorConfig, OneOrMany, PoliciesConfig, SplitConfig, UpstreamTimeoutsConfig};

/// Which request goes where. A request must meet every condition; the most specific route wins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// A name for logs and metrics. The methods and the path when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The host, or a list of hosts: exact, `*.example.com` or `api.*`. Any when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<OneOrMany<String>>,
    /// The path. `*` and `{name}` are one segment, `/*` and `{name...}` at the end the rest, and `~`
    /// begins a regular expression.
    #[serde(default = "RouteConfig::default_path")]
    pub path: String,
    /// The method, or a list of methods. Any when not given; GET brings HEAD with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub methods: Option<OneOrMany<String>>,
    /// Conditions on header fields, by name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub headers: IndexMap<String, ValueCondition>,
    /// Conditions on query parameters, by name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub query: IndexMap<String, ValueCondition>,
    /// Decides between routes that are equally specific: the higher wins.
    #[serde(default)]
    pub priority: i32,
    /// Which requests are still served when the gateway has more than it can do: `limits.queue_delay`. Of
    /// `critical` ones some always are.
    #[serde(default)]
    pub importance: Importance,
    /// The service that requests go to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// A response that the gateway itself gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub respond: Option<RespondConfig>,
    /// A prefix of the path that the service does not see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strip_prefix: Option<String>,
    /// A part of the requests goes to other services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<SplitConfig>,
    /// Copies of requests go to another service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<MirrorConfig>,
    /// Faults on purpose, to see what clients do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faults: Option<FaultsConfig>,
    /// How long the service may take, where this differs from the service's own.
    #[serde(default)]
    pub timeouts: UpstreamTimeoutsConfig,
    /// Policies of this route alone. They replace those of the same name from wider scopes; `off`
    /// switches one off.
    #[serde(default)]
    pub policies: PoliciesConfig,
}

/// How important requests are to the gateway when it has more than it can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum Importance {
    /// Refused last, and never all of them.
    Critical,
    /// Refused before `critical`.
    High,
    /// Refused before `high`.
    #[default]
    Normal,
    /// Refused first.
    Low,
}

impl RouteConfig {
    fn default_path() -> String {
        "/*".into()
    }
}

/// A condition on the value of a field or a parameter: the exact text, or a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ValueCondition {
    /// The value is exactly this.
    Exact(String),
    /// Another condition.
    Full(ValueConditionConfig),
}

/// A condition on a value. Exactly one key is given.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ValueConditionConfig {
    /// The value is exactly this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<String>,
    /// A regular expression that the whole value matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    /// Whether there is any value at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub present: Option<bool>,
}

/// A response that the gateway itself gives. At most one of `body`, `json` and `echo` is given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RespondConfig {
    /// The status code.
    #[serde(default = "RespondConfig::default_status")]
    #[schemars(range(min = 200, max = 599))]
    pub status: u16,
    /// Fields of the response, by name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub headers: IndexMap<String, String>,
    /// The body as text, `text/plain` unless a header says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The body as a JSON value, `application/json` unless a header says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// In place of a body: this message, and the request as the gateway has it after every policy, as JSON. For looking at
    /// requests, such as what a proxy in front makes of them; it shows what services would see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echo: Option<String>,
}

impl RespondConfig {
    const fn default_status() -> u16 {
        200
    }
}
