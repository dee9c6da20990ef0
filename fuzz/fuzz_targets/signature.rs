#![no_main]
#![allow(dead_code)]

#[path = "../../crates/credential/tests/fuzzed/request.rs"]
mod request;
#[path = "../../crates/credential/tests/fuzzed/signature.rs"]
mod signature;

libfuzzer_sys::fuzz_target!(|data: &[u8]| signature::check(data));
