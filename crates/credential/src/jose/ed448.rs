//! Ed448 (RFC 8032 section 5.2), which the library of the other algorithms does not have.
//!
//! Keys and signatures are public, so that nothing here needs to take the same time for all of them.

/// A point that verifies.
#[derive(Clone, Copy)]
pub(super) struct PublicKey(crrl::ed448::PublicKey);

impl PublicKey {
    /// Reads the 57 bytes of a point. `None` unless they are the one encoding of a point of the curve, and for the four points
    /// of low order: signatures that verify by these need no private key.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        crrl::ed448::PublicKey::decode(bytes).filter(|key| key.point.has_low_order() == 0).map(Self)
    }

    /// Whether the 114 bytes are a signature of the message, without a context. Encodings other than the one, of the point and
    /// of the scalar, are refused, or a signature could be changed into another (RFC 8032 section 8.4).
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify_raw(signature, message)
    }
}
