//! Who is calling, as far as the gateway has verified it.

use crate::{Claims, Consumer, Credential, Json, Told};
use std::sync::Arc;

/// A verified caller. Built once per credential and shared by every request that shows it.
#[derive(Debug, Default, PartialEq)]
pub struct Identity {
    /// Who it is, in one text: the consumer's name, or what the credential says, for example the `sub`
    /// claim. Never empty, so that limits and logs can always count by it.
    pub consumer: String,
    /// What the configuration knows of it; nothing where a credential alone says who calls.
    pub record: Option<Arc<Consumer>>,
    /// By what it was recognised; nothing for the anonymous consumer.
    pub credential: Option<Credential>,
    /// Whether no credential was accepted and the configured stand-in is meant.
    pub anonymous: bool,
    /// What the caller is, for authorisation.
    pub roles: Vec<String>,
    /// Groups that the credential itself vouches for, besides those of the consumer.
    pub authenticated_groups: Vec<String>,
    /// Whether the credential says more of roles than what is in `roles`, in a form in which nothing is a role. Who asks that
    /// a caller does not have one cannot know.
    pub unread_roles: bool,
    /// As `unread_roles`, of the groups that it vouches for.
    pub unread_groups: bool,
    /// Everything that the credential claims.
    pub claims: Claims,
    /// What services are told, if it was made by [`of_consumer`](Self::of_consumer).
    pub told: Option<Told>,
}

impl Identity {
    /// A consumer that was recognised by a credential of its own.
    #[must_use]
    pub fn of_consumer(record: &Arc<Consumer>, credential: Credential) -> Self {
        Self {
            told: Told::new(record, &credential),
            consumer: record.name().to_owned(),
            record: Some(Arc::clone(record)),
            credential: Some(credential),
            ..Self::default()
        }
    }

    /// What services are told of a consumer: its identifier, custom identifier and user name, and what its
    /// credential is called.
    #[must_use]
    pub fn told(&self) -> Option<[Option<&[u8]>; 4]> {
        if let (Some(told), false) = (&self.told, self.anonymous) {
            return Some(told.texts());
        }
        let record = self.record.as_ref()?;
        let credential = self.credential.as_ref().filter(|_| !self.anonymous);
        let texts = [
            Some(&*record.id),
            record.custom_id.as_deref(),
            record.username.as_deref(),
            credential.map(|credential| &*credential.id),
        ];
        Some(texts.map(|text| text.map(str::as_bytes)))
    }

    /// Reads from each line of memory that telling a service of the caller needs, so that the processor fetches them
    /// side by side. To be done before anything that it holds all reading up for, as raising the count of an `Arc`.
    pub fn fetch(&self) {
        std::hint::black_box((self.anonymous, self.told.as_ref().map(Told::ends)));
    }

    /// Whether the caller has this role. Roles are compared byte by byte.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own == role)
    }

    /// Every group of the caller: those of the consumer first, then those that the credential vouches for.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        let recorded = self.record.iter().flat_map(|record| record.groups.iter().map(|group| &**group));
        recorded.chain(self.authenticated_groups.iter().map(String::as_str))
    }

    /// Whether the caller belongs to this group. Groups are compared byte by byte.
    #[must_use]
    pub fn in_group(&self, group: &str) -> bool {
        self.groups().any(|own| own == group)
    }

    /// See [`Claims::find`].
    #[must_use]
    pub fn claim(&self, path: &str) -> Option<Json<'_>> {
        self.claims.find(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_come_from_consumer_and_credential() {
        let record = Consumer { id: "1".into(), groups: ["gold".into()].into(), ..Consumer::default() };
        let identity = Identity {
            record: Some(Arc::new(record)),
            authenticated_groups: vec!["staff".into()],
            ..Identity::default()
        };
        assert_eq!(identity.groups().collect::<Vec<_>>(), ["gold", "staff"]);
        assert!(identity.in_group("staff") && identity.in_group("gold") && !identity.in_group("Gold"));
    }

    #[test]
    fn a_consumer_is_called_by_the_best_name_it_has() {
        let mut consumer = Consumer { id: "1".into(), ..Consumer::default() };
        assert_eq!(consumer.name(), "1");
        consumer.custom_id = Some("c".into());
        assert_eq!(consumer.name(), "c");
        consumer.username = Some("u".into());
        assert_eq!(consumer.name(), "u");
    }
}
