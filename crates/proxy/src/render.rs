//! The one function that turns a fault into a response.
//!
//! The default form is a problem document (RFC 9457) with the stable reason label. Nothing but the public
//! sentence of the reason is shown: the detail of a fault is for the log.

mod grpc;

use bytes::Bytes;
use serde_json::json;
use torana_fault::{Fault, Reason};
use torana_filter::Response;
use torana_http::h2::is_grpc;
use torana_http::{Known, RequestHead, ResponseHead};

/// The response for a fault in the form that the request asks for: a status of gRPC for a call.
pub(crate) fn render_for(request: &RequestHead, fault: &Fault, request_id: Option<&str>) -> Response {
    if is_grpc(&request.fields) { grpc::render(fault) } else { render(fault, request_id) }
}

/// The response for a fault as a problem document. `request_id` lets the caller's report be found in the log.
#[must_use]
pub fn render(fault: &Fault, request_id: Option<&str>) -> Response {
    let mut problem = json!({
        "type": "about:blank",
        "title": title(fault.reason),
        "status": fault.status(),
        "detail": fault.public_message(),
        "reason": fault.reason.label(),
    });
    if let (Some(id), Some(members)) = (request_id, problem.as_object_mut()) {
        members.insert("request_id".into(), id.into());
    }
    let mut head = ResponseHead::new(fault.status());
    let mut set = |name: torana_http::Name<'_>, value: &str| {
        // Values made by filters are valid; one that is not is left out rather than sent.
        let _ = head.fields.insert(name, value.as_bytes());
    };
    set(Known::ContentType.into(), "application/problem+json");
    set(Known::CacheControl.into(), "no-store");
    for (name, value) in fault.fields() {
        set((*name).into(), value);
    }
    Response { head, body: Bytes::from(problem.to_string()) }
}

/// The short name of the class of problem; the same for every fault of one status.
const fn title(reason: Reason) -> &'static str {
    match reason.status() {
        400 => "Bad request",
        401 => "Authentication required",
        403 => "Forbidden",
        404 => "Not found",
        405 => "Method not allowed",
        408 => "Request timeout",
        411 => "Length required",
        413 => "Content too large",
        414 => "URI too long",
        417 => "Expectation failed",
        421 => "Misdirected request",
        429 => "Too many requests",
        431 => "Request header fields too large",
        499 => "Client closed request",
        501 => "Not implemented",
        502 => "Bad gateway",
        503 => "Service unavailable",
        504 => "Gateway timeout",
        505 => "HTTP version not supported",
        508 => "Loop detected",
        _ => "Internal error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_internal_is_shown() {
        for reason in Reason::ALL {
            let fault = Fault::new(*reason).because("10.1.2.3:9000 secret");
            let response = render(&fault, Some("abc"));
            let body = std::str::from_utf8(&response.body).unwrap();
            assert!(!body.contains("secret") && !body.contains("10.1.2.3"), "{body}");
            let value: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
            assert_eq!(value["status"], reason.status());
            assert_eq!(value["reason"], reason.label());
            assert_eq!(value["request_id"], "abc");
            assert_eq!(response.head.status, reason.status());
            assert!(title(*reason) != "Internal error" || *reason == Reason::Internal, "{reason:?}");
        }
    }

    #[test]
    fn fields_of_the_fault_are_sent() {
        let fault = Fault::new(Reason::MethodNotAllowed).with_field("Allow", "GET, HEAD".into());
        assert_eq!(render(&fault, None).head.fields.get_str("Allow"), Some("GET, HEAD"));
        let bad = Fault::new(Reason::Internal).with_field("X-A", "a\r\nX-B: b".into());
        assert_eq!(render(&bad, None).head.fields.get("X-A"), None);
    }
}
