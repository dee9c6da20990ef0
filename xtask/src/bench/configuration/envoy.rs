use serde_json::{Value, json};

use super::{Doors, Surroundings};

const EXTENSIONS: &str = "type.googleapis.com/envoy.extensions";

/// JSON is YAML.
pub(in crate::bench) fn envoy(around: &Surroundings, doors: &Doors) -> String {
    let configuration = json!({
        "static_resources": {
            "listeners": [
                listener("plain", doors.plain, &Value::Null, &json!([])),
                listener("logged", doors.logged, &Value::Null, &json!([log(around)])),
                listener("tls", doors.tls, &tls(around), &json!([])),
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

fn address(address: std::net::SocketAddr) -> Value {
    json!({ "socket_address": { "address": address.ip().to_string(), "port_value": address.port() } })
}

fn listener(name: &str, at: std::net::SocketAddr, tls: &Value, logs: &Value) -> Value {
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
                "routes": [{ "match": { "prefix": "/" }, "route": { "cluster": "origin" } }],
            }],
        },
        "http_filters": [{
            "name": "router",
            "typed_config": { "@type": format!("{EXTENSIONS}.filters.http.router.v3.Router") },
        }],
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
