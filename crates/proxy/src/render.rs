//! The one function that turns a fault into a response.
//!
//! The default form is a problem document (RFC 9457) with the stable reason label, but for callers who are not let
//! in: what was wrong with them is for the log alone. Nothing but the public sentence of the reason is shown: the
//! detail of a fault is for the log.

mod grpc;

use bytes::Bytes;
use serde_json::json;
use torana_fault::Fault;
use torana_filter::Response;
use torana_http::h2::is_grpc;
use torana_http::{Known, RequestHead, ResponseHead};

/// The response for a fault in the form that the request asks for: a status of gRPC for a call.
pub(crate) fn render_for(request: &RequestHead, fault: &Fault, request_id: Option<&str>) -> Response {
    if is_grpc(&request.fields) { grpc::render(fault) } else { render(fault, request_id) }
}

/// Gives a refusal or redirection that was written for callers of every kind the form that the request asks for. What was
/// written as an answer to calls stays as it is, as does what says that all is well.
pub(crate) fn suit(made: &mut Response, request: &RequestHead) {
    if made.head.status >= 300 && is_grpc(&request.fields) && !grpc::is_call(&made.head) {
        grpc::translate(made);
    }
}

/// The response for a fault as a problem document. `request_id` lets the caller's report be found in the log.
#[must_use]
pub fn render(fault: &Fault, request_id: Option<&str>) -> Response {
    let mut head = ResponseHead::new(fault.status());
    let mut set = |name: Known, value: &str| {
        let _ = head.fields.insert(name, value.as_bytes());
    };
    set(Known::CacheControl, "no-store");
    // RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5: statuses that the configuration may give, and no body goes with.
    let body = if matches!(fault.status(), 204 | 205 | 304) {
        Bytes::new()
    } else {
        set(Known::ContentType, "application/problem+json");
        Bytes::from(document(fault, request_id))
    };
    add_fields(&mut head, fault);
    Response { head, body }
}

/// The problem document.
fn document(fault: &Fault, request_id: Option<&str>) -> String {
    let mut problem = json!({
        "type": "about:blank",
        "title": title(fault),
        "status": fault.status(),
        "detail": fault.public_message(),
    });
    if let Some(members) = problem.as_object_mut() {
        if fault.tells_reason() {
            members.insert("reason".into(), fault.reason.label().into());
        }
        if let Some(id) = request_id {
            members.insert("request_id".into(), id.into());
        }
    }
    problem.to_string()
}

/// Adds what the fault's response must carry. There may be several of a name: challenges, cookies. Values made by
/// filters are valid; one that is not is left out rather than sent.
fn add_fields(head: &mut ResponseHead, fault: &Fault) {
    for (name, value) in fault.fields() {
        let _ = head.fields.append(*name, value.as_bytes());
    }
}

/// The short name of the class of problem; the same for every fault of one status. A status that only the
/// configuration gives has the name of the reason's own.
const fn title(fault: &Fault) -> &'static str {
    match name(fault.status()) {
        Some(name) => name,
        None => match name(fault.reason.status()) {
            Some(name) => name,
            None => "Internal error",
        },
    }
}

const fn name(status: u16) -> Option<&'static str> {
    Some(match status {
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
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use torana_fault::Reason;

    #[test]
    fn nothing_internal_is_shown() {
        for reason in Reason::ALL {
            let fault = Fault::new(*reason).because("10.1.2.3:9000 secret");
            let response = render(&fault, Some("abc"));
            let body = std::str::from_utf8(&response.body).unwrap();
            assert!(!body.contains("secret") && !body.contains("10.1.2.3"), "{body}");
            let value: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
            assert_eq!(value["status"], reason.status());
            assert_eq!(value["request_id"], "abc");
            assert_eq!(response.head.status, reason.status());
            assert!(name(reason.status()).is_some() || *reason == Reason::Internal, "{reason:?}");
            let told = value.get("reason").and_then(serde_json::Value::as_str);
            let kept = matches!(reason.status(), 401 | 403) || *reason == Reason::AuthenticationLimited;
            assert_eq!(told, (!kept).then_some(reason.label()), "{reason:?}");
        }
    }

    #[test]
    fn who_is_not_let_in_reads_the_same_whatever_was_wrong() {
        let told = |reason| render(&Fault::new(reason), Some("abc")).body;
        let invalid = told(Reason::CredentialsInvalid);
        assert_eq!(invalid, told(Reason::CredentialsExpired));
        let forbidden = told(Reason::Forbidden);
        for reason in [
            Reason::AddressNotAllowed,
            Reason::OriginNotAllowed,
            Reason::CrossSiteRequest,
            Reason::ProgramNotAllowed,
        ] {
            assert_eq!(told(reason), forbidden, "{reason:?}");
        }
        let elsewhere = render(&Fault::new(Reason::AddressNotAllowed).with_status(404), None).body;
        let elsewhere = std::str::from_utf8(&elsewhere).unwrap();
        assert!(elsewhere.contains("Not found") && !elsewhere.contains("address"), "{elsewhere}");
    }

    #[test]
    fn the_samples_of_the_documents_are_what_is_sent() {
        for (page, reason) in [
            (include_str!("../../../docs/filters/forward_auth.md"), Reason::ForwardAuthUnavailable),
            (include_str!("../../../docs/filters/mtls_auth.md"), Reason::CredentialsMissing),
            (include_str!("../../../docs/authentication.md"), Reason::CredentialsInvalid),
        ] {
            let sent = render(&Fault::new(reason), Some("…")).body;
            let sent = std::str::from_utf8(&sent).unwrap();
            assert!(page.contains(&format!("```json\n{sent}\n```")), "{reason:?}: {sent}");
            assert_eq!(page.matches("about:blank").count(), 1, "{reason:?}: a sample that is not looked at");
        }
    }

    #[test]
    fn a_status_without_a_body_has_none() {
        let answer = |status| render(&Fault::new(Reason::AddressNotAllowed).with_status(status), Some("abc"));
        for status in [204, 205, 304] {
            let empty = answer(status);
            assert!(empty.body.is_empty() && empty.head.fields.get("Content-Type").is_none(), "{status}");
            assert_eq!(empty.head.fields.get_str("Cache-Control"), Some("no-store"));
        }
        assert!(!answer(200).body.is_empty());
    }

    #[test]
    fn fields_of_the_fault_are_sent() {
        let fault = Fault::new(Reason::MethodNotAllowed).with_field("Allow", "GET, HEAD".into());
        assert_eq!(render(&fault, None).head.fields.get_str("Allow"), Some("GET, HEAD"));
        let several = Fault::new(Reason::CredentialsMissing)
            .with_field("WWW-Authenticate", "Bearer".into())
            .with_field("WWW-Authenticate", "Key".into());
        let rendered = [render(&several, None), grpc::render(&several)];
        for response in rendered {
            let sent: Vec<_> = response.head.fields.get_all("WWW-Authenticate").collect();
            assert_eq!(sent, [b"Bearer".as_slice(), b"Key"]);
        }
        let bad = Fault::new(Reason::Internal).with_field("X-A", "a\r\nX-B: b".into());
        assert_eq!(render(&bad, None).head.fields.get("X-A"), None);
    }
}
