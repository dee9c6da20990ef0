//! What the fuzzers check, on every input that they found worth keeping (`fuzz/corpus`).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    unreachable_pub,
    reason = "tests fail by panicking"
)]

#[path = "fuzzed/request.rs"]
mod request;
#[path = "fuzzed/signature.rs"]
mod signature;
#[path = "fuzzed/sigv4.rs"]
mod sigv4;
#[path = "fuzzed/token.rs"]
mod token;

use torana_testkit::replay;

#[test]
fn no_token_is_accepted_that_was_not_made_by_the_key() {
    replay("token", token::check);
}

#[test]
fn a_signature_covers_what_it_says_and_one_thing_only() {
    replay("signature", signature::check);
}

#[test]
fn canonical_requests_are_canonical_and_chunks_are_held() {
    replay("sigv4", sigv4::check);
}
