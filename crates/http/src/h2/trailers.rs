//! The trailers of an HTTP/2 message (RFC 9113 section 8.1).

use crate::fields::Fields;
use crate::h1::{HeadError, is_look_alike, may_be_trailer};
use crate::name::Name;

/// Adds the trailers that may be forwarded (RFC 9110 section 6.5.1) to `into`, by the rule of chunked bodies.
/// Names with underscores and dots pass where they do not pose as a well-known name: gRPC allows them.
///
/// # Errors
/// A name or value holds a byte that is not allowed.
pub fn read_trailers<'f>(
    fields: impl Iterator<Item = (&'f str, &'f [u8])>,
    into: &mut Fields,
) -> Result<(), HeadError> {
    for (text, value) in fields {
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
