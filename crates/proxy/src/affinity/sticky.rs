//! Cookies that make a client stay with its endpoint: the endpoint's identity, signed.
//!
//! The value is the base64 (URL alphabet) of the identity's eight bytes and the first sixteen of its
//! HMAC-SHA-256 together with the service's name. It tells a client nothing but that two of its answers came
//! from the same endpoint, and a client cannot make one for another endpoint or service.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::sync::Arc;
use torana_http::{Fields, cookie};
use torana_types::Secret;

/// How clients of a service stay with their endpoints.
#[derive(Debug)]
pub struct Sticky {
    cookie: String,
    secret: Secret,
    service: Arc<str>,
    /// What follows the value in `Set-Cookie`.
    attributes: String,
}

impl Sticky {
    /// Cookies of this name for this service. `attributes` are appended to the value as they are.
    #[must_use]
    pub const fn new(cookie: String, secret: Secret, service: Arc<str>, attributes: String) -> Self {
        Self { cookie, secret, service, attributes }
    }

    /// The identity of the endpoint that the client has had, if its cookie is ours.
    pub(crate) fn read(&self, fields: &Fields) -> Option<u64> {
        let value = cookie::values(fields, self.cookie.as_bytes()).next()?;
        let bytes = URL_SAFE_NO_PAD.decode(value).ok()?;
        let (identity, signature) = bytes.split_first_chunk::<8>()?;
        verify_slices_are_equal(self.sign(identity).as_ref(), signature).ok()?;
        Some(u64::from_be_bytes(*identity))
    }

    /// The value of a `Set-Cookie` field for an endpoint.
    pub(crate) fn write(&self, identity: u64) -> String {
        let identity = identity.to_be_bytes();
        let bytes = [&identity[..], &self.sign(&identity)].concat();
        format!("{}={}{}", self.cookie, URL_SAFE_NO_PAD.encode(bytes), self.attributes)
    }

    /// The first half of the whole signature.
    fn sign(&self, identity: &[u8; 8]) -> [u8; 16] {
        let key = Key::new(HMAC_SHA256, self.secret.expose().as_bytes());
        let whole = sign(&key, &[self.service.as_bytes(), &[0], identity].concat());
        whole.as_ref().first_chunk().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use torana_http::Known;

    fn sticky(service: &str) -> Sticky {
        Sticky::new(
            "node".into(),
            Secret::new("a secret of at least 32 bytes, yes"),
            service.into(),
            "; Path=/".into(),
        )
    }

    fn with(cookie: &str) -> Fields {
        let mut fields = Fields::default();
        fields.insert(Known::Cookie, cookie.as_bytes()).unwrap();
        fields
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_and_nothing_that_was_changed(identity in any::<u64>(), place in 0_usize..31) {
            let set = sticky("a").write(identity);
            let cookie = set.strip_suffix("; Path=/").unwrap();
            prop_assert_eq!(sticky("a").read(&with(cookie)), Some(identity));
            prop_assert_eq!(sticky("b").read(&with(cookie)), None);
            let mut changed = cookie.as_bytes().to_vec();
            let place = "node=".len() + place;
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            prop_assert_eq!(sticky("a").read(&with(std::str::from_utf8(&changed).unwrap())), None);
        }

        #[test]
        fn nothing_a_client_makes_up_is_believed(text in "[ -~]{0,60}") {
            prop_assert_eq!(sticky("a").read(&with(&format!("node={text}"))), None);
        }
    }
}
