//! What services are told of a consumer: the fields that Kong sets.

use torana_filter::Identity;
use torana_http::{Fields, InvalidField};

/// The fields. No client may send them where consumers are configured.
pub const CONSUMER_FIELDS: [&str; 5] =
    ["X-Consumer-ID", "X-Consumer-Custom-ID", "X-Consumer-Username", "X-Credential-Identifier", ANONYMOUS];

/// Says that nobody was recognised.
pub(super) const ANONYMOUS: &str = "X-Anonymous-Consumer";

/// Removes the fields, but those that somebody else has set.
pub(super) fn clear(fields: &mut Fields, is_others: impl Fn(&str) -> bool) {
    for name in CONSUMER_FIELDS.into_iter().filter(|name| !is_others(name)) {
        fields.remove(name);
    }
}

/// Sets the fields of a consumer that the configuration knows; those that it lacks stay away, as they were
/// removed from what the client sent.
pub(super) fn set(fields: &mut Fields, identity: &Identity) -> Result<(), InvalidField> {
    let Some(record) = &identity.record else { return Ok(()) };
    let [id, custom_id, username, credential, anonymous] = CONSUMER_FIELDS;
    let shown = if identity.anonymous { None } else { identity.credential.as_ref() };
    for (name, value) in [
        (id, Some(&*record.id)),
        (custom_id, record.custom_id.as_deref()),
        (username, record.username.as_deref()),
        (credential, shown.map(|credential| &*credential.id)),
        (anonymous, identity.anonymous.then_some("true")),
    ] {
        match value {
            Some(value) => fields.insert(name, value.as_bytes())?,
            None => {
                fields.remove(name);
            }
        }
    }
    Ok(())
}
