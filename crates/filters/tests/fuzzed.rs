//! What the fuzzer checks, on every input that it found worth keeping (`fuzz/corpus`).
#![allow(missing_docs, unreachable_pub, reason = "shared with the fuzz target")]

#[path = "fuzzed/cookie.rs"]
mod cookie;

#[test]
fn cookies_are_taken_out_alone_and_kept_whole() {
    torana_testkit::replay("cookie", cookie::check);
}
