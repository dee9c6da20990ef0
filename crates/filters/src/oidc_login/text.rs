//! Text in URLs and forms.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt::Write;
use torana_fault::{Fault, Reason};
use torana_types::ResourceUrl;

/// Percent-encodes all but unreserved characters (RFC 3986 section 2.3), which reads the same in a form.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Names and values as a query or a form.
pub(super) fn form<'p>(pairs: impl IntoIterator<Item = (&'p str, &'p str)>) -> String {
    let pair = |(name, value)| format!("{}={}", encoded(name), encoded(value));
    pairs.into_iter().map(pair).collect::<Vec<_>>().join("&")
}

/// A URL with more parameters.
pub(super) fn with_query(url: &ResourceUrl, query: &str) -> String {
    let between = if url.query().is_some() { '&' } else { '?' };
    format!("{url}{between}{query}")
}

/// So many random bytes in base64url.
pub(super) fn random<const BYTES: usize>() -> Result<String, Fault> {
    let mut bytes = [0; BYTES];
    rand::fill(&mut bytes).map_err(|_| Fault::new(Reason::Internal).because("no randomness"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// The challenge of a verifier (RFC 7636 section 4.2).
pub(super) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_could_mean_something_is_encoded() {
        assert_eq!(form([("a b", "c&d=é/?#+%")]), "a%20b=c%26d%3D%C3%A9%2F%3F%23%2B%25");
        let url = |text: &str| text.parse::<ResourceUrl>().unwrap();
        assert_eq!(with_query(&url("https://a.test/x"), "b=1"), "https://a.test/x?b=1");
        assert_eq!(with_query(&url("https://a.test/x?c=2"), "b=1"), "https://a.test/x?c=2&b=1");
    }

    /// RFC 7636 appendix B.
    #[test]
    fn the_challenge_is_that_of_the_standard() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
