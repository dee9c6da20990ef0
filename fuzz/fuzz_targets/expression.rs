#![no_main]
#![allow(dead_code)]

#[path = "../../crates/expression/tests/fuzzed/expression.rs"]
mod expression;
#[path = "../../crates/expression/tests/support/request.rs"]
mod request;

libfuzzer_sys::fuzz_target!(|data: &[u8]| expression::check(data));
