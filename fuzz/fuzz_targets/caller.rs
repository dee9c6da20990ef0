#![no_main]
#![allow(dead_code)]

#[path = "../../crates/filters/tests/fuzzed/caller.rs"]
mod caller;

libfuzzer_sys::fuzz_target!(|data: &[u8]| caller::check(data));
