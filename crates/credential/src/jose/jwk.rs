//! A JSON Web Key (RFC 7517), as far as it verifies.

use super::algorithm::Algorithm;
use super::der;
use super::key::{KeyError, VerifyingKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

impl VerifyingKey {
    /// A key from its JWK. The key's own `alg` and what is accepted must have something in common.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn jwk(jwk: &Map<String, Value>, accepted: &[Algorithm]) -> Result<Self, KeyError> {
        meant_for_verifying(jwk)?;
        let own = own_algorithm(jwk)?;
        let both;
        let accepted = match own {
            Some(own) if accepted.is_empty() || accepted.iter().any(|one| one.covers(own)) => {
                both = [own];
                &both[..]
            }
            Some(_) => return Err(KeyError::NoAlgorithm),
            None => accepted,
        };
        let key = match text(jwk, "kty")? {
            "oct" => symmetric(jwk, accepted)?,
            "RSA" => rsa(jwk, accepted)?,
            "EC" => curve(jwk, accepted)?,
            "OKP" => match text(jwk, "crv")? {
                "Ed25519" => Self::ed25519(&binary(jwk, "x", Some(32))?, accepted)?,
                "Ed448" => Self::ed448(&binary(jwk, "x", Some(57))?, accepted)?,
                _ => return Err(KeyError::Unsupported),
            },
            _ => return Err(KeyError::Unsupported),
        };
        let id = match jwk.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.as_str()),
            Some(_) => return Err(KeyError::Member("kid")),
        };
        Ok(key.with_id(id))
    }
}

/// RFC 7517 sections 4.2 and 4.3. A private key may be meant for signing: then its public half verifies.
fn meant_for_verifying(jwk: &Map<String, Value>) -> Result<(), KeyError> {
    match jwk.get("use") {
        None => {}
        Some(Value::String(meant)) if meant == "sig" => {}
        Some(_) => return Err(KeyError::Use),
    }
    match jwk.get("key_ops") {
        None => Ok(()),
        Some(Value::Array(operations))
            if operations.iter().any(|operation| operation == "verify" || operation == "sign") =>
        {
            Ok(())
        }
        Some(_) => Err(KeyError::Use),
    }
}

fn own_algorithm(jwk: &Map<String, Value>) -> Result<Option<Algorithm>, KeyError> {
    match jwk.get("alg") {
        None => Ok(None),
        Some(Value::String(name)) => match Algorithm::from_name(name) {
            Some(algorithm) => Ok(Some(algorithm)),
            // A slip that keys in the wild have: the curve's number in place of the hash's.
            None if name == "ES521" && jwk.get("crv").is_some_and(|curve| curve == "P-521") => {
                Ok(Some(Algorithm::Es512))
            }
            None => Err(KeyError::NoAlgorithm),
        },
        Some(_) => Err(KeyError::Member("alg")),
    }
}

fn symmetric(jwk: &Map<String, Value>, accepted: &[Algorithm]) -> Result<VerifyingKey, KeyError> {
    let secret = Zeroizing::new(binary(jwk, "k", None)?);
    let wanted = if accepted.is_empty() { &[Algorithm::Hs256] } else { accepted };
    let long_enough: Vec<_> =
        wanted.iter().copied().filter(|algorithm| secret.len() >= algorithm.least_secret()).collect();
    if !secret.is_empty() && long_enough.is_empty() {
        return Err(KeyError::ShortSecret);
    }
    VerifyingKey::secret(&secret, &long_enough)
}

fn rsa(jwk: &Map<String, Value>, accepted: &[Algorithm]) -> Result<VerifyingKey, KeyError> {
    let number = |name| -> Result<Vec<u8>, KeyError> {
        let digits = binary(jwk, name, None)?;
        // RFC 7518 section 2: the fewest octets. A sign byte that some libraries add is let pass.
        let digits = digits.strip_prefix(&[0]).unwrap_or(&digits);
        if digits.first().is_none_or(|first| *first == 0) {
            return Err(KeyError::Member(name));
        }
        Ok(der::write_positive(digits))
    };
    let mut inner = number("n")?;
    inner.extend(number("e")?);
    VerifyingKey::rsa(&der::write(der::SEQUENCE, &inner), accepted)
}

fn curve(jwk: &Map<String, Value>, accepted: &[Algorithm]) -> Result<VerifyingKey, KeyError> {
    let (algorithm, length) = match text(jwk, "crv")? {
        "P-256" => (Algorithm::Es256, 32),
        "P-384" => (Algorithm::Es384, 48),
        "P-521" => (Algorithm::Es512, 66),
        _ => return Err(KeyError::Unsupported),
    };
    // RFC 7518 section 6.2.1.2: the full size, with leading zeros.
    let mut point = vec![4];
    point.extend(binary(jwk, "x", Some(length))?);
    point.extend(binary(jwk, "y", Some(length))?);
    VerifyingKey::single(algorithm, &point, accepted)
}

fn text<'j>(jwk: &'j Map<String, Value>, name: &'static str) -> Result<&'j str, KeyError> {
    jwk.get(name).and_then(Value::as_str).ok_or(KeyError::Member(name))
}

fn binary(jwk: &Map<String, Value>, name: &'static str, length: Option<usize>) -> Result<Vec<u8>, KeyError> {
    let bytes = URL_SAFE_NO_PAD.decode(text(jwk, name)?).map_err(|_| KeyError::Member(name))?;
    if length.is_some_and(|length| bytes.len() != length) {
        return Err(KeyError::Member(name));
    }
    Ok(bytes)
}
