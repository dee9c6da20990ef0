//! Callers that sign their requests: each signature is another one.

use crate::case::{Case, NOW, Named, request};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::time::{Duration, UNIX_EPOCH};

const REQUESTS: usize = 4_096;
/// SHA-256 of nothing.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

pub fn cases() -> impl Iterator<Item = Named> {
    let named: [Named; 2] =
        [("hmac_auth, a signature each", Box::new(hmac_auth)), ("sigv4, a signature each", Box::new(sigv4))];
    named.into_iter()
}

fn with(name: &str, consumer: &str, policy: &str, one: impl Fn(usize) -> String) -> Case {
    let text = format!("consumers: [{{ username: alice, {consumer} }}]\npolicies: {{ {policy} }}\n");
    let heads: Vec<String> = (0..REQUESTS).map(one).collect();
    Case::from(name, &text, &torana_config::FixedResolver::default())
        .heads(move |number| heads[number % heads.len()].clone())
        // No body came, and it was read.
        .known(|exchange| exchange.body = Some(bytes::Bytes::new()))
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec()
}

fn hmac_auth() -> Case {
    let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(NOW));
    let one = move |number: usize| {
        let line = format!("GET /api/orders/{number}");
        let signature =
            mac(b"alice-secret", format!("date: {date}\n{line} HTTP/1.1\nhost: api.example.com").as_bytes());
        let shown = format!(
            "Date: {date}\nAuthorization: hmac username=\"alice\", algorithm=\"hmac-sha256\", headers=\"date request-line host\", signature=\"{}\"",
            STANDARD.encode(signature)
        );
        request(&line, &shown)
    };
    with(
        "hmac_auth, a signature each",
        "hmac: [{ username: alice, secret: alice-secret }]",
        "hmac_auth: {}",
        one,
    )
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sigv4() -> Case {
    // 2027-01-15T08:00:00Z is `NOW`.
    let (day, time) = ("20270115", "20270115T080000Z");
    let scope = format!("{day}/eu-west-1/execute-api/aws4_request");
    let mut key = b"AWS4alice-secret".to_vec();
    for part in scope.split('/') {
        key = mac(&key, part.as_bytes());
    }
    let names = "host;x-amz-content-sha256;x-amz-date";
    let one = move |number: usize| {
        let path = format!("/api/orders/{number}");
        let canonical = format!(
            "GET\n{path}\n\nhost:api.example.com\nx-amz-content-sha256:{EMPTY}\nx-amz-date:{time}\n\n{names}\n{EMPTY}"
        );
        let hash = hexadecimal(digest(&SHA256, canonical.as_bytes()).as_ref());
        let signature =
            hexadecimal(&mac(&key, format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{hash}").as_bytes()));
        let shown = format!(
            "X-Amz-Date: {time}\nX-Amz-Content-Sha256: {EMPTY}\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIDALICE/{scope}, SignedHeaders={names}, Signature={signature}"
        );
        request(&format!("GET {path}"), &shown)
    };
    with(
        "sigv4, a signature each",
        "sigv4: [{ access_key_id: AKIDALICE, secret_access_key: alice-secret }]",
        "sigv4: { regions: [eu-west-1], services: [execute-api] }",
        one,
    )
}
