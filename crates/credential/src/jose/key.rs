//! A key that verifies, and the algorithms that it is used with.

use super::algorithm::Algorithm;
use super::certificate::public_key_of_certificate;
use super::der;
use super::ed448;
use super::roca;
use super::token::Token;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// Why a key cannot be used. Says nothing of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// An empty secret would be known to all.
    #[error("the secret is empty")]
    EmptySecret,
    /// RFC 7518 section 3.2.
    #[error("the secret is shorter than its algorithm's hash")]
    ShortSecret,
    /// The text holds no PEM of a public key or certificate.
    #[error("it is not a public key or certificate in PEM")]
    Pem,
    /// A private key stands where a public one belongs.
    #[error("it is a private key; the gateway needs the public one alone")]
    Private,
    /// A key to verify with stands where one to sign with belongs.
    #[error("it is a public key or certificate; the private key signs")]
    Public,
    /// The text holds no PEM of a private key.
    #[error("it is not a private key in PEM")]
    NoPrivatePem,
    /// A private key in the form of its kind alone: SEC1 or PKCS#1.
    #[error("it is a private key in {0}, not in PKCS#8")]
    NotPkcs8(&'static str),
    /// A private key that a password opens.
    #[error("it is a private key under a password")]
    Encrypted,
    /// A private key of another kind or curve than that of the algorithm.
    #[error("it is a key for {0}")]
    OtherKind(&'static str),
    /// A key of a kind or curve that no algorithm here uses.
    #[error("it is a key of a kind that is not supported")]
    Unsupported,
    /// A private key of the curve by which nothing is signed here.
    #[error("it is a private key of the curve Ed448: tokens of it are verified, and none is signed")]
    Ed448,
    /// RFC 7518 section 3.3: at least 2048 bits.
    #[error("the RSA key has fewer than 2048 or more than 8192 bits")]
    RsaSize,
    /// The public exponent is even, one, or longer than 8 bytes.
    #[error("the RSA key's exponent is not usable")]
    RsaExponent,
    /// CVE-2017-15361.
    #[error("the RSA key comes from a broken generator (ROCA) and can be factored")]
    Roca,
    /// The numbers make no key, for example a point that is not on its curve.
    #[error("it is not a valid key")]
    Invalid,
    /// None of the algorithms that are accepted fits the key.
    #[error("none of the accepted algorithms fits the key")]
    NoAlgorithm,
    /// A member of a JWK is missing or has the wrong form.
    #[error("the member `{0}` is missing or has the wrong form")]
    Member(&'static str),
    /// The key says that it is for something else than verifying signatures.
    #[error("the key is not meant for verifying signatures (`use`, `key_ops`)")]
    Use,
}

/// A key with the algorithms that it verifies, at least one.
#[derive(Clone)]
pub struct VerifyingKey {
    id: Option<Box<str>>,
    material: Material,
}

#[derive(Clone)]
enum Material {
    Secret(Vec<(Algorithm, hmac::Key)>),
    Public(Vec<(Algorithm, ParsedPublicKey)>),
    Ed448(Box<ed448::PublicKey>),
}

/// What a key of Ed448 is used with.
const OF_ED448: [Algorithm; 2] = [Algorithm::EdDsa, Algorithm::Ed448];

impl VerifyingKey {
    /// A shared secret. Without `accepted` it is used with HS256. Its length is not judged here.
    ///
    /// # Errors
    /// It is empty, or no algorithm fits.
    pub fn secret(bytes: &[u8], accepted: &[Algorithm]) -> Result<Self, KeyError> {
        if bytes.is_empty() {
            return Err(KeyError::EmptySecret);
        }
        let usable = choose(&[Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512], accepted)?;
        let key = |algorithm: Algorithm| match algorithm {
            Algorithm::Hs384 => hmac::Key::new(hmac::HMAC_SHA384, bytes),
            Algorithm::Hs512 => hmac::Key::new(hmac::HMAC_SHA512, bytes),
            _ => hmac::Key::new(hmac::HMAC_SHA256, bytes),
        };
        let keys = usable.into_iter().map(|algorithm| (algorithm, key(algorithm))).collect();
        Ok(Self { id: None, material: Material::Secret(keys) })
    }

    /// A public key or a certificate in PEM. Without `accepted`, an RSA key is used with RS256, others with
    /// the one algorithm of their curve.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn pem(text: &str, accepted: &[Algorithm]) -> Result<Self, KeyError> {
        let (label, bytes) = pem_block(text)?;
        match label {
            "PUBLIC KEY" => Self::spki(&bytes, accepted),
            "RSA PUBLIC KEY" => Self::rsa(&bytes, accepted),
            "CERTIFICATE" => {
                Self::spki(public_key_of_certificate(&bytes).ok_or(KeyError::Invalid)?, accepted)
            }
            label if label.ends_with("PRIVATE KEY") => Err(KeyError::Private),
            _ => Err(KeyError::Pem),
        }
    }

    /// A `SubjectPublicKeyInfo` (RFC 5280 section 4.1) in DER.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn spki(bytes: &[u8], accepted: &[Algorithm]) -> Result<Self, KeyError> {
        let read = || {
            let inner = der::only(bytes, der::SEQUENCE)?;
            let algorithm = der::expect(inner, der::SEQUENCE)?;
            let identifier = der::expect(algorithm.content, der::OBJECT_IDENTIFIER)?;
            let key = der::only(algorithm.rest, der::BIT_STRING)?;
            Some((identifier.content, identifier.rest, key.strip_prefix(&[0])?))
        };
        let (identifier, parameters, key) = read().ok_or(KeyError::Invalid)?;
        match identifier {
            // rsaEncryption; id-RSASSA-PSS keys are restricted in ways that are not looked at.
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01] => Self::rsa(key, accepted),
            // id-ecPublicKey with a named curve.
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01] => {
                let curve = der::only(parameters, der::OBJECT_IDENTIFIER).ok_or(KeyError::Unsupported)?;
                let algorithm = match curve {
                    [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07] => Algorithm::Es256,
                    [0x2b, 0x81, 0x04, 0x00, 0x22] => Algorithm::Es384,
                    [0x2b, 0x81, 0x04, 0x00, 0x23] => Algorithm::Es512,
                    _ => return Err(KeyError::Unsupported),
                };
                Self::single(algorithm, key, accepted)
            }
            // RFC 8410 section 3.
            [0x2b, 0x65, 0x70] => Self::ed25519(key, accepted),
            [0x2b, 0x65, 0x71] => Self::ed448(key, accepted),
            _ => Err(KeyError::Unsupported),
        }
    }

    /// An `RSAPublicKey` (RFC 8017 appendix A.1.1) in DER.
    pub(super) fn rsa(bytes: &[u8], accepted: &[Algorithm]) -> Result<Self, KeyError> {
        let read = || {
            let modulus = der::expect(der::only(bytes, der::SEQUENCE)?, der::INTEGER)?;
            let exponent = der::only(modulus.rest, der::INTEGER)?;
            Some((der::positive(modulus.content)?, der::positive(exponent)?))
        };
        let (modulus, exponent) = read().ok_or(KeyError::Invalid)?;
        let bits = modulus.len().saturating_mul(8).saturating_sub(
            modulus.first().map_or(0, |first| usize::try_from(first.leading_zeros()).unwrap_or(0)),
        );
        if !(2048..=8192).contains(&bits) {
            return Err(KeyError::RsaSize);
        }
        if exponent.len() > 8 || matches!(exponent, [1]) || exponent.last().is_none_or(|last| last & 1 == 0) {
            return Err(KeyError::RsaExponent);
        }
        if roca::is_weak(modulus) {
            return Err(KeyError::Roca);
        }
        let fitting = [
            Algorithm::Rs256,
            Algorithm::Rs384,
            Algorithm::Rs512,
            Algorithm::Ps256,
            Algorithm::Ps384,
            Algorithm::Ps512,
        ];
        Self::public(&choose(&fitting, accepted)?, bytes)
    }

    /// A point of Ed25519.
    pub(super) fn ed25519(bytes: &[u8], accepted: &[Algorithm]) -> Result<Self, KeyError> {
        edwards(Algorithm::Ed25519, accepted)?;
        Self::public(&[Algorithm::EdDsa, Algorithm::Ed25519], bytes)
    }

    /// A point of Ed448.
    pub(super) fn ed448(bytes: &[u8], accepted: &[Algorithm]) -> Result<Self, KeyError> {
        edwards(Algorithm::Ed448, accepted)?;
        let key = ed448::PublicKey::new(bytes).ok_or(KeyError::Invalid)?;
        Ok(Self { id: None, material: Material::Ed448(Box::new(key)) })
    }

    /// A key that fits one algorithm only: a point of a curve of ECDSA.
    pub(super) fn single(
        algorithm: Algorithm,
        bytes: &[u8],
        accepted: &[Algorithm],
    ) -> Result<Self, KeyError> {
        // Compressed points would be accepted by the library; JOSE and RFC 5480 practice have none.
        if bytes.first() != Some(&4) {
            return Err(KeyError::Invalid);
        }
        Self::public(&choose(&[algorithm], accepted)?, bytes)
    }

    fn public(usable: &[Algorithm], bytes: &[u8]) -> Result<Self, KeyError> {
        let parse = |algorithm: &Algorithm| {
            let parsed = ParsedPublicKey::new(verification(*algorithm).ok_or(KeyError::NoAlgorithm)?, bytes);
            Ok((*algorithm, parsed.map_err(|_| KeyError::Invalid)?))
        };
        let keys = usable.iter().map(parse).collect::<Result<_, _>>()?;
        Ok(Self { id: None, material: Material::Public(keys) })
    }

    /// Names the key.
    #[must_use]
    pub fn with_id(mut self, id: Option<&str>) -> Self {
        self.id = id.map(Into::into);
        self
    }

    /// The name of the key, if it has one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The algorithms that it is used with.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        let (secret, public, ed448) = match &self.material {
            Material::Secret(keys) => (&keys[..], &[][..], &[][..]),
            Material::Public(keys) => (&[][..], &keys[..], &[][..]),
            Material::Ed448(_) => (&[][..], &[][..], &OF_ED448[..]),
        };
        let secret = secret.iter().map(|(algorithm, _)| *algorithm);
        secret.chain(public.iter().map(|(algorithm, _)| *algorithm)).chain(ed448.iter().copied())
    }

    /// Whether signer and verifier share it.
    #[must_use]
    pub const fn is_symmetric(&self) -> bool {
        matches!(self.material, Material::Secret(_))
    }

    /// Whether the token was signed with this key. Secrets are compared in constant time.
    #[must_use]
    pub fn verifies(&self, token: &Token<'_>) -> bool {
        self.verifies_bytes(token.algorithm, token.signed(), token.signature())
    }

    /// Whether the signature over the message is this key's, by an algorithm that it is used with.
    #[must_use]
    pub fn verifies_bytes(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Secret(keys) => {
                find(keys, algorithm).is_some_and(|key| hmac::verify(key, message, signature).is_ok())
            }
            Material::Public(keys) => {
                find(keys, algorithm).is_some_and(|key| key.verify_sig(message, signature).is_ok())
            }
            Material::Ed448(key) => OF_ED448.contains(&algorithm) && key.verifies(message, signature),
        }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithms: Vec<_> = self.algorithms().collect();
        formatter.debug_struct("VerifyingKey").field("id", &self.id).field("algorithms", &algorithms).finish()
    }
}

