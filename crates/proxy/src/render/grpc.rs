//! Faults as statuses of gRPC, where a call is answered (the gRPC protocol over HTTP/2, "Responses").

use bytes::Bytes;
use torana_fault::{Fault, Reason};
use torana_filter::Response;
use torana_http::{Known, ResponseHead};

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
    set("grpc-status".into(), &status(fault.reason).to_string());
    set("grpc-message".into(), &encode(&message));
    super::add_fields(&mut head, fault);
    Response { head, body: Bytes::new() }
}

/// The status of a reason. Beyond what gRPC says of plain HTTP statuses, deadlines and limits have their own.
const fn status(reason: Reason) -> u8 {
    match reason.status() {
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
    fn messages_are_encoded() {
        assert_eq!(encode("100 % nö\n"), "100 %25 n%C3%B6%0A");
    }
}
