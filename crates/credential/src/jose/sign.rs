//! Signing tokens: for services behind the gateway, and for tests of verification.

use super::algorithm::Algorithm;
use super::der;
use super::key::{KeyError, pem_block};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use std::fmt;

/// A key that signs with one algorithm.
pub struct SigningKey {
    algorithm: Algorithm,
    id: Option<Box<str>>,
    material: Material,
}

enum Material {
    Secret(Box<hmac::Key>),
    Curve(EcdsaKeyPair),
    Edwards(Ed25519KeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
}

impl SigningKey {
    /// A shared secret.
    ///
    /// # Errors
    /// It is empty, or the algorithm is not one of secrets.
    pub fn secret(bytes: &[u8], algorithm: Algorithm) -> Result<Self, KeyError> {
        if bytes.is_empty() {
            return Err(KeyError::EmptySecret);
        }
        let hash = match algorithm {
            Algorithm::Hs256 => hmac::HMAC_SHA256,
            Algorithm::Hs384 => hmac::HMAC_SHA384,
            Algorithm::Hs512 => hmac::HMAC_SHA512,
            _ => return Err(KeyError::NoAlgorithm),
        };
        Ok(Self { algorithm, id: None, material: Material::Secret(Box::new(hmac::Key::new(hash, bytes))) })
    }

    /// A private key in PEM, as PKCS#8 (RFC 5208).
    ///
    /// # Errors
    /// It is not one, or does not fit the algorithm.
    pub fn pem(text: &str, algorithm: Algorithm) -> Result<Self, KeyError> {
        Self::pkcs8(&private_block(text)?, algorithm)
    }

    /// What a private key in PEM is used with where nothing is said: RS256, or the one algorithm of its curve.
    ///
    /// # Errors
    /// It is not one, or of a kind that nothing is signed with.
    pub fn usual_algorithm(text: &str) -> Result<Algorithm, KeyError> {
        usual(&private_block(text)?).ok_or(KeyError::Unsupported)
    }

