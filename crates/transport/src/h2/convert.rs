//! Between our fields and those of the `http` crate, which the library speaks.

use super::seal::seal;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use torana_fault::{Fault, Reason};
use torana_http::h1::BodyFraming;
use torana_http::h2::{is_secret, is_unique, read_trailers, sent_fields};
use torana_http::{Fields, Name};

/// The fields of a message that is sent, and the length that `framing` knows.
pub(super) fn header_map(fields: &Fields, framing: BodyFraming) -> Result<HeaderMap, Fault> {
    let mut map = HeaderMap::with_capacity(fields.len().saturating_add(1));
    for (name, value) in sent_fields(fields) {
        append(&mut map, name, value)?;
    }
    if let BodyFraming::Length(length) = framing
        && !map.contains_key(CONTENT_LENGTH)
    {
        map.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(map)
}

/// The trailers of a message that is sent.
pub(super) fn trailer_map(trailers: &Fields) -> Result<HeaderMap, Fault> {
    header_map(trailers, BodyFraming::None)
}

fn append(map: &mut HeaderMap, name: Name<'_>, value: &[u8]) -> Result<(), Fault> {
    let refused = |what: String| Fault::new(Reason::Internal).because(what);
    let mut value = HeaderValue::from_maybe_shared(Bytes::copy_from_slice(value))
        .map_err(|error| refused(error.to_string()))?;
    value.set_sensitive(is_secret(name) || is_unique(name));
    let name =
        HeaderName::from_bytes(name.as_str().as_bytes()).map_err(|error| refused(error.to_string()))?;
    map.try_append(name, value).map_err(|error| refused(error.to_string()))?;
    Ok(())
}

/// The fields of a message that was received, for the head's readers.
pub(super) fn received_fields(map: &HeaderMap) -> impl Iterator<Item = (&str, &[u8])> {
    map.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))
}

/// The trailers of a request that was received, those that may be passed on. To be asked before the message's last piece
/// is shown: to HTTP/1 a message of known length is whole with that.
pub(super) fn asked_trailers(received: Option<&HeaderMap>) -> Result<Fields, Fault> {
    passed_trailers(received, true, Reason::MalformedBody)
}

/// The same of an answer, of which fields may be trailers that could not be told from a head.
pub(super) fn answered_trailers(received: Option<&HeaderMap>) -> Result<Fields, Fault> {
    passed_trailers(received, false, Reason::UpstreamMalformed)
}

fn passed_trailers(received: Option<&HeaderMap>, sealed: bool, malformed: Reason) -> Result<Fields, Fault> {
    let mut trailers = Fields::default();
    if let Some(received) = received {
        read_trailers(received_fields(received), &seal(), sealed, &mut trailers)
            .map_err(|error| Fault::new(malformed).because(error.detail))?;
    }
    Ok(trailers)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn neither_secrets_nor_what_is_made_for_one_message_is_put_into_the_header_table() {
        let mut fields = Fields::default();
        for (name, kept_out) in
            [("x-api-key", true), ("x-request-id", true), ("server", false), ("content-type", false)]
        {
            fields.insert(name, b"value").unwrap();
            let map = header_map(&fields, BodyFraming::None).unwrap();
            assert_eq!(map.get(name).unwrap().is_sensitive(), kept_out, "{name}");
        }
    }
}
