//! A body in signed chunks: verified whole, then handed on as the body that it carries.

use bytes::Bytes;
use torana_credential::sigv4::{Claim, Refusal, SignedRequest, SigningKey, decode_chunks};
use torana_fault::Fault;
use torana_filter::Exchange;

const LENGTH: &str = "X-Amz-Decoded-Content-Length";

/// The body without its chunks.
///
/// # Errors
/// A chunk is not good, or the body not as long as the request says.
pub(super) fn decode(
    request: &SignedRequest<'_>,
    exchange: &Exchange,
    key: &SigningKey,
    claim: &Claim,
) -> Result<Vec<u8>, Refusal> {
    let body = exchange.body.as_deref().ok_or(Refusal::Invalid("the body was not read"))?;
    let decoded = decode_chunks(body, key, claim)?;
    let told = request.single(LENGTH).and_then(|text| std::str::from_utf8(text).ok()?.parse::<usize>().ok());
    if told == Some(decoded.len()) {
        Ok(decoded)
    } else {
        Err(Refusal::Invalid("the body is not as long as the request says"))
    }
}

/// Puts the body in the place of its chunks, and takes away what describes them.
///
/// # Errors
/// None that a field which was received can cause.
pub(super) fn replace(exchange: &mut Exchange, decoded: Vec<u8>) -> Result<(), Fault> {
    exchange.body = Some(Bytes::from(decoded));
    let fields = &mut exchange.request.fields;
    fields.remove(LENGTH);
    // It says that the body is in chunks.
    fields.remove("X-Amz-Content-Sha256");
    let lines: Vec<&[u8]> = fields.get_all("Content-Encoding").collect();
    let codings = lines.join(&b","[..]);
    let others: Vec<&[u8]> = codings
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"aws-chunked"))
        .collect();
    let others = others.join(&b", "[..]);
    fields.remove("Content-Encoding");
    if !others.is_empty() {
        fields.insert("Content-Encoding", &others)?;
    }
    Ok(())
}
