//! Who is calling, as far as the gateway has verified it.

use serde_json::{Map, Value};

/// A verified caller. Built once per credential and shared by every request that shows it.
#[derive(Debug, Default, PartialEq)]
pub struct Identity {
    /// The consumer that the credential belongs to, for example the `sub` claim. Never empty.
    pub consumer: String,
    /// What the caller is, for authorisation.
    pub roles: Vec<String>,
    /// Everything that the credential claims.
    pub claims: Map<String, Value>,
}

impl Identity {
    /// Whether the caller has this role. Roles are compared byte by byte.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own == role)
    }
}
