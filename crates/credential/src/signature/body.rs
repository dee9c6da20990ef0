//! What ties a body to a signature: `Content-Digest` (RFC 9530) and the older `Digest` (RFC 3230).

use super::parts;
use crate::request::{Refusal, SignedRequest};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, SHA512, digest as hash};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sfv::{BareItem, ListEntry};

const WRONG: Refusal = Refusal::Invalid("the body is not the one that its digest says");

/// Compares `Content-Digest` with the body; tells whether the field is there. Every digest with SHA-256 or
/// SHA-512 must be right, and there must be one; others are not looked at.
///
/// # Errors
/// It is malformed, or of another body.
pub fn content_digest(request: &SignedRequest<'_>, body: &[u8]) -> Result<bool, Refusal> {
    let Some(text) = parts::combined(request, "content-digest") else { return Ok(false) };
    let mut known = 0_usize;
    for (name, member) in parts::dictionary(&text)? {
        let algorithm = match name.as_str() {
            "sha-256" => &SHA256,
            "sha-512" => &SHA512,
            _ => continue,
        };
        known = known.saturating_add(1);
        let ListEntry::Item(item) = member else { return Err(WRONG) };
        let BareItem::ByteSequence(told) = item.bare_item else { return Err(WRONG) };
        verify_slices_are_equal(hash(algorithm, body).as_ref(), &told).map_err(|_| WRONG)?;
    }
    if known == 0 {
        return Err(Refusal::Invalid("Content-Digest has no digest with SHA-256 or SHA-512"));
    }
    Ok(true)
}

/// Compares `Digest: SHA-256=…` with the body; tells whether the field is there.
///
/// # Errors
/// It is malformed, repeated, of another algorithm or of another body.
pub fn digest(request: &SignedRequest<'_>, body: &[u8]) -> Result<bool, Refusal> {
    let mut values = request.values("digest");
    let Some(value) = values.next() else { return Ok(false) };
    if values.next().is_some() {
        return Err(Refusal::Invalid("the digest of the body is repeated"));
    }
    let (name, told) = value.split_at_checked(8).unwrap_or((value, &[]));
    if !name.eq_ignore_ascii_case(b"sha-256=") {
        return Err(Refusal::Invalid("the digest of the body is not SHA-256"));
    }
    let told = STANDARD.decode(told).map_err(|_| WRONG)?;
    verify_slices_are_equal(hash(&SHA256, body).as_ref(), &told).map_err(|_| WRONG)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static [u8], value: &'static [u8]) -> SignedRequest<'static> {
        SignedRequest { fields: vec![(name, value)], ..SignedRequest::default() }
    }

    #[test]
    fn a_content_digest_is_of_its_body() {
        // RFC 9530 appendices A and B.
        let text = b"sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
        let good = with(b"Content-Digest", text);
        assert_eq!(content_digest(&good, b"{\"hello\": \"world\"}"), Ok(true));
        assert!(content_digest(&good, b"{\"hello\": \"World\"}").is_err());
        assert_eq!(content_digest(&SignedRequest::default(), b"x"), Ok(false));
        for wrong in [
            &b"md5=:AAAA:"[..],
            b"sha-256=1",
            b"sha-256=()",
            b"sha-256=:AAAA:",
            b"",
            b"sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:, sha-512=:AAAA:",
            b"sha-256=:AAAA:, sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
        ] {
            let wrong =
                SignedRequest { fields: vec![(b"Content-Digest", wrong)], ..SignedRequest::default() };
            assert!(content_digest(&wrong, b"{\"hello\": \"world\"}").is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_digest_is_of_its_body() {
        let good = with(b"digest", b"SHA-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=");
        assert_eq!(digest(&good, b"{\"hello\": \"world\"}"), Ok(true));
        assert!(digest(&good, b"").is_err());
        assert!(digest(&with(b"Digest", b"MD5=AAAA"), b"").is_err());
        assert!(digest(&with(b"Digest", b"SHA-256=?"), b"").is_err());
        assert_eq!(digest(&SignedRequest::default(), b""), Ok(false));
    }
}
