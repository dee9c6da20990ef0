//! The trailers of an HTTP/2 message (RFC 9113 section 8.1).

use super::edges::answered_value;
use crate::fields::Fields;
use crate::h1::{HeadError, is_look_alike, may_be_trailer};
use crate::name::Name;

/// Adds the trailers that may be forwarded (RFC 9110 section 6.5.1) to `into`, by the rule of chunked bodies.
/// Names with underscores and dots pass where they do not pose as a well-known name: gRPC allows them.
///
/// # Errors
/// A name or value holds a byte that is not allowed, or a value begins or ends with white space; also of one that may
/// not be forwarded.
pub fn read_trailers<'f>(
    fields: impl Iterator<Item = (&'f str, &'f [u8])>,
    into: &mut Fields,
) -> Result<(), HeadError> {
    for (text, value) in fields {
        let value = answered_value(text, value)?;
        let name = Name::from(text);
        let passes = match name {
            Name::Known(_) => may_be_trailer(name),
            Name::Other(text) => !is_look_alike(text.as_bytes()),
        };
        if passes {
            let invalid = |_| HeadError::malformed("a trailer holds a byte that is not allowed");
            into.append(name, value).map_err(invalid)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_around_a_value_is_malformed_whether_or_not_the_trailer_would_go_on() {
        for (name, value) in [("x-a", " a"), ("x-a", "a\t"), ("grpc-status", "0 "), ("content-length", " 5")]
        {
            let mut trailers = Fields::default();
            let read = read_trailers([(name, value.as_bytes())].into_iter(), &mut trailers);
            assert!(read.is_err(), "{name}: {value:?}");
        }
        let mut trailers = Fields::default();
        read_trailers([("grpc-message", &b"not there: "[..])].into_iter(), &mut trailers).unwrap();
        assert_eq!(trailers.get("grpc-message"), Some(&b"not there:"[..]));
    }

    #[test]
    fn what_decides_about_a_message_is_no_trailer() {
        let fields = [
            ("grpc-status", &b"0"[..]),
            ("my_detail", b"x"),
            ("content-length", b"5"),
            ("content_length", b"5"),
            ("content.length", b"5"),
            ("authorization", b"x"),
            ("etag", b"\"a\""),
        ];
        let mut trailers = Fields::default();
        read_trailers(fields.into_iter(), &mut trailers).unwrap();
        let names: Vec<_> = trailers.named().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["grpc-status", "my_detail", "ETag"]);
    }
}
