//! Passwords, as they are kept: by a hash that is slow on purpose, or by Kong's.

use argon2::{Argon2, PasswordHash, PasswordVerifier};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Digest, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use std::fmt;

/// Why a hash of a password cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Neither Argon2 in PHC form nor bcrypt.
    #[error("it is neither an Argon2 hash (`$argon2id$…`) nor a bcrypt hash (`$2b$…`)")]
    Form,
    /// Verifying would take too much memory or time: anybody could cause it.
    #[error("its parameters ask for more than 256 MiB, 16 rounds or bcrypt cost 14")]
    TooCostly,
    /// Not 40 hexadecimal digits.
    #[error("it is not a SHA-1 in hexadecimal")]
    Sha1,
    /// An empty password would let everybody in.
    #[error("the password is empty")]
    Empty,
}

/// What verifies a password.
#[derive(Clone, PartialEq, Eq)]
pub enum Password {
    /// Argon2 in PHC form, or bcrypt: verifying takes milliseconds.
    Slow(Box<str>),
    /// Kong's: SHA-1 over the password and the consumer's identifier. Fast to guess once it is stolen.
    Kong {
        /// The hash.
        sha1: [u8; 20],
        /// The consumer's identifier.
        consumer_id: Box<str>,
    },
    /// SHA-256 of a password that stands in the configuration as it is.
    Plain([u8; 32]),
}

impl Password {
    /// A hash in PHC form or bcrypt's.
    ///
    /// # Errors
    /// It is neither, or too costly to verify.
    pub fn hash(text: &str) -> Result<Self, PasswordError> {
        if text.starts_with("$2") {
            let mut parts = text.split('$').skip(2);
            let cost = parts.next().and_then(|cost| cost.parse::<u32>().ok()).ok_or(PasswordError::Form)?;
            if text.len() != 60 {
                return Err(PasswordError::Form);
            }
            return if cost > 14 { Err(PasswordError::TooCostly) } else { Ok(Self::Slow(text.into())) };
        }
        let parsed = PasswordHash::new(text).map_err(|_| PasswordError::Form)?;
        if !parsed.algorithm.as_str().starts_with("argon2") || parsed.hash.is_none() {
            return Err(PasswordError::Form);
        }
        let number = |name: &str| parsed.params.get_decimal(name).unwrap_or(0);
        if number("m") > 256 * 1024 || number("t") > 16 {
            return Err(PasswordError::TooCostly);
        }
        Ok(Self::Slow(text.into()))
    }

    /// Kong's hash in hexadecimal.
    ///
    /// # Errors
    /// It is none.
    pub fn kong(hexadecimal: &str, consumer_id: &str) -> Result<Self, PasswordError> {
        let mut sha1 = [0; 20];
        if hexadecimal.len() != 40 || !hexadecimal.is_ascii() {
            return Err(PasswordError::Sha1);
        }
        for (place, byte) in sha1.iter_mut().enumerate() {
            let start = place.saturating_mul(2);
            let digits = hexadecimal.get(start..start.saturating_add(2)).ok_or(PasswordError::Sha1)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| PasswordError::Sha1)?;
        }
        Ok(Self::Kong { sha1, consumer_id: consumer_id.into() })
    }

    /// A password as it is.
    ///
    /// # Errors
    /// It is empty.
    pub fn plain(text: &str) -> Result<Self, PasswordError> {
        if text.is_empty() {
            return Err(PasswordError::Empty);
        }
        let mut kept = [0; 32];
        kept.iter_mut().zip(digest(&SHA256, text.as_bytes()).as_ref()).for_each(|(to, from)| *to = *from);
        Ok(Self::Plain(kept))
    }

    /// About how long verifying takes, in tenths of a microsecond on a common processor; 0 for what is fast. Only
    /// comparisons mean anything.
    #[must_use]
    pub fn cost(&self) -> u64 {
        let Self::Slow(hash) = self else { return 0 };
        if hash.starts_with("$2") {
            let cost = hash.split('$').nth(2).and_then(|cost| cost.parse::<u32>().ok()).unwrap_or(0);
            return 550_u64.checked_shl(cost).unwrap_or(u64::MAX);
        }
        let number = |name: &str| {
            PasswordHash::new(hash).ok().and_then(|hash| hash.params.get_decimal(name)).map_or(1, u64::from)
        };
        number("m").saturating_mul(number("t")).saturating_mul(6)
    }

    /// Whether verifying takes so long that it must not hold up other requests.
    #[must_use]
    pub const fn is_costly(&self) -> bool {
        matches!(self, Self::Slow(_))
    }

    /// Whether this is the password. What is compared are digests, in constant time.
    #[must_use]
    pub fn verifies(&self, password: &[u8]) -> bool {
        let same = |own: &[u8], shown: Digest| verify_slices_are_equal(own, shown.as_ref()).is_ok();
        match self {
            Self::Slow(hash) if hash.starts_with("$2") => bcrypt::verify(password, hash).unwrap_or(false),
            Self::Slow(hash) => PasswordHash::new(hash)
                .is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok()),
            Self::Kong { sha1, consumer_id } => {
                same(sha1, digest(&SHA1_FOR_LEGACY_USE_ONLY, &[password, consumer_id.as_bytes()].concat()))
            }
            Self::Plain(kept) => same(kept, digest(&SHA256, password)),
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(***)")
    }
}
