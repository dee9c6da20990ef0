#![no_main]

#[path = "../../crates/http/tests/fuzzed/sealing.rs"]
mod sealing;

libfuzzer_sys::fuzz_target!(|data: &[u8]| sealing::check(data));
