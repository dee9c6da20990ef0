use serde_json::{Value, json};

use std::net::SocketAddr;

use super::routes::{Pattern, routes};
use super::{Doors, SECRET, Surroundings};

const EXTENSIONS: &str = "type.googleapis.com/envoy.extensions";

/// JSON is YAML.
pub(in crate::bench) fn envoy(around: &Surroundings, doors: &Doors) -> String {
    let configuration = json!({
        "static_resources": {
            "listeners": [
                listener("plain", doors.plain, &Value::Null, &json!([]), &Does::forwarding()),
                listener("policies", doors.policies, &Value::Null, &json!([]), &Does::policies()),
                listener("logged", doors.logged, &Value::Null, &json!([log(around)]), &Does::policies()),
                listener("tls", doors.tls, &tls(around), &json!([]), &Does::forwarding()),
            ],
            "clusters": [{
                "name": "origin",
                "type": "STATIC",
                "connect_timeout": "10s",
                "circuit_breakers": { "thresholds": [{ "max_connections": 10000, "max_pending_requests": 10000, "max_requests": 10000 }] },
                "load_assignment": {
                    "cluster_name": "origin",
                    "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address(around.origin) } }] }],
                },
            }],
        },
    });
    configuration.to_string()
}

fn address(address: SocketAddr) -> Value {
    json!({ "socket_address": { "address": address.ip().to_string(), "port_value": address.port() } })
}

/// What a listener does beside forwarding.
struct Does {
    filters: Vec<Value>,
    routes: Vec<Value>,
}

impl Does {
    fn forwarding() -> Self {
        Self { filters: Vec::new(), routes: vec![route(&json!({ "prefix": "/" }))] }
    }

    /// A verified token, of which verified ones are remembered, a role, a limit, and a thousand routes, which
    /// Envoy looks through in their order.
    fn policies() -> Self {
        let matching = |pattern: Pattern| match pattern {
            Pattern::Exact(path) => json!({ "path": path }),
            Pattern::Segment(..) => json!({ "safe_regex": { "regex": pattern.regex() } }),
            Pattern::Below(path) => json!({ "prefix": path }),
        };
        Self {
            filters: vec![token(), role(), limit()],
            routes: routes().map(|pattern| route(&matching(pattern))).collect(),
        }
    }
}

fn route(matching: &Value) -> Value {
    json!({ "match": matching, "route": { "cluster": "origin" } })
}

fn filter(name: &str, kind: &str, mut settings: Value) -> Value {
    settings["@type"] = format!("{EXTENSIONS}.filters.http.{kind}").into();
    json!({ "name": name, "typed_config": settings })
}

/// The name under which the claims are found.
const CLAIMS: &str = "claims";

fn token() -> Value {
    let keys = json!({ "keys": [{ "kty": "oct", "alg": "HS256", "k": base64_url(SECRET.as_bytes()) }] });
    let provider = json!({
        "local_jwks": { "inline_string": keys.to_string() },
        "payload_in_metadata": CLAIMS,
        "forward": true,
        "jwt_cache_config": { "jwt_cache_size": 100 },
    });
    let settings = json!({
        "providers": { "bench": provider },
        "rules": [{ "match": { "prefix": "/" }, "requires": { "provider_name": "bench" } }],
    });
    filter("envoy.filters.http.jwt_authn", "jwt_authn.v3.JwtAuthentication", settings)
}

fn role() -> Value {
    let claim = json!({
        "filter": "envoy.filters.http.jwt_authn",
        "path": [{ "key": CLAIMS }, { "key": "roles" }],
        "value": { "list_match": { "one_of": { "string_match": { "exact": "user" } } } },
    });
    let policy = json!({ "permissions": [{ "any": true }], "principals": [{ "metadata": claim }] });
    let settings = json!({ "rules": { "action": "ALLOW", "policies": { "users": policy } } });
    filter("envoy.filters.http.rbac", "rbac.v3.RBAC", settings)
}

fn limit() -> Value {
    let always = json!({ "default_value": { "numerator": 100, "denominator": "HUNDRED" } });
    let settings = json!({
        "stat_prefix": "limit",
        "token_bucket": { "max_tokens": 100_000_000, "tokens_per_fill": 100_000_000, "fill_interval": "1s" },
        "filter_enabled": always,
        "filter_enforced": always,
    });
    filter("envoy.filters.http.local_ratelimit", "local_ratelimit.v3.LocalRateLimit", settings)
}

/// RFC 4648 section 5, without padding.
fn base64_url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits =
            group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..=group.len() {
            text.push(char::from(ALPHABET[(bits >> (18 - 6 * place)) as usize % 64]));
        }
    }
    text
}

fn listener(name: &str, at: SocketAddr, tls: &Value, logs: &Value, does: &Does) -> Value {
    let mut filters = does.filters.clone();
    filters.push(filter("router", "router.v3.Router", json!({})));
    let manager = json!({
        "@type": format!("{EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": name,
        "codec_type": "AUTO",
        "use_remote_address": true,
        "append_x_forwarded_port": true,
        "access_log": logs,
        "route_config": {
            "virtual_hosts": [{
                "name": "all",
                "domains": ["*"],
                "routes": does.routes,
            }],
        },
        "http_filters": filters,
    });
    let mut chain = json!({ "filters": [{ "name": "http", "typed_config": manager }] });
    if !tls.is_null() {
        chain["transport_socket"] = tls.clone();
    }
    json!({ "name": name, "address": address(at), "filter_chains": [chain] })
}

fn log(around: &Surroundings) -> Value {
    json!({
        "name": "file",
        "typed_config": {
            "@type": format!("{EXTENSIONS}.access_loggers.file.v3.FileAccessLog"),
            "path": around.folder.join("envoy.log"),
        },
    })
}

fn tls(around: &Surroundings) -> Value {
    json!({
        "name": "tls",
        "typed_config": {
            "@type": format!("{EXTENSIONS}.transport_sockets.tls.v3.DownstreamTlsContext"),
            "common_tls_context": {
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_params": { "tls_minimum_protocol_version": "TLSv1_3" },
                "tls_certificates": [{
                    "certificate_chain": { "filename": around.certificate.certificate },
                    "private_key": { "filename": around.certificate.key },
                }],
            },
        },
    })
}
