//! The public key of an X.509 certificate. Only where the certificate itself is configured: nothing of its
//! signature, names or validity is looked at.

use super::der;

/// The `SubjectPublicKeyInfo` of a certificate in DER (RFC 5280 section 4.1).
#[must_use]
pub fn public_key_of_certificate(certificate: &[u8]) -> Option<&[u8]> {
    let inner = der::only(certificate, der::SEQUENCE)?;
    let signed = der::expect(inner, der::SEQUENCE)?.content;
    let mut rest = signed;
    if let Some(version) = der::expect(rest, der::EXPLICIT_0) {
        rest = version.rest;
    }
    // Serial number, signature algorithm, issuer, validity, subject.
    for tag in [der::INTEGER, der::SEQUENCE, der::SEQUENCE, der::SEQUENCE, der::SEQUENCE] {
        rest = der::expect(rest, tag)?.rest;
    }
    der::expect(rest, der::SEQUENCE).map(|key| key.whole)
}
