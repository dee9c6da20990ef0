//! Headers of tokens (RFC 7515 section 4), and those that were seen before.
//!
//! An issuer writes the same header on every token, so what a header says is remembered by its encoded bytes. That
//! is a pure function of them; what is believed of it, and by which key, is judged anew for each token.

use super::algorithm::Algorithm;
use super::base64url;
use super::token::Malformed;
use arc_swap::ArcSwapOption;
use std::sync::Arc;
use torana_identity::{Claims, Json};

/// Headers that are remembered.
const PLACES: usize = 8;
/// The longest header that is, in bytes.
const LONGEST: usize = 1024;

/// A header that was read.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) algorithm: Algorithm,
    pub(super) parameters: Claims,
}

impl Header {
    pub(super) fn read(encoded: &[u8]) -> Result<Self, Malformed> {
        let text = base64url::decode(encoded).ok_or(Malformed::Encoding("header"))?;
        let parameters = Claims::read(text).ok_or(Malformed::Json("header"))?;
        if parameters.contains("crit") || parameters.contains("b64") {
            return Err(Malformed::Extension);
        }
        let name = parameters.get("alg").and_then(Json::as_str).ok_or(Malformed::Algorithm)?;
        let algorithm = Algorithm::from_name(name).ok_or(Malformed::Algorithm)?;
        for parameter in ["kid", "typ"] {
            if parameters.get(parameter).is_some_and(|value| value.as_str().is_none()) {
                return Err(Malformed::Parameter(parameter));
            }
        }
        Ok(Self { algorithm, parameters })
    }
}

/// Headers of tokens that were verified.
#[derive(Debug, Default)]
pub struct Headers([ArcSwapOption<Known>; PLACES]);

#[derive(Debug)]
struct Known {
    encoded: Box<[u8]>,
    header: Arc<Header>,
}

impl Headers {
    pub(super) fn get(&self, encoded: &[u8]) -> Option<Arc<Header>> {
        let known = self.place(encoded)?.load();
        let known = known.as_ref().filter(|known| *known.encoded == *encoded)?;
        Some(Arc::clone(&known.header))
    }

    pub(super) fn remember(&self, encoded: &[u8], header: &Arc<Header>) {
        let Some(place) = self.place(encoded).filter(|_| encoded.len() <= LONGEST) else { return };
        if place.load().as_ref().is_none_or(|known| *known.encoded != *encoded) {
            place.store(Some(Arc::new(Known { encoded: encoded.into(), header: Arc::clone(header) })));
        }
    }

    /// Where a header stands: headers of one issuer differ in what they name their key by.
    fn place(&self, encoded: &[u8]) -> Option<&ArcSwapOption<Known>> {
        let end = encoded.last_chunk().map_or(0, |end| u64::from_le_bytes(*end));
        let mixed = end.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(7) ^ encoded.len() as u64;
        self.0.get(usize::try_from(mixed).unwrap_or(0) % PLACES)
    }
}
