//! What the fuzzer checks, on every input that it found worth keeping (`fuzz/corpus`), and on random ones.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    unreachable_pub,
    reason = "shared with the fuzz target, and tests fail by panicking"
)]

#[path = "fuzzed/caller.rs"]
mod caller;
#[path = "fuzzed/cookie.rs"]
mod cookie;

use proptest::prelude::*;

/// Pieces of cookies, those of a login and others.
const PIECES: [&str; 22] = [
    "__Host-s",
    "__Host-s",
    "__Host-s.",
    "__Host-s.1",
    "__Host-sa",
    "a",
    "=",
    "=",
    "=",
    ";",
    ";",
    "; ",
    "1.",
    "2.",
    "6.",
    ".",
    "\"",
    " ",
    ",",
    "\n",
    "\t",
    "\u{e4}",
];

#[test]
fn cookies_are_taken_out_alone_and_kept_whole() {
    torana_testkit::replay("cookie", cookie::check);
}

/// Pieces of requests that say who calls, in every form that is read.
const SHOWN: [&str; 58] = [
    "GET ",
    "POST ",
    "/a",
    "/a/b",
    "?",
    "&",
    ";",
    "apikey",
    "%61pikey",
    "=",
    "token=",
    "x",
    "1",
    "a b",
    " HTTP/1.1",
    "\n",
    "\n",
    "\n",
    "Host: a.test",
    "Authorization: ",
    "Proxy-Authorization: ",
    "Bearer ",
    "bearer\t",
    "Basic ",
    "YWxpY2U6eA==",
    "eyJhbGciOiJIUzI1NiJ9.e30.AAAA",
    "eyJhbGciOiJub25lIn0.e30.",
    "hmac ",
    "username=\"alice\"",
    ", ",
    "algorithm=\"hmac-sha256\"",
    "headers=\"date request-line\"",
    "signature=\"AAAA\"",
    "Date: Tue, 20 Apr 2021 02:07:53 GMT",
    "Signature-Input: s=(\"@method\");created=1618884473;keyid=\"alice\"",
    "Signature: s=:AAAA:",
    "AWS4-HMAC-SHA256 Credential=AKIDALICE/20210420/eu-west-1/execute-api/aws4_request",
    ", SignedHeaders=host;x-amz-date, Signature=",
    "X-Amz-Date: 20210420T020753Z",
    "Cookie: ",
    "apikey=x",
    "; ",
    "token=a.b.c",
    "__Host-torana_session=1.AAAA",
    "Content-Type: application/x-www-form-urlencoded",
    "Content-Type: application/json",
    "Content-Type: multipart/form-data; boundary=b",
    "\n\n",
    "apikey=y",
    "{\"apikey\":\"z\"}",
    "{\"a\":1,\"apikey\":2}",
    "--b\r\nContent-Disposition: form-data; name=\"apikey\"\r\n\r\nk\r\n",
    "--b--\r\n",
    "Sec-Fetch-Mode: navigate",
    "Accept: text/html",
    "Origin: https://app.test",
    "X-HTTP-Method-Override: PUT",
    "code=c&state=s&iss=https%3A%2F%2Flogin.test",
];

#[test]
fn nobody_is_somebody_who_shows_nothing() {
    assert!(caller::is_known_by_key(b"GET /a HTTP/1.1\nHost: a.test"));
    assert!(!caller::is_known_by_key(b"GET /a HTTP/1.1\nHost: a.test\napikey: other"));
    torana_testkit::replay("caller", caller::check);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn nobody_is_whatever_is_sent(
        pieces in prop::collection::vec(prop::sample::select(SHOWN.to_vec()), 0..24),
        whole in any::<bool>(),
    ) {
        let start = if whole { "POST /a HTTP/1.1\nHost: a.test\n" } else { "" };
        caller::check(format!("{start}{}", pieces.concat()).as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn so_they_are_whatever_is_sent(pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..24)) {
        cookie::check(pieces.concat().as_bytes());
    }
}
