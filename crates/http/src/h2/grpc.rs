//! Which messages are gRPC's (the gRPC protocol over HTTP/2, section Requests).

use crate::fields::Fields;
use crate::head::{RequestHead, Version};
use crate::method::Method;
use crate::name::Known;

const TYPE: &[u8] = b"application/grpc";

/// Whether a message is one of gRPC by its type: `application/grpc` in any case (RFC 9110 section 8.3.1), with or without a
/// suffix or parameters.
#[must_use]
pub fn is_grpc(fields: &Fields) -> bool {
    is_grpc_type(fields.get(Known::ContentType).unwrap_or_default())
}

/// Whether a content type is one of gRPC's.
#[must_use]
pub fn is_grpc_type(value: &[u8]) -> bool {
    after_type(value).is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b'-' | b';' | b' ')))
}

/// Whether messages may come at any time in both directions: a call of gRPC itself, which HTTP/2 alone carries, not of what is
/// translated to it (`application/grpc-web`).
#[must_use]
pub fn carries_messages(request: &RequestHead) -> bool {
    let kind = request.fields.get(Known::ContentType).unwrap_or_default();
    request.version == Version::Http2
        && request.method() == Method::Post
        && is_grpc_type(kind)
        && after_type(kind).is_some_and(|rest| !rest.starts_with(b"-"))
}

fn after_type(value: &[u8]) -> Option<&[u8]> {
    let (start, rest) = value.split_at_checked(TYPE.len())?;
    start.eq_ignore_ascii_case(TYPE).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_is_told_by_its_type() {
        for (value, expected, messages) in [
            ("application/grpc", true, true),
            ("application/grpc+proto", true, true),
            ("application/grpc-web", true, false),
            ("Application/gRPC; charset=x", true, true),
            ("application/grpcx", false, false),
            ("application/json", false, false),
        ] {
            let mut request = RequestHead::default();
            request.fields.append(Known::ContentType, value.as_bytes()).unwrap();
            assert_eq!(is_grpc(&request.fields), expected, "{value}");
            assert!(!carries_messages(&request), "no POST");
            request.set_method("POST");
            assert!(!carries_messages(&request), "HTTP/1");
            request.version = Version::Http2;
            assert_eq!(carries_messages(&request), messages, "{value}");
        }
    }
}
