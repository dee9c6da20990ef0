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
        let (label, bytes) = pem_block(text)?;
        if label == "PRIVATE KEY" { Self::pkcs8(&bytes, algorithm) } else { Err(KeyError::Pem) }
    }

    /// The same in DER.
    ///
    /// # Errors
    /// As above.
    pub fn pkcs8(bytes: &[u8], algorithm: Algorithm) -> Result<Self, KeyError> {
        let curve = |kind: &'static EcdsaSigningAlgorithm| {
            EcdsaKeyPair::from_pkcs8(kind, bytes).map(Material::Curve).map_err(|_| KeyError::Invalid)
        };
        let rsa = |encoding: &'static dyn RsaEncoding| {
            let pair = RsaKeyPair::from_pkcs8(bytes).map_err(|_| KeyError::Invalid)?;
            Ok(Material::Rsa(pair, encoding))
        };
        let material = match algorithm {
            Algorithm::Es256 => curve(&ECDSA_P256_SHA256_FIXED_SIGNING)?,
            Algorithm::Es384 => curve(&ECDSA_P384_SHA384_FIXED_SIGNING)?,
            Algorithm::Es512 => curve(&ECDSA_P521_SHA512_FIXED_SIGNING)?,
            Algorithm::EdDsa | Algorithm::Ed25519 | Algorithm::Ed448 if is_ed448(bytes) => {
                return Err(KeyError::Ed448);
            }
            Algorithm::EdDsa | Algorithm::Ed25519 => Material::Edwards(
                Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes).map_err(|_| KeyError::Invalid)?,
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

/// Whether the PKCS#8 has a private key of Ed448 (RFC 8410 section 7).
fn is_ed448(bytes: &[u8]) -> bool {
    let identifier = || {
        let inner = der::expect(bytes, der::SEQUENCE)?.content;
        let algorithm = der::expect(der::expect(inner, der::INTEGER)?.rest, der::SEQUENCE)?;
        Some(der::expect(algorithm.content, der::OBJECT_IDENTIFIER)?.content)
    };
    identifier() == Some(&[0x2b, 0x65, 0x71])
}
