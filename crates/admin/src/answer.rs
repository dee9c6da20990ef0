//! Answers, and who may have them.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;

/// A page with its type, not to be kept by anybody.
pub(crate) struct Page {
    content_type: &'static str,
    body: String,
}

impl Page {
    pub(crate) const fn new(content_type: &'static str, body: String) -> Self {
        Self { content_type, body }
    }

    pub(crate) fn text(body: &str) -> Self {
        Self::new("text/plain; charset=utf-8", body.to_owned())
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let fields = [(header::CONTENT_TYPE, self.content_type), (header::CACHE_CONTROL, "no-store")];
        (fields, self.body).into_response()
    }
}

/// A problem document (RFC 9457).
pub(crate) fn problem(status: StatusCode, detail: &str) -> Response {
    let body = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or_default(),
        "status": status.as_u16(),
        "detail": detail,
    });
    (status, Page::new("application/problem+json", body.to_string())).into_response()
}

/// Whether a host is an address or this machine: a name that somebody else controls is neither.
pub(crate) fn host_is_local(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty() => name,
        _ => host,
    };
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::host_is_local;

    #[test]
    fn names_of_others_are_not_local() {
        for host in ["localhost", "LOCALHOST:8001", "127.0.0.1:8001", "10.0.0.1", "[::1]:80", "[::1]"] {
            assert!(host_is_local(host), "{host}");
        }
        for host in ["evil.test", "evil.test:8001", "localhost.evil.test", "127.0.0.1.evil.test", "", "?"] {
            assert!(!host_is_local(host), "{host}");
        }
    }
}
