//! AWS Signature Version 4, verified: in `Authorization` or in the query, over whole, unsigned or chunked bodies.
//!
//! After "Authenticating Requests (AWS Signature Version 4)" in the S3 API reference and "Create a signed AWS API
//! request" in the IAM user guide. Stricter where those let a signer choose: `host` and every `x-amz-` field that
//! the request has are signed; nothing that names the signature is repeated; broken percent-encoding is refused.
//!
//! Not here: Signature Version 4A, chunks with trailers, POST policies of S3.

mod canonical;
mod chunks;
mod claim;
mod parameters;
mod time;

pub use canonical::PathForm;
pub use chunks::decode as decode_chunks;
pub use claim::{Claim, Payload, Scope, SigningKey};
pub use parameters::is_signed;
pub use time::Timestamp;

pub use crate::request::{Refusal, SignedRequest};

/// The name of the algorithm, and of the scheme in `Authorization`.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Lower-case hexadecimal digits.
fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 32 bytes from 64 lower-case hexadecimal digits.
fn from_hexadecimal(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' | b'a'..=b'f' => {
            char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
        }
        _ => None,
    };
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = (digit(high)? << 4) | digit(low)?;
    }
    Some(bytes)
}
