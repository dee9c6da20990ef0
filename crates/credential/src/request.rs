//! A request as signatures see it: the bytes that its client sent, before anything is brought into another form.

use std::time::UNIX_EPOCH;

/// What a signature may cover.
#[derive(Clone, Debug, Default)]
pub struct SignedRequest<'r> {
    /// The method as it was written.
    pub method: &'r [u8],
    /// Whether the client came over TLS.
    pub secure: bool,
    /// The value of `Host`, or the target's authority.
    pub host: &'r [u8],
    /// The path as it was sent.
    pub path: &'r [u8],
    /// The query as it was sent, without its question mark.
    pub query: Option<&'r [u8]>,
    /// The version, as `1.1` or `2.0`.
    pub version: &'r str,
    /// The fields in order, names as they were written. `Host` is asked of [`Self::host`] alone.
    pub fields: Vec<(&'r [u8], &'r [u8])>,
}

impl<'r> SignedRequest<'r> {
    /// Every value of a field, in order, without white space around it.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'r [u8]> {
        let is_host = name.eq_ignore_ascii_case("host");
        let host = (is_host && !self.host.is_empty()).then_some(self.host);
        let fields = self.fields.iter();
        let others = fields.filter(move |(own, _)| !is_host && own.eq_ignore_ascii_case(name.as_bytes()));
        host.into_iter().chain(others.map(|(_, value)| value.trim_ascii()))
    }

    /// The one value of a field; nothing when it is missing or repeated.
    #[must_use]
    pub fn single(&self, name: &str) -> Option<&'r [u8]> {
        let mut values = self.values(name);
        let first = values.next()?;
        values.next().is_none().then_some(first)
    }

    /// Path and query as they were sent.
    #[must_use]
    pub fn target(&self) -> Vec<u8> {
        let mut target = self.path.to_vec();
        if let Some(query) = self.query {
            target.push(b'?');
            target.extend_from_slice(query);
        }
        target
    }
}

/// Why a signature is not accepted: for the log, never for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Malformed, not covering what it must, or wrong.
    #[error("{0}")]
    Invalid(&'static str),
    /// Made too long ago.
    #[error("{0}")]
    Expired(&'static str),
}

/// Whether every byte may stand in a token (RFC 9110 section 5.6.2).
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(is_token_byte)
}

/// Whether the byte may stand in a token.
pub(crate) fn is_token_byte(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}

/// Seconds since 1970-01-01 UTC of an HTTP date (RFC 9110 section 5.6.7).
pub(crate) fn http_date(value: &[u8]) -> Option<u64> {
    let time = httpdate::parse_http_date(std::str::from_utf8(value).ok()?).ok()?;
    time.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

/// Undoes percent-encoding; `None` where it is broken.
pub(crate) fn percent_decoded(text: &[u8], plus_is_space: bool) -> Option<Vec<u8>> {
    let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'%' => {
                let value = digit(after.first())?.checked_mul(16)?.checked_add(digit(after.get(1))?)?;
                out.push(u8::try_from(value).ok()?);
                rest = after.get(2..)?;
            }
            b'+' if plus_is_space => out.push(b' '),
            other => out.push(*other),
        }
    }
    Some(out)
}

/// Percent-encodes every byte but ASCII letters, digits and those of `plain`.
pub(crate) fn percent_encode(text: &[u8], plain: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
    for byte in text {
        if byte.is_ascii_alphanumeric() || plain.contains(byte) {
            out.push(*byte);
        } else {
            out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}
