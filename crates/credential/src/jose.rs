//! JSON Object Signing, as far as a gateway that verifies needs it: the compact serialisation of JWS
//! (RFC 7515), keys (RFC 7517, RFC 7518, RFC 8037) and key sets.
//!
//! Strict by design. A token is three parts of canonical base64url without padding; its header and its
//! claims are objects without repeated names at any depth; extensions that must be understood (`crit`,
//! `b64`) are refused, because none is. A key knows the algorithms that it is used with; what the token says
//! of its algorithm only chooses among those. Keys inside tokens (`jwk`, `x5c`, `jku`) are not looked at.

mod algorithm;
mod base64url;
mod certificate;
mod der;
mod ed448;
mod header;
mod json;
mod jwk;
mod key;
mod key_set;
mod roca;
mod sign;
mod token;

pub use algorithm::Algorithm;
pub use certificate::public_key_of_certificate;
pub use header::Headers;
pub use json::strict_object;
pub use key::{KeyError, VerifyingKey};
pub use key_set::{KeySet, KeySetError, LeftOut, Select};
pub use sign::SigningKey;
pub use token::{LONGEST, Malformed, Token};
