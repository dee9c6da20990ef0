//! What the configuration knows about a caller.

use serde_json::{Map, Value};
use std::sync::Arc;

/// A consumer of the services behind the gateway. Shared by all its credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consumer {
    /// Unique and stable; never empty.
    pub id: Box<str>,
    /// The name people know it by; unique where it is given.
    pub username: Option<Box<str>>,
    /// Its identifier in another system; unique where it is given.
    pub custom_id: Option<Box<str>>,
    /// The groups it belongs to, in the order they were written; each text is shared by all its members.
    pub groups: Box<[Arc<str>]>,
    /// Labels without a meaning to the gateway.
    pub tags: Box<[Arc<str>]>,
    /// Whatever else is known of it, for expressions.
    pub metadata: Option<Box<Map<String, Value>>>,
}

impl Consumer {
    /// What logs and limits call it: its username, else its custom identifier, else its identifier.
    #[must_use]
    pub fn name(&self) -> &str {
        self.username.as_deref().or(self.custom_id.as_deref()).unwrap_or(&self.id)
    }
}
