//! What the tests of authorisation and of the edge share: tokens and requests to a gateway in process.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "shared by test binaries that use parts of it"
)]

use crate::yaml::{self, Running};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use hmac::Mac;
use torana_testkit::Response;

/// A token with these claims, signed with the secret of the tests. It ends one day, unless it says when.
pub fn token(claims: &str) -> String {
    let open = claims.strip_suffix('}').filter(|_| !claims.contains("\"exp\""));
    exactly(&open.map_or_else(|| claims.to_owned(), |open| format!("{open},\"exp\":9999999999}}")))
}

/// A token with these claims and no other.
pub fn exactly(claims: &str) -> String {
    let signed = format!("{}.{}", BASE64.encode(r#"{"alg":"HS256","typ":"JWT"}"#), BASE64.encode(claims));
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(yaml::SECRET.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", BASE64.encode(mac.finalize().into_bytes()))
}

/// Sends a request with a token for these claims.
pub fn as_caller(gateway: &Running, claims: &str, line: &str) -> Response {
    let token = token(claims);
    gateway.ask(&format!("{line} HTTP/1.1\nHost: api.test\nAuthorization: Bearer {token}"))
}
