#![no_main]
#![allow(dead_code)]

#[path = "../../crates/http/tests/fuzzed/hyper_reads.rs"]
mod hyper_reads;
#[path = "../../crates/http/tests/fuzzed/split.rs"]
mod split;
#[path = "../../crates/http/tests/fuzzed/response.rs"]
mod response;

libfuzzer_sys::fuzz_target!(|data: &[u8]| response::check(data));