    /// The same in DER.
    ///
    /// # Errors
    /// As above.
    pub fn pkcs8(bytes: &[u8], algorithm: Algorithm) -> Result<Self, KeyError> {
        let curve = |kind: &'static EcdsaSigningAlgorithm| {
            EcdsaKeyPair::from_pkcs8(kind, bytes).map(Material::Curve).map_err(|_| unfit(bytes, algorithm))
        };
        let rsa = |encoding: &'static dyn RsaEncoding| {
            let pair = RsaKeyPair::from_pkcs8(bytes).map_err(|_| unfit(bytes, algorithm))?;
            Ok(Material::Rsa(pair, encoding))
        };
        let material = match algorithm {
            Algorithm::Es256 => curve(&ECDSA_P256_SHA256_FIXED_SIGNING)?,
            Algorithm::Es384 => curve(&ECDSA_P384_SHA384_FIXED_SIGNING)?,
            Algorithm::Es512 => curve(&ECDSA_P521_SHA512_FIXED_SIGNING)?,
            Algorithm::EdDsa | Algorithm::Ed25519 | Algorithm::Ed448
                if kind(bytes).is_some_and(|(kind, _)| kind == ED448) =>
            {
                return Err(KeyError::Ed448);
            }
            Algorithm::EdDsa | Algorithm::Ed25519 => Material::Edwards(
                Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes).map_err(|_| unfit(bytes, algorithm))?,
            ),
            Algorithm::Rs256 => rsa(&RSA_PKCS1_SHA256)?,
            Algorithm::Rs384 => rsa(&RSA_PKCS1_SHA384)?,
            Algorithm::Rs512 => rsa(&RSA_PKCS1_SHA512)?,
            Algorithm::Ps256 => rsa(&RSA_PSS_SHA256)?,
            Algorithm::Ps384 => rsa(&RSA_PSS_SHA384)?,
            Algorithm::Ps512 => rsa(&RSA_PSS_SHA512)?,
            Algorithm::Ed448 | Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => {
                return Err(KeyError::NoAlgorithm);
            }
        };
        Ok(Self { algorithm, id: None, material })
    }

    /// Names the key in the tokens it signs.
    #[must_use]
    pub fn with_id(mut self, id: Option<&str>) -> Self {
        self.id = id.map(Into::into);
        self
    }

    /// A token with these claims.
    ///
    /// # Errors
    /// The library cannot sign, for example for want of randomness.
    pub fn token(&self, claims: &Map<String, Value>) -> Result<String, KeyError> {
        let mut header = Map::new();
        header.insert("alg".into(), self.algorithm.name().into());
        header.insert("typ".into(), "JWT".into());
        if let Some(id) = &self.id {
            header.insert("kid".into(), Value::from(&**id));
        }
        self.token_with(&header, claims)
    }

    /// A token with this header as it is.
    ///
    /// # Errors
    /// As above.
    pub fn token_with(
        &self,
        header: &Map<String, Value>,
        claims: &Map<String, Value>,
    ) -> Result<String, KeyError> {
        let part = |object: &Map<String, Value>| {
            serde_json::to_vec(object).map(|text| URL_SAFE_NO_PAD.encode(text)).map_err(|_| KeyError::Invalid)
        };
        let mut token = format!("{}.{}", part(header)?, part(claims)?);
        let signature = self.sign(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    /// The signature over a message.
    ///
    /// # Errors
    /// As above.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        match &self.material {
            Material::Secret(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            Material::Curve(pair) => {
                pair.sign(&random, message).map(|made| made.as_ref().to_vec()).map_err(|_| KeyError::Invalid)
            }
            Material::Edwards(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Material::Rsa(pair, encoding) => {
                let mut made = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut made).map_err(|_| KeyError::Invalid)?;
                Ok(made)
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SigningKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// RFC 8410 section 3.
const ED448: &[u8] = &[0x2b, 0x65, 0x71];

/// The PKCS#8 of a private key in PEM.
fn private_block(text: &str) -> Result<Vec<u8>, KeyError> {
    let (label, bytes) = pem_block(text).map_err(|_| KeyError::NoPrivatePem)?;
    match label {
        "PRIVATE KEY" => Ok(bytes),
        "EC PRIVATE KEY" | "EC PARAMETERS" => Err(KeyError::NotPkcs8("SEC1")),
        "RSA PRIVATE KEY" => Err(KeyError::NotPkcs8("PKCS#1")),
        "ENCRYPTED PRIVATE KEY" => Err(KeyError::Encrypted),
        "CERTIFICATE" => Err(KeyError::Public),
        label if label.ends_with("PUBLIC KEY") => Err(KeyError::Public),
        _ => Err(KeyError::NoPrivatePem),
    }
}

/// The identifier of a key's kind in PKCS#8, and its parameters.
fn kind(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = der::expect(bytes, der::SEQUENCE)?.content;
    let algorithm = der::expect(der::expect(inner, der::INTEGER)?.rest, der::SEQUENCE)?;
    let identifier = der::expect(algorithm.content, der::OBJECT_IDENTIFIER)?;
    Some((identifier.content, identifier.rest))
}

fn usual(bytes: &[u8]) -> Option<Algorithm> {
    match kind(bytes)? {
        ([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01], _) => Some(Algorithm::Rs256),
        ([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01], parameters) => {
            match der::only(parameters, der::OBJECT_IDENTIFIER)? {
                [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07] => Some(Algorithm::Es256),
                [0x2b, 0x81, 0x04, 0x00, 0x22] => Some(Algorithm::Es384),
                [0x2b, 0x81, 0x04, 0x00, 0x23] => Some(Algorithm::Es512),
                _ => None,
            }
        }
        ([0x2b, 0x65, 0x70] | ED448, _) => Some(Algorithm::EdDsa),
        _ => None,
    }
}

/// Why a key cannot sign with the algorithm.
fn unfit(bytes: &[u8], algorithm: Algorithm) -> KeyError {
    let is_rsa = |name: &str| name.starts_with("RS") || name.starts_with("PS");
    match usual(bytes).map(Algorithm::name) {
        Some(usual) if usual == algorithm.name() || is_rsa(usual) && is_rsa(algorithm.name()) => {
            KeyError::Invalid
        }
        // The algorithm of an Edwards curve has two names.
        Some("EdDSA") if algorithm == Algorithm::Ed25519 => KeyError::Invalid,
        Some(usual) => KeyError::OtherKind(usual),
        None if kind(bytes).is_some() => KeyError::Unsupported,
        None => KeyError::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use base64::engine::general_purpose::STANDARD;

    fn pem(label: &str, bytes: &[u8]) -> String {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(bytes))
    }

    #[test]
    fn a_private_key_says_what_it_signs_with_and_what_is_none_what_it_is() {
        let random = SystemRandom::new();
        let curve = |kind| EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        let rsa = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let rsa: Pkcs8V1Der<'_> = rsa.as_der().unwrap();
        let edwards = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let keys = [
            (rsa.as_ref(), Algorithm::Rs256, Algorithm::Es256),
            (curve(&ECDSA_P256_SHA256_FIXED_SIGNING).as_ref(), Algorithm::Es256, Algorithm::Rs256),
            (curve(&ECDSA_P384_SHA384_FIXED_SIGNING).as_ref(), Algorithm::Es384, Algorithm::Es256),
            (curve(&ECDSA_P521_SHA512_FIXED_SIGNING).as_ref(), Algorithm::Es512, Algorithm::EdDsa),
            (edwards.as_ref(), Algorithm::EdDsa, Algorithm::Ps512),
        ]
        .map(|(bytes, usual, other)| (pem("PRIVATE KEY", bytes), usual, other));
        for (text, usual, other) in &keys {
            assert_eq!(SigningKey::usual_algorithm(text), Ok(*usual));
            assert!(SigningKey::pem(text, *usual).is_ok(), "{usual}");
            assert_eq!(SigningKey::pem(text, *other).err(), Some(KeyError::OtherKind(usual.name())));
        }
        assert!(SigningKey::pem(&keys[0].0, Algorithm::Ps384).is_ok());
        for (label, why) in [
            ("EC PRIVATE KEY", KeyError::NotPkcs8("SEC1")),
            ("EC PARAMETERS", KeyError::NotPkcs8("SEC1")),
            ("RSA PRIVATE KEY", KeyError::NotPkcs8("PKCS#1")),
            ("ENCRYPTED PRIVATE KEY", KeyError::Encrypted),
            ("PUBLIC KEY", KeyError::Public),
            ("RSA PUBLIC KEY", KeyError::Public),
            ("CERTIFICATE", KeyError::Public),
            ("OPENSSH PRIVATE KEY", KeyError::NoPrivatePem),
        ] {
            let text = pem(label, b"whatever");
            assert_eq!(SigningKey::pem(&text, Algorithm::Es256).err(), Some(why), "{label}");
            assert_eq!(SigningKey::usual_algorithm(&text), Err(why), "{label}");
        }
        assert_eq!(SigningKey::pem("a secret", Algorithm::Es256).err(), Some(KeyError::NoPrivatePem));
        let junk = pem("PRIVATE KEY", b"whatever");
        assert_eq!(SigningKey::pem(&junk, Algorithm::Es256).err(), Some(KeyError::Invalid));
        assert_eq!(SigningKey::usual_algorithm(&junk), Err(KeyError::Unsupported));
    }
}
