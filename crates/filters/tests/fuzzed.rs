//! What the fuzzer checks, on every input that it found worth keeping (`fuzz/corpus`), and on random ones.
#![allow(missing_docs, unreachable_pub, reason = "shared with the fuzz target")]

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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn so_they_are_whatever_is_sent(pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..24)) {
        cookie::check(pieces.concat().as_bytes());
    }
}
