//! What services are told of a consumer: the fields that Kong sets.

use torana_filter::Identity;
use torana_http::{Fields, InvalidField, Known, KnownSet};
use torana_plan::reserved::CONSUMER_FIELDS;

/// The fields, by number; in the order in which an identity tells them.
const KNOWN: [Known; 5] = [
    Known::XConsumerId,
    Known::XConsumerCustomId,
    Known::XConsumerUsername,
    Known::XCredentialIdentifier,
    Known::XAnonymousConsumer,
];
const ALL: KnownSet = KnownSet::of(&KNOWN);

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
    let Some([id, custom_id, username, credential]) = identity.told() else { return Ok(()) };
    let anonymous = identity.anonymous.then_some(&b"true"[..]);
    let mut set: [(Known, &[u8]); 5] = KNOWN.map(|name| (name, &[][..]));
    let mut count = 0_usize;
    for (name, value) in KNOWN.into_iter().zip([id, custom_id, username, credential, anonymous]) {
        if let (Some(value), Some(place)) = (value, set.get_mut(count)) {
            *place = (name, value);
            count = count.saturating_add(1);
        }
    }
    fields.replace(ALL, set.get(..count).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_numbers() {
        for (name, known) in CONSUMER_FIELDS.into_iter().zip(KNOWN) {
            assert_eq!(Known::find(name.as_bytes()), Some(known), "{name}");
        }
    }
}