fn find<K>(keys: &[(Algorithm, K)], algorithm: Algorithm) -> Option<&K> {
    keys.iter().find(|(own, _)| *own == algorithm).map(|(_, key)| key)
}

/// Of what fits the key, what is accepted; the first where nothing is said.
fn choose(fitting: &[Algorithm], accepted: &[Algorithm]) -> Result<Vec<Algorithm>, KeyError> {
    if accepted.is_empty() {
        return fitting.first().map(|first| vec![*first]).ok_or(KeyError::NoAlgorithm);
    }
    let usable: Vec<_> = fitting.iter().copied().filter(|one| accepted.contains(one)).collect();
    if usable.is_empty() { Err(KeyError::NoAlgorithm) } else { Ok(usable) }
}

/// With `EdDSA` and the exact name of its curve a key is used alike, if either is accepted.
fn edwards(curve: Algorithm, accepted: &[Algorithm]) -> Result<(), KeyError> {
    let fits = accepted.is_empty() || accepted.iter().any(|one| one.covers(curve));
    if fits { Ok(()) } else { Err(KeyError::NoAlgorithm) }
}

fn verification(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match algorithm {
        Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
        Algorithm::Es256 => &ECDSA_P256_SHA256_FIXED,
        Algorithm::Es384 => &ECDSA_P384_SHA384_FIXED,
        Algorithm::Es512 => &ECDSA_P521_SHA512_FIXED,
        Algorithm::EdDsa | Algorithm::Ed25519 => &ED25519,
        Algorithm::Ed448 | Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => return None,
    })
}

/// The first block (RFC 7468).
pub(super) fn pem_block(text: &str) -> Result<(&str, Vec<u8>), KeyError> {
    let (_, rest) = text.split_once("-----BEGIN ").ok_or(KeyError::Pem)?;
    let (label, rest) = rest.split_once("-----").ok_or(KeyError::Pem)?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----")).ok_or(KeyError::Pem)?;
    let body: String = body.split_ascii_whitespace().collect();
    Ok((label, STANDARD.decode(body).map_err(|_| KeyError::Pem)?))
}
