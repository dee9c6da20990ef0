//! Verifying what callers show: pure functions over bytes, with the clock passed in.
//!
//! - [`directory`]: consumers and their credentials, found in constant time.
//! - [`jose`]: JSON Web Signatures, keys and key sets (RFC 7515, 7517, 7518, 8037), read strictly.
//! - [`signature`]: signatures over requests: Kong's `hmac` scheme and RFC 9421.
//! - [`sigv4`]: AWS Signature Version 4.
//! - [`sealed`]: text that only the gateway can make and read.
//!
//! The primitives are those of `aws-lc-rs`; nothing here implements one. Not here: where a credential stands
//! in a request, what a refused caller is told, and anything that waits.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "tests may overflow loudly"))]

pub mod directory;
pub mod jose;
mod request;
pub mod sealed;
pub mod signature;
pub mod sigv4;
