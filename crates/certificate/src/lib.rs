//! Certificates and private keys: reading PEM, describing what was read, finding what is wrong.
//!
//! Everything is bytes in, values out; the clock is passed in. Reading files belongs to the binary, trust
//! decisions at run time to rustls; this crate says in words, before serving, what will go wrong.

#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "tests may overflow loudly"))]

mod authorities;
mod certificate;
mod client;
mod date;
mod distinguished;
mod pair;
mod pem;
mod problem;
mod written_name;

pub use authorities::Authorities;
pub use certificate::{Certificate, Purpose};
pub use client::ClientCertificate;
pub use date::date;
pub use pair::{CertifiedPair, PrivateKey, authorities};
pub use pem::{PemError, certificates, private_key};
pub use problem::Problem;
pub use written_name::{NameProblem, distinguished_name};

#[cfg(test)]
mod tests;
