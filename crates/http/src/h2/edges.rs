//! The white space around a field's value, which HTTP/2 does not have (RFC 9113 section 8.2.1).

use crate::h1::HeadError;

/// A value without white space at its edges: HTTP/1 would lose it on the way.
///
/// # Errors
/// There is some.
pub(super) fn check_edges(value: &[u8]) -> Result<&[u8], HeadError> {
    let edges = [value.first(), value.last()];
    if edges.into_iter().flatten().any(|byte| matches!(byte, b' ' | b'\t')) {
        return Err(HeadError::malformed("a field value begins or ends with white space"));
    }
    Ok(value)
}

/// The same for what may be the status of a call. The spaces around `grpc-message` are left out instead: gRPC encodes
/// all but those (the gRPC protocol over HTTP/2, section Responses), so an error's text that ends with one is sent
/// like that.
pub(super) fn answered_value<'v>(name: &str, mut value: &'v [u8]) -> Result<&'v [u8], HeadError> {
    if name == "grpc-message" {
        while let [b' ', rest @ ..] | [rest @ .., b' '] = value {
            value = rest;
        }
    }
    check_edges(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_at_an_edge_is_refused_but_for_spaces_around_a_status_s_message() {
        for value in [&b""[..], b"a", b"a b", b"a\tb"] {
            assert_eq!((check_edges(value), answered_value("x-a", value)), (Ok(value), Ok(value)));
        }
        for value in [&b" a"[..], b"a ", b"\ta", b"a\t", b" "] {
            assert!(check_edges(value).is_err() && answered_value("x-a", value).is_err(), "{value:?}");
        }
        for (value, left) in [(&b"  not there: "[..], &b"not there:"[..]), (b"a b", b"a b"), (b"  ", b"")] {
            assert_eq!(answered_value("grpc-message", value), Ok(left));
        }
        assert!(answered_value("grpc-message", b"a\t").is_err());
    }
}
