//! Which fields say something else in each message.

use crate::name::Name;

/// How the names of identifiers end that belong to one request or to one step of it, as gateways, tracers and clients
/// write them.
const ENDINGS: [&[u8]; 8] = [
    b"request-id",
    b"requestid",
    b"correlation-id",
    b"trace-id",
    b"traceid",
    b"span-id",
    b"spanid",
    b"traceparent",
];

/// Whether a field's value is made for one message.
///
/// In a header table (RFC 7541 section 2.3.2) it would never be found again, push out what is, and be compared with all its
/// predecessors each time, so it is kept out as what is secret is.
#[must_use]
pub fn is_unique(name: Name<'_>) -> bool {
    let name = name.as_str().as_bytes();
    ENDINGS.iter().any(|ending| {
        // None where it is shorter.
        let tail = name.get(name.len().wrapping_sub(ending.len())..);
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(ending))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_of_requests_are_told_by_their_names() {
        for name in [
            "X-Request-Id",
            "request-id",
            "x-amzn-RequestId",
            "X-B3-TraceId",
            "X-Correlation-ID",
            "traceparent",
        ] {
            assert!(is_unique(Name::from(name)), "{name}");
        }
        for name in ["x-b3-sampled", "id", "est-id", "x-request-id-from", "tracestate", "date", "etag"] {
            assert!(!is_unique(Name::from(name)), "{name}");
        }
    }
}
