//! What the fuzzers check, on every input that they found worth keeping (`fuzz/corpus`).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    unreachable_pub,
    reason = "tests fail by panicking"
)]

#[path = "fuzzed/chunked.rs"]
mod chunked;
#[path = "fuzzed/hyper_reads.rs"]
mod hyper_reads;
#[path = "fuzzed/request.rs"]
mod request;
#[path = "fuzzed/response.rs"]
mod response;
#[path = "fuzzed/sealing.rs"]
mod sealing;
#[path = "fuzzed/split.rs"]
mod split;

use torana_testkit::replay;

#[test]
fn requests_that_hyper_refuses_are_refused() {
    replay("request", request::check);
}

#[test]
fn responses_mean_the_same_however_they_are_cut() {
    replay("response", response::check);
}

#[test]
fn chunked_bodies_mean_the_same_however_they_are_cut() {
    replay("chunked", chunked::check);
}

#[test]
fn frames_become_the_same_however_they_are_cut() {
    replay("sealing", sealing::check);
}
