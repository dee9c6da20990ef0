//! Reading a token (RFC 7515 section 7.1), before anything in it is believed.

use super::algorithm::Algorithm;
use super::json::strict_object;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// The longest token that is looked at, in bytes.
pub const LONGEST: usize = 16 * 1024;
/// The longest signature: that of an RSA key of 8192 bits.
const LONGEST_SIGNATURE: usize = 1024;

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
    header: Map<String, Value>,
    signed: &'t [u8],
    payload: &'t [u8],
    signature: ([u8; LONGEST_SIGNATURE], usize),
}

impl<'t> Token<'t> {
    /// Reads the header and the signature; the payload is looked at only after the signature was verified.
    ///
    /// # Errors
    /// See [`Malformed`].
    pub fn parse(text: &'t [u8]) -> Result<Self, Malformed> {
        if text.len() > LONGEST {
            return Err(Malformed::TooLong);
        }
        let mut dots = memchr::memchr_iter(b'.', text);
        let (Some(first), Some(second), None) = (dots.next(), dots.next(), dots.next()) else {
            return Err(Malformed::Shape);
        };
        let part = |from: usize, to: usize| text.get(from..to).ok_or(Malformed::Shape);
        let header = decode(part(0, first)?, "header")?;
        let header = strict_object(&header).ok_or(Malformed::Json("header"))?;
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(Malformed::Extension);
        }
        let name = header.get("alg").and_then(Value::as_str).ok_or(Malformed::Algorithm)?;
        let algorithm = Algorithm::from_name(name).ok_or(Malformed::Algorithm)?;
        for parameter in ["kid", "typ"] {
            if header.get(parameter).is_some_and(|value| !value.is_string()) {
                return Err(Malformed::Parameter(parameter));
            }
        }
        let mut signature = [0; LONGEST_SIGNATURE];
        let length = URL_SAFE_NO_PAD
            .decode_slice(part(second.saturating_add(1), text.len())?, &mut signature)
            .map_err(|_| Malformed::Encoding("signature"))?;
        Ok(Self {
            algorithm,
            header,
            signed: part(0, second)?,
            payload: part(first.saturating_add(1), second)?,
            signature: (signature, length),
        })
    }

    /// The key that the header names.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.header.get("kid").and_then(Value::as_str)
    }

    /// The media type that the header names.
    #[must_use]
    pub fn media_type(&self) -> Option<&str> {
        self.header.get("typ").and_then(Value::as_str)
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &Map<String, Value> {
        &self.header
    }

    /// What the signature is over.
    #[must_use]
    pub const fn signed(&self) -> &'t [u8] {
        self.signed
    }

    /// The signature.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        self.signature.0.get(..self.signature.1).unwrap_or_default()
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
    pub fn claims(&self) -> Result<Map<String, Value>, Malformed> {
        strict_object(&self.payload()?).ok_or(Malformed::Json("payload"))
    }
}

/// The engine refuses padding, foreign characters and bits that are left over.
fn decode(part: &[u8], name: &'static str) -> Result<Vec<u8>, Malformed> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Malformed::Encoding(name))
}
