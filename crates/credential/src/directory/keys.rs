//! Keys, each found by its print in one look-up however many there are.
//!
//! A key is kept as its print alone: SipHash-2-4 of 128 bits under a secret of this process. That is a function whose
//! values nobody can tell from random ones without the secret, so it says where in the table to look, which nobody can
//! choose, and which key it is: who does not know a key meets one of a million with a chance of 2^-108 a try. Prints
//! are compared in constant time. They mean nothing to another process. Who can read the memory of this one, its
//! secret included, could make a text with a known print; requests with their keys lie in that memory too.
//!
//! What a key is called where it has no name does not depend on the process, so that the logs of several gateways
//! agree: it is the beginning of the key's SHA-256.

use super::{Duplicate, identity, short_name};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use hashbrown::HashTable;
use siphasher::sip128::SipHasher24;
use std::sync::{Arc, LazyLock};
use torana_identity::{Consumer, CredentialKind, Identity};

/// What a key is known by in this process.
#[derive(Clone, Copy, Debug)]
pub struct KeyPrint([u8; 16]);

static PRINTS: LazyLock<SipHasher24> = LazyLock::new(|| {
    let mut secret = [0; 16];
    rand::fill(&mut secret).expect("the system gives random bytes, without which there is no TLS either");
    SipHasher24::new_with_key(&secret)
});

impl KeyPrint {
    /// The print of a key.
    #[must_use]
    pub fn of(key: &[u8]) -> Self {
        Self(PRINTS.hash(key).as_bytes())
    }

    /// Its bytes, good as random to who does not know the secret.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Half of it, of which the place of the key says nothing.
    #[must_use]
    pub const fn half(&self) -> u64 {
        let [_, _, _, _, _, _, _, _, high @ ..] = self.0;
        u64::from_le_bytes(high)
    }

    const fn place(&self) -> u64 {
        let [low @ .., _, _, _, _, _, _, _, _] = self.0;
        u64::from_le_bytes(low)
    }
}

/// Keys and whose they are.
#[derive(Default)]
pub(super) struct Keys(HashTable<ApiKey>);

/// Half a line of the cache.
#[repr(align(32))]
struct ApiKey {
    print: KeyPrint,
    /// The first second at which it is no longer good, since 1970-01-01 UTC.
    expires: u64,
    identity: Arc<Identity>,
}

const _: () = assert!(size_of::<ApiKey>() == 32);

impl Keys {
    /// Whose key it is, if it is good at `now`, in seconds since 1970-01-01 UTC.
    pub(super) fn find(&self, print: &KeyPrint, now: u64) -> Option<&Arc<Identity>> {
        let same = |entry: &ApiKey| verify_slices_are_equal(&entry.print.0, &print.0).is_ok();
        let found = self.0.find(print.place(), same)?;
        (found.expires > now).then_some(&found.identity)
    }

    pub(super) fn add(
        &mut self,
        key: &[u8],
        expires: u64,
        id: Option<&str>,
        consumer: &Arc<Consumer>,
    ) -> Result<(), Duplicate> {
        let print = KeyPrint::of(key);
        let same = |entry: &ApiKey| entry.print.0 == print.0;
        match self.0.entry(print.place(), same, |entry| entry.print.place()) {
            hashbrown::hash_table::Entry::Occupied(_) => Err(Duplicate("key")),
            hashbrown::hash_table::Entry::Vacant(free) => {
                let name = id.map_or_else(|| short_name(digest(&SHA256, key).as_ref()), Into::into);
                let identity = Arc::new(identity(Some(consumer), CredentialKind::Key, name));
                free.insert(ApiKey { print, expires, identity });
                Ok(())
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
