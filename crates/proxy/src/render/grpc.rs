//! Faults and other refusals as statuses of gRPC, where a call is answered (the gRPC protocol over HTTP/2, "Responses").

use bytes::Bytes;
use serde_json::Value;
use torana_fault::Fault;
use torana_filter::Response;
use torana_http::h2::is_grpc_type;
use torana_http::{Known, ResponseHead};

/// So many bytes of a refusal's text become a message: it has to fit into a head.
const LONGEST_MESSAGE: usize = 1024;

/// The response: one head, 200, which holds the status and ends the stream. The message is the public
/// sentence, after the reason's label where that is told.
pub(super) fn render(fault: &Fault) -> Response {
    let mut head = ResponseHead::new(200);
    let mut set = |name: torana_http::Name<'_>, value: &str| {
        // As in the parent: what is not valid is left out.
        let _ = head.fields.insert(name, value.as_bytes());
    };
    let message = match fault.tells_reason() {
        true => format!("{}: {}", fault.reason.label(), fault.public_message()),
        false => fault.public_message().to_owned(),
    };
    set(Known::ContentType.into(), "application/grpc");
    set("grpc-status".into(), &status(fault.reason.status()).to_string());
    set("grpc-message".into(), &encode(&message));
    super::add_fields(&mut head, fault);
    Response { head, body: Bytes::new() }
}

/// Turns a refusal, or a redirection, that was made for callers of every kind into one head of a call. Its other fields
/// stay.
pub(super) fn translate(made: &mut Response) {
    let fields = &mut made.head.fields;
    let message = message(fields.get_str(Known::ContentType), &made.body)
        .or_else(|| fields.get_str(Known::Location).map(|location| format!("moved to {location}")));
    for of_the_body in [Known::ContentLength, Known::ContentEncoding, Known::ContentLanguage] {
        fields.remove(of_the_body);
    }
    // As above.
    let _ = fields.insert(Known::ContentType, b"application/grpc");
    let _ = fields.insert("grpc-status", status(made.head.status).to_string().as_bytes());
    if let Some(message) = message {
        let _ = fields.insert("grpc-message", encode(&message).as_bytes());
    }
    made.head.status = 200;
    made.body = Bytes::new();
}

/// Whether a head is that of a call already.
pub(super) fn is_call(head: &ResponseHead) -> bool {
    head.fields.contains("grpc-status") || head.fields.get(Known::ContentType).is_some_and(is_grpc_type)
}

/// What a refusal says in words: `message` or `detail` of JSON, or plain text, where it is short.
fn message(content_type: Option<&str>, body: &[u8]) -> Option<String> {
    let body = std::str::from_utf8(body).ok().filter(|body| body.len() <= LONGEST_MESSAGE)?;
    let kind = content_type?.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match &*kind {
        "text/plain" => Some(body.trim().to_owned()),
        "application/json" | "application/problem+json" => {
            let read: Value = serde_json::from_str(body).ok()?;
            let said = ["message", "detail"].into_iter().find_map(|name| read.get(name)?.as_str());
            said.map(str::to_owned)
        }
        _ => None,
    }
    .filter(|message| !message.is_empty())
}

/// The status of a call for one of HTTP. Beyond what gRPC says of plain HTTP statuses, deadlines and limits have their
/// own, and who is sent elsewhere need not try again here.
const fn status(status: u16) -> u8 {
    match status {
        300..=399 => 9,             // FAILED_PRECONDITION
        499 => 1,                   // CANCELLED
        408 | 504 => 4,             // DEADLINE_EXCEEDED
        403 => 7,                   // PERMISSION_DENIED
        413 | 414 | 429 | 431 => 8, // RESOURCE_EXHAUSTED
        404 | 405 | 501 => 12,      // UNIMPLEMENTED
        502 | 503 => 14,            // UNAVAILABLE
        401 => 16,                  // UNAUTHENTICATED
        _ => 13,                    // INTERNAL
    }
}

/// Percent-encodes what is not printable ASCII, and the percent sign.
fn encode(message: &str) -> String {
    let mut encoded = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b'%' | 0..=0x1f | 0x7f.. => encoded.push_str(&format!("%{byte:02X}")),
            _ => encoded.push(char::from(byte)),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use torana_fault::Reason;

    #[test]
    fn every_fault_is_a_status_other_than_ok() {
        for reason in Reason::ALL {
            let fault = Fault::new(*reason).because("10.1.2.3 secret");
            let answer = render(&fault);
            let status: u8 = answer.head.fields.get_str("grpc-status").unwrap().parse().unwrap();
            assert!((1..=16).contains(&status) && answer.head.status == 200 && answer.body.is_empty());
            let message = answer.head.fields.get_str("grpc-message").unwrap();
            assert!(!message.contains("secret"), "{message}");
            assert_eq!(message.starts_with(reason.label()), fault.tells_reason(), "{message}");
        }
    }

    #[test]
    fn refusals_for_everybody_keep_what_they_say() {
        let translated = |status, content_type: &str, body: &str| {
            let mut head = ResponseHead::new(status);
            head.fields.insert(Known::ContentType, content_type.as_bytes()).unwrap();
            head.fields.insert("Retry-After", b"5").unwrap();
            let mut made = Response { head, body: body.to_owned().into() };
            translate(&mut made);
            let field = |name: &'static str| made.head.fields.get_str(name).map(str::to_owned);
            assert_eq!((made.head.status, made.body.len(), field("Retry-After").unwrap().len()), (200, 0, 1));
            assert_eq!(field("Content-Type").as_deref(), Some("application/grpc"));
            (field("grpc-status").unwrap(), field("grpc-message").unwrap_or_default())
        };
        let as_json = "application/json; charset=utf-8";
        for (status, content_type, body, expected) in [
            (503, as_json, "{\"message\":\"Back at ten\"}", ("14", "Back at ten")),
            (403, "application/problem+json", "{\"detail\":\"no\"}", ("7", "no")),
            (410, "Text/Plain", "gone\n", ("13", "gone")),
            (404, "text/html", "<p>gone</p>", ("12", "")),
            (429, as_json, "{\"message\":7}", ("8", "")),
            (429, "text/plain", &*"x".repeat(LONGEST_MESSAGE + 1), ("8", "")),
        ] {
            let (status_of_call, message) = translated(status, content_type, body);
            assert_eq!((&*status_of_call, &*message), expected, "{status}");
        }
    }

    #[test]
    fn messages_are_encoded() {
        assert_eq!(encode("100 % nö\n"), "100 %25 n%C3%B6%0A");
    }
}
