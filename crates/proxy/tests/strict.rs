//! What a client may send, and what it may not, judged by what the origin received.
//!
//! Every input is sent whole and byte by byte, and must meet the same verdict. After each, plain requests on
//! fresh connections must get their own answers: whatever an input has left behind on a kept-alive connection
//! would show there.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    unreachable_pub,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

#[path = "strict/chunks.rs"]
mod chunks;
#[path = "strict/fields.rs"]
mod fields;
#[path = "strict/framing.rs"]
mod framing;
#[path = "strict/hosts.rs"]
mod hosts;
#[path = "strict/judge.rs"]
mod judge;
#[path = "strict/limits.rs"]
mod limits;
#[path = "strict/lines.rs"]
mod lines;
#[path = "strict/sequences.rs"]
mod sequences;
