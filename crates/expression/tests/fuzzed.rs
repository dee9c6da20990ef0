//! What the fuzzer checks, on every input that it found worth keeping (`fuzz/corpus`).
#![allow(missing_docs, unreachable_pub, reason = "shared with the fuzz target")]

#[path = "fuzzed/expression.rs"]
mod expression;
#[path = "support/request.rs"]
mod request;

#[test]
fn what_was_checked_has_a_value_of_its_kind() {
    torana_testkit::replay("expression", expression::check);
}
