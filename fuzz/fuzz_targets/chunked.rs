#![no_main]
#![allow(dead_code)]

#[path = "../../crates/http/tests/fuzzed/split.rs"]
mod split;
#[path = "../../crates/http/tests/fuzzed/chunked.rs"]
mod chunked;

libfuzzer_sys::fuzz_target!(|data: &[u8]| chunked::check(data));
