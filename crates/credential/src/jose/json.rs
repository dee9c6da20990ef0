//! JSON without repeated names, as values.

use serde_json::{Map, Value};
use torana_identity::Claims;

/// Reads an object strictly; see [`Claims::read`].
#[must_use]
pub fn strict_object(text: &[u8]) -> Option<Map<String, Value>> {
    Some(Claims::read(text.to_vec())?.all().to_map())
}
