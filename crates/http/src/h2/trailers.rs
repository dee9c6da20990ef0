//! The trailers of an HTTP/2 message (RFC 9113 section 8.1).

use super::edges::answered_value;
use super::seal::Seal;
use crate::fields::Fields;
use crate::h1::{HeadError, is_look_alike, may_be_trailer};
use crate::name::Name;

/// Adds the trailers that may be forwarded (RFC 9110 section 6.5.1) to `into`, by the rule of chunked bodies.
/// Names with underscores and dots pass where they do not pose as a well-known name: gRPC allows them.
///
/// # Errors
/// A name or value holds a byte that is not allowed, or a value begins or ends with white space; also of one that may
/// not be forwarded. The seal around them is broken, or missing where it is `demanded`: some of them were lost.
pub fn read_trailers<'f>(
    fields: impl Iterator<Item = (&'f str, &'f [u8])>,
    seal: &Seal,
    demanded: bool,
    into: &mut Fields,
) -> Result<(), HeadError> {
    let mut ends = 0_u8;
    for (text, value) in fields {
        if seal.is(text, value) {
            ends = ends.saturating_add(1);
            continue;
        }
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
    match ends {
        2 => Ok(()),
        0 if !demanded => Ok(()),
        _ => Err(HeadError::malformed("the trailers are larger than a head may be")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<const N: usize>(fields: [(&str, &[u8]); N], into: &mut Fields) -> Result<(), HeadError> {
        read_trailers(fields.into_iter(), &Seal::new(0), false, into)
    }

    #[test]
    fn what_is_not_sealed_at_both_ends_was_altered() {
        let seal = Seal::new(0x0123_4567_89ab_cdef);
        let (ours, other) = (("expect", &b"fedcba9876543210"[..]), ("expect", &b"0000000000000000"[..]));
        let sum = ("x-sum", &b"1"[..]);
        for (fields, answered, asked) in [
            (vec![ours, sum, ours], true, true),
            (vec![ours, other, sum, ours], true, true),
            (vec![ours, ours], true, true),
            (vec![sum], true, false),
            (vec![], true, false),
            (vec![ours, sum], false, false),
            (vec![ours, sum, other], false, false),
            (vec![other, sum, other], true, false),
        ] {
            for (demanded, passes) in [(false, answered), (true, asked)] {
                let mut trailers = Fields::default();
                let read = read_trailers(fields.iter().copied(), &seal, demanded, &mut trailers);
                assert_eq!(read.is_ok(), passes, "{fields:?} {demanded}");
                let names: Vec<_> = trailers.named().map(|(name, _)| name.as_str()).collect();
                let sums = fields.iter().filter(|field| **field == sum).map(|(name, _)| *name);
                assert_eq!(names, sums.collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn white_space_around_a_value_is_malformed_whether_or_not_the_trailer_would_go_on() {
        for (name, value) in [("x-a", " a"), ("x-a", "a\t"), ("grpc-status", "0 "), ("content-length", " 5")]
        {
            let mut trailers = Fields::default();
            let read = read([(name, value.as_bytes())], &mut trailers);
            assert!(read.is_err(), "{name}: {value:?}");
        }
        let mut trailers = Fields::default();
        read([("grpc-message", &b"not there: "[..])], &mut trailers).unwrap();
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
        read(fields, &mut trailers).unwrap();
        let names: Vec<_> = trailers.named().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["grpc-status", "my_detail", "ETag"]);
    }
}
