//! Text that only the gateway can make and read, for what it keeps in browsers.
//!
//! AES-256-GCM. Each text has a key of its own, derived (HKDF-SHA-256, RFC 5869) from a configured secret, a
//! fresh salt and its purpose: random nonces can then never meet, and what was sealed for one purpose opens
//! for no other. The first secret seals; every one opens, so that secrets can be exchanged.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;

/// The form that is written; another one would have another number.
const FORM: u8 = 1;
const SALT: usize = 16;
/// The longest text that is opened, sealed, in bytes.
const LONGEST: usize = 64 * 1024;

/// The library could not seal: for want of randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing can be sealed: the system gives no randomness")]
pub struct CannotSeal;

/// Seals and opens text.
pub struct Sealer {
    keys: Vec<Prk>,
}

impl Sealer {
    /// By these secrets, of which the first seals. Without any, nothing is sealed and nothing opens.
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s [u8]>) -> Self {
        let salt = Salt::new(HKDF_SHA256, b"torana sealed text");
        Self { keys: secrets.into_iter().map(|secret| salt.extract(secret)).collect() }
    }

    /// Seals a text: base64url without padding, about a third longer than the text and 60 characters.
    ///
    /// # Errors
    /// See [`CannotSeal`].
    pub fn seal(&self, purpose: &[u8], text: &[u8]) -> Result<String, CannotSeal> {
        let (mut salt, mut nonce) = ([0; SALT], [0; NONCE_LEN]);
        rand::fill(&mut salt).map_err(|_| CannotSeal)?;
        rand::fill(&mut nonce).map_err(|_| CannotSeal)?;
        let key = self.keys.first().and_then(|secret| derive(secret, &salt, purpose)).ok_or(CannotSeal)?;
        let mut sealed = text.to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from([FORM]), &mut sealed)
            .map_err(|_| CannotSeal)?;
        let whole = [&[FORM], &salt[..], &nonce[..], &sealed].concat();
        Ok(URL_SAFE_NO_PAD.encode(whole))
    }

    /// Opens what was sealed for this purpose with one of the secrets; nothing where it was not.
    #[must_use]
    pub fn open(&self, purpose: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        if sealed.len() > LONGEST {
            return None;
        }
        let whole = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let rest = whole.strip_prefix(&[FORM])?;
        let (salt, rest) = rest.split_first_chunk::<SALT>()?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>()?;
        self.keys.iter().find_map(|secret| {
            let key = derive(secret, salt, purpose)?;
            let mut text = rest.to_vec();
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let length = key.open_in_place(nonce, Aad::from([FORM]), &mut text).ok()?.len();
            text.truncate(length);
            Some(text)
        })
    }
}

fn derive(secret: &Prk, salt: &[u8; SALT], purpose: &[u8]) -> Option<LessSafeKey> {
    let about = [&salt[..], purpose];
    let key = secret.expand(&about, &AES_256_GCM).ok()?;
    Some(LessSafeKey::new(UnboundKey::from(key)))
}

impl fmt::Debug for Sealer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Sealer({} secrets)", self.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(secrets: &[&str]) -> Sealer {
        Sealer::new(secrets.iter().map(|secret| secret.as_bytes()))
    }

    #[test]
    fn what_was_sealed_opens_for_its_purpose_alone() {
        let sealer = sealer(&["one"]);
        let sealed = sealer.seal(b"session", b"text").unwrap();
        assert_eq!(sealer.open(b"session", sealed.as_bytes()).unwrap(), b"text");
        assert_eq!(sealer.open(b"login", sealed.as_bytes()), None);
        assert_ne!(sealer.seal(b"session", b"text").unwrap(), sealed);
        assert!(!sealed.contains("text"));
    }

    #[test]
    fn the_first_secret_seals_and_every_one_opens() {
        let (old, both, new) = (sealer(&["old"]), sealer(&["new", "old"]), sealer(&["new"]));
        let before = old.seal(b"", b"text").unwrap();
        assert_eq!(both.open(b"", before.as_bytes()).unwrap(), b"text");
        assert_eq!(new.open(b"", before.as_bytes()), None);
        let after = both.seal(b"", b"text").unwrap();
        assert_eq!(new.open(b"", after.as_bytes()).unwrap(), b"text");
        assert_eq!(old.open(b"", after.as_bytes()), None);
        assert_eq!(sealer(&[]).seal(b"", b"text"), Err(CannotSeal));
    }

    #[test]
    fn no_bit_can_be_changed_and_nothing_left_out() {
        let sealer = sealer(&["one"]);
        let sealed = URL_SAFE_NO_PAD.decode(sealer.seal(b"", b"a text").unwrap()).unwrap();
        for place in 0..sealed.len() {
            for bit in 0..8 {
                let mut other = sealed.clone();
                other[place] ^= 1 << bit;
                assert_eq!(sealer.open(b"", URL_SAFE_NO_PAD.encode(other).as_bytes()), None, "{place}");
            }
            let shorter = URL_SAFE_NO_PAD.encode(&sealed[..place]);
            assert_eq!(sealer.open(b"", shorter.as_bytes()), None, "{place}");
        }
        for bad in [&b""[..], b"!", b"AQ", &[b'A'; LONGEST + 1]] {
            assert_eq!(sealer.open(b"", bad), None);
        }
    }
}
