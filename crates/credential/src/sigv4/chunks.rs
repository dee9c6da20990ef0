//! Bodies in signed chunks (`STREAMING-AWS4-HMAC-SHA256-PAYLOAD`): `size;chunk-signature=…\r\n data \r\n`, each
//! signature over the one before it, an empty chunk at the end.

use super::claim::{Claim, SigningKey};
use super::hexadecimal;
use crate::request::Refusal;
use aws_lc_rs::digest::{SHA256, digest};

const MALFORMED: Refusal = Refusal::Invalid("the chunks of the body are malformed");
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The body without its chunks, each of which is verified.
///
/// # Errors
/// A chunk is malformed or its signature wrong, something follows the last one, or it is missing.
pub fn decode(body: &[u8], key: &SigningKey, claim: &Claim) -> Result<Vec<u8>, Refusal> {
    let mut decoded = Vec::with_capacity(body.len());
    let mut before = claim.signature().to_owned();
    let mut rest = body;
    loop {
        let (size, signature, after) = chunk_head(rest)?;
        let (data, after) = after.split_at_checked(size).ok_or(MALFORMED)?;
        let hash = hexadecimal(digest(&SHA256, data).as_ref());
        let text = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{before}\n{EMPTY}\n{hash}",
            claim.time.text(),
            claim.scope.text(),
        );
        if !key.verifies(text.as_bytes(), signature) {
            return Err(Refusal::Invalid("the signature of a chunk is wrong"));
        }
        rest = after.strip_prefix(b"\r\n").ok_or(MALFORMED)?;
        if size == 0 {
            return if rest.is_empty() { Ok(decoded) } else { Err(MALFORMED) };
        }
        decoded.extend_from_slice(data);
        signature.clone_into(&mut before);
    }
}

/// Size, signature, and what follows the line.
fn chunk_head(rest: &[u8]) -> Result<(usize, &str, &[u8]), Refusal> {
    let end = memchr::memmem::find(rest.get(..rest.len().min(128)).unwrap_or_default(), b"\r\n");
    let (line, after) = rest.split_at_checked(end.ok_or(MALFORMED)?).ok_or(MALFORMED)?;
    let line = std::str::from_utf8(line).map_err(|_| MALFORMED)?;
    let (size, signature) = line.split_once(";chunk-signature=").ok_or(MALFORMED)?;
    let digits = (1..=8).contains(&size.len()) && size.bytes().all(|byte| byte.is_ascii_hexdigit());
    let size = if digits { usize::from_str_radix(size, 16).ok() } else { None };
    Ok((size.ok_or(MALFORMED)?, signature, after.get(2..).ok_or(MALFORMED)?))
}
