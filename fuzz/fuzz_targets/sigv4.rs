#![no_main]
#![allow(dead_code)]

#[path = "../../crates/credential/tests/fuzzed/request.rs"]
mod request;
#[path = "../../crates/credential/tests/fuzzed/sigv4.rs"]
mod sigv4;

libfuzzer_sys::fuzz_target!(|data: &[u8]| sigv4::check(data));
