//! What became of a request that is let in or refused.
#![allow(missing_docs, unreachable_pub, reason = "shared by test binaries")]

use torana_testkit::{Origin, Response};

/// Asks, and holds the answer against the status: what is not 200 has not arrived, and nothing of what is hidden is
/// told, whatever the answer.
#[track_caller]
pub fn judged(
    origin: &Origin,
    name: &str,
    status: u16,
    hidden: &[&str],
    ask: impl FnOnce() -> Response,
) -> Response {
    let before = origin.count();
    let answer = ask();
    let text = answer.text();
    assert_eq!(answer.status, status, "{name}: {text}");
    assert_eq!(origin.count() - before, usize::from(status == 200), "{name}");
    assert!(hidden.iter().all(|word| !text.contains(word)), "{name}: {text}");
    answer
}
