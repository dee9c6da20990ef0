//! Reading a token (RFC 7515 section 7.1), before anything in it is believed.

use super::algorithm::Algorithm;
use super::base64url;
use super::header::{Header, Headers};
use std::sync::Arc;
use torana_identity::{Claims, Json};

/// The longest token that is looked at, in bytes.
pub const LONGEST: usize = 16 * 1024;
/// The longest signature: that of an RSA key of 8192 bits.
const LONGEST_SIGNATURE: usize = 1024;
/// The longest signature that is no RSA key's: that of ES512 has 132 bytes.
const SHORT_SIGNATURE: usize = 132;

/// Why text is not a token that can be verified. Says nothing of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is longer than [`LONGEST`].
    #[error("the token is longer than {LONGEST} bytes")]
    TooLong,
    /// It does not have three parts.
    #[error("the token does not have three parts")]
    Shape,
    /// A part is not canonical base64url without padding.
    #[error("the token's {0} is not base64url without padding")]
    Encoding(&'static str),
    /// A part is not an object with distinct names.
    #[error("the token's {0} is not a JSON object with distinct names")]
    Json(&'static str),
    /// The header names no algorithm that is known.
    #[error("the token's algorithm is none that is known")]
    Algorithm,
    /// A header parameter has the wrong type.
    #[error("the token's header parameter `{0}` is not text")]
    Parameter(&'static str),
    /// An extension must be understood, and none is.
    #[error("the token asks for extensions (crit, b64)")]
    Extension,
}

/// A token that was read and not yet verified. What it says is a claim, nothing more.
#[derive(Debug)]
pub struct Token<'t> {
    /// The algorithm that the header names.
    pub algorithm: Algorithm,
    header: Arc<Header>,
    encoded_header: &'t [u8],
    signed: &'t [u8],
    payload: &'t [u8],
    signature: Signature,
}

/// A signature; most need no memory of their own.
#[derive(Debug)]
enum Signature {
    Short([u8; SHORT_SIGNATURE], usize),
    Long(Vec<u8>),
}

impl<'t> Token<'t> {
    /// Reads the header and the signature; the payload is looked at only after the signature was verified.
    ///
    /// # Errors
    /// See [`Malformed`].
    pub fn parse(text: &'t [u8]) -> Result<Self, Malformed> {
        Self::parse_known(text, &Headers::default())
    }

    /// As [`parse`](Self::parse), with the headers that were seen before.
    ///
    /// # Errors
    /// See [`Malformed`].
    pub fn parse_known(text: &'t [u8], headers: &Headers) -> Result<Self, Malformed> {
        if text.len() > LONGEST {
            return Err(Malformed::TooLong);
        }
        let mut dots = memchr::memchr_iter(b'.', text);
        let (Some(first), Some(second), None) = (dots.next(), dots.next(), dots.next()) else {
            return Err(Malformed::Shape);
        };
        let part = |from: usize, to: usize| text.get(from..to).ok_or(Malformed::Shape);
        let encoded_header = part(0, first)?;
        let header = match headers.get(encoded_header) {
            Some(known) => known,
            None => Arc::new(Header::read(encoded_header)?),
        };
        Ok(Self {
            algorithm: header.algorithm,
            header,
            encoded_header,
            signed: part(0, second)?,
            payload: part(first.saturating_add(1), second)?,
            signature: Signature::decode(part(second.saturating_add(1), text.len())?)?,
        })
    }

    /// Remembers the header, of a token that was verified.
    pub fn remember_header(&self, headers: &Headers) {
        headers.remember(self.encoded_header, &self.header);
    }

    /// The key that the header names.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.header().get("kid").and_then(Json::as_str)
    }

    /// The media type that the header names.
    #[must_use]
    pub fn media_type(&self) -> Option<&str> {
        self.header().get("typ").and_then(Json::as_str)
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &Claims {
        &self.header.parameters
    }

    /// What the signature is over.
    #[must_use]
    pub const fn signed(&self) -> &'t [u8] {
        self.signed
    }

    /// The signature.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        match &self.signature {
            Signature::Short(bytes, length) => bytes.get(..*length).unwrap_or_default(),
            Signature::Long(bytes) => bytes,
        }
    }

    /// The payload's bytes.
    ///
    /// # Errors
    /// It is not canonical base64url.
    pub fn payload(&self) -> Result<Vec<u8>, Malformed> {
        decode(self.payload, "payload")
    }

    /// The payload as claims. To be believed only after the signature was verified.
    ///
    /// # Errors
    /// It is not canonical base64url, or not an object with distinct names.
    pub fn claims(&self) -> Result<Claims, Malformed> {
        Claims::read(self.payload()?).ok_or(Malformed::Json("payload"))
    }
}

impl Signature {
    fn decode(part: &[u8]) -> Result<Self, Malformed> {
        let mut bytes = [0; SHORT_SIGNATURE];
        let decoded = match base64url::decoded_len(part) {
            length if length <= SHORT_SIGNATURE => {
                base64url::decode_into(part, &mut bytes).map(|length| Self::Short(bytes, length))
            }
            length if length <= LONGEST_SIGNATURE => base64url::decode(part).map(Self::Long),
            _ => None,
        };
        decoded.ok_or(Malformed::Encoding("signature"))
    }
}

fn decode(part: &[u8], name: &'static str) -> Result<Vec<u8>, Malformed> {
    base64url::decode(part).ok_or(Malformed::Encoding(name))
}
