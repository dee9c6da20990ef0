//! An HTTP/2 response's parts as a head (RFC 9113 section 8.3.2).

use super::edges::answered_value;
use crate::h1::{BodyFraming, HeadError, HeadErrorKind, HeadLimits, parse_length};
use crate::head::{ResponseHead, Version};
use crate::method::Method;
use crate::name::{Known, Name};

/// Reads a response into `head`, whose former content is lost. `ends` says that nothing follows the fields;
/// `request_method` is the method that is being answered.
///
/// # Errors
/// The response is malformed or beyond the limits. Nothing may be read from `head` then.
pub fn read_response<'f>(
    status: u16,
    fields: impl Iterator<Item = (&'f str, &'f [u8])>,
    ends: bool,
    request_method: Method,
    limits: &HeadLimits,
    head: &mut ResponseHead,
) -> Result<(), HeadError> {
    head.clear();
    head.version = Version::Http2;
    head.status = status;
    let mut bytes = 0_usize;
    let mut length = None;
    for (count, (text, value)) in fields.enumerate() {
        bytes = bytes.saturating_add(text.len()).saturating_add(value.len()).saturating_add(4);
        if bytes > limits.head_bytes || count >= limits.fields {
            return Err(HeadError::new(HeadErrorKind::TooLarge, "the head exceeds its limit"));
        }
        let value = answered_value(text, value)?;
        let name = Name::from(text);
        match name {
            Name::Known(
                Known::Connection
                | Known::KeepAlive
                | Known::ProxyConnection
                | Known::TransferEncoding
                | Known::Upgrade,
            ) => return Err(HeadError::malformed("a field belongs to an HTTP/1 connection")),
            Name::Known(Known::ContentLength) => {
                let ambiguous = |detail| HeadError::new(HeadErrorKind::AmbiguousFraming, detail);
                let number = parse_length(value).ok_or(ambiguous("Content-Length is not a number"))?;
                if length.replace(number).is_some() {
                    return Err(ambiguous("Content-Length is repeated"));
                }
            }
            _ => {}
        }
        let invalid = |_| HeadError::malformed("a field holds a byte that is not allowed");
        head.fields.append(name, value).map_err(invalid)?;
    }
    let bodiless = request_method == Method::Head || matches!(status, 100..=199 | 204 | 304);
    head.framing = match (bodiless, ends, length) {
        (true, ..) | (false, true, None | Some(0)) => BodyFraming::None,
        (false, true, Some(_)) => {
            let detail = "Content-Length announces a body that does not come";
            return Err(HeadError::new(HeadErrorKind::AmbiguousFraming, detail));
        }
        (false, false, Some(length)) => BodyFraming::Length(length),
        (false, false, None) => BodyFraming::Chunked,
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[(&str, &str)], ends: bool, method: Method) -> Result<BodyFraming, HeadErrorKind> {
        let mut head = ResponseHead::default();
        let fields = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
        let limits = HeadLimits::default();
        read_response(200, fields, ends, method, &limits, &mut head).map_err(|error| error.kind)?;
        Ok(head.framing)
    }

    #[test]
    fn bodies_are_framed_by_what_is_known_of_them() {
        let length = [("content-length", "5")];
        assert_eq!(read(&length, false, Method::Get), Ok(BodyFraming::Length(5)));
        assert_eq!(read(&[], false, Method::Get), Ok(BodyFraming::Chunked));
        assert_eq!(read(&[], true, Method::Get), Ok(BodyFraming::None));
        assert_eq!(read(&length, true, Method::Head), Ok(BodyFraming::None));
        assert_eq!(read(&length, true, Method::Get), Err(HeadErrorKind::AmbiguousFraming));
    }

    #[test]
    fn what_would_split_a_response_is_malformed() {
        for field in [
            ("transfer-encoding", "chunked"),
            ("connection", "close"),
            ("x-a", "b\r\nc: d"),
            ("x-a", " b"),
            ("x-a", "b\t"),
        ] {
            assert_eq!(read(&[field], false, Method::Get), Err(HeadErrorKind::Malformed), "{field:?}");
        }
    }
}
