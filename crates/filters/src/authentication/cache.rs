//! Credentials that were verified, so that a caller's next request costs one lookup.
//!
//! Only verified credentials enter, so a flood of made-up ones changes nothing. They are found by their last
//! bytes, which for signatures, keys and digests are as good as random, and compared byte by byte. An entry
//! ends with its credential. Callers choose what stands in tokens, so memory is bounded in bytes too: what is heavy
//! is verified each time, and when the others weigh too much together, the oldest go.
//!
//! What is verified about as quickly as it is remembered, as by HMAC, takes another one's place only when it comes for the
//! second time: whoever comes once costs no memory, nor those who come again. (The doorkeeper of Einziger, Friedman and
//! Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", 2017; here without counters behind it.)

use hashbrown::HashTable;
use smallvec::SmallVec;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use torana_fault::Fault;
use torana_filter::Identity;

/// A power of two.
const SHARDS: usize = 16;
/// Entries in a shard.
const ENTRIES: usize = 512;
/// About how many bytes the entries of a shard may weigh: 32 MiB in all shards.
const SHARD_BYTES: usize = 2 << 20;
/// Who came lately, of those that are not remembered, in a shard; a power of two.
const PASSERS_BY: usize = 1024;
/// About how many bytes entries mostly weigh, at least.
const TYPICAL: usize = 1 << 10;
/// About how many bytes one entry may weigh.
const HEAVIEST: usize = 64 << 10;

/// What was verified, by the bytes that were shown.
#[derive(Debug)]
pub(crate) struct Cache<V> {
    shards: Box<[Mutex<Shard<V>>]>,
}

/// About how many bytes of memory something takes, with what belongs to it alone.
pub(crate) trait Weight {
    fn weight(&self) -> usize;
}

/// The entries of a shard, and where each stands by its hash. When they are too many the oldest goes, unless it was
/// asked for since the hand came by: one for one, so that what goes and what comes lie near each other in memory.
#[derive(Debug)]
struct Shard<V> {
    places: HashTable<usize>,
    entries: Vec<Entry<V>>,
    /// Which entry is the next to go.
    hand: usize,
    /// What the entries weigh.
    bytes: usize,
    /// Parts of hashes of what came and found no room, each at the place that another part says.
    passers_by: Vec<u32>,
}

#[derive(Debug)]
struct Entry<V> {
    hash: u64,
    key: Box<[u8]>,
    /// The first second at which it is no longer good, since 1970-01-01 UTC.
    expires: u64,
    weight: usize,
    value: Arc<V>,
    asked_for: bool,
}

impl<V> Default for Cache<V> {
    fn default() -> Self {
        let shard = || {
            Mutex::new(Shard {
                places: HashTable::new(),
                entries: Vec::new(),
                hand: 0,
                bytes: 0,
                passers_by: Vec::new(),
            })
        };
        Self { shards: (0..SHARDS).map(|_| shard()).collect() }
    }
}

impl<V> Shard<V> {
    fn find(&self, hash: u64, key: &[u8]) -> Option<usize> {
        let same = |place: &usize| {
            self.entries.get(*place).is_some_and(|entry| entry.hash == hash && *entry.key == *key)
        };
        self.places.find(hash, same).copied()
    }

    /// Removes an entry; the last one takes its place.
    fn remove(&mut self, place: usize) {
        let Some(hash) = self.entries.get(place).map(|entry| entry.hash) else { return };
        if let Ok(found) = self.places.find_entry(hash, |own| *own == place) {
            found.remove();
        }
        let removed = self.entries.swap_remove(place);
        self.bytes = self.bytes.saturating_sub(removed.weight);
        let last = self.entries.len();
        if let Some(moved) = self.entries.get(place)
            && let Some(own) = self.places.find_mut(moved.hash, |own| *own == last)
        {
            *own = place;
        }
    }

    fn add(&mut self, entry: Entry<V>) {
        self.bytes = self.bytes.saturating_add(entry.weight);
        let (hash, place) = (entry.hash, self.entries.len());
        self.entries.push(entry);
        let entries = &self.entries;
        let hash_of = |place: &usize| entries.get(*place).map_or(0, |entry| entry.hash);
        self.places.insert_unique(hash, place, hash_of);
    }

    fn has_room_for(&self, weight: usize) -> bool {
        self.entries.len() < ENTRIES && self.bytes.saturating_add(weight) <= SHARD_BYTES
    }

    /// Whether it came before, lately; from now on it did. By chance another one's print is taken for its own.
    fn came_before(&mut self, hash: u64) -> bool {
        if self.passers_by.is_empty() {
            self.passers_by.resize(PASSERS_BY, 0);
        }
        let print = u32::try_from(hash >> 32).unwrap_or(0) | 1;
        let place = usize::try_from(hash).unwrap_or(0) & PASSERS_BY.saturating_sub(1);
        self.passers_by.get_mut(place).is_some_and(|place| std::mem::replace(place, print) == print)
    }

    fn make_room_for(&mut self, weight: usize, now: u64) {
        while !self.has_room_for(weight) {
            let Some(entry) = self.entries.get_mut(self.hand) else {
                if self.entries.is_empty() {
                    return;
                }
                self.hand = 0;
                continue;
            };
            if entry.asked_for && entry.expires > now {
                entry.asked_for = false;
            } else {
                self.remove(self.hand);
            }
            self.hand = self.hand.saturating_add(1);
        }
    }
}

impl<V: Weight> Cache<V> {
    /// What is known of these bytes at `now`, in seconds since 1970-01-01 UTC.
    pub(crate) fn get(&self, key: &[u8], now: u64) -> Option<Arc<V>> {
        let hash = hash(key);
        let mut shard = self.shard(hash)?;
        let place = shard.find(hash, key)?;
        let entry = shard.entries.get_mut(place).filter(|entry| entry.expires > now)?;
        entry.asked_for = true;
        Some(Arc::clone(&entry.value))
    }

    /// Remembers what was verified, in place of what was known, unless it is too heavy.
    pub(crate) fn insert(&self, key: &[u8], value: &Arc<V>, expires: u64, now: u64) {
        self.insert_if(key, value, expires, now, |_, _| true);
    }

    /// The same, but where others would have to go only what comes again: for what is verified quickly.
    pub(crate) fn insert_quick(&self, key: &[u8], value: &Arc<V>, expires: u64, now: u64) {
        self.insert_if(key, value, expires, now, |shard, hash| {
            shard.has_room_for(TYPICAL) || shard.came_before(hash)
        });
    }

    fn insert_if(
        &self,
        key: &[u8],
        value: &Arc<V>,
        expires: u64,
        now: u64,
        is_wanted: impl FnOnce(&mut Shard<V>, u64) -> bool,
    ) {
        let hash = hash(key);
        let Some(mut shard) = self.shard(hash) else { return };
        if !is_wanted(&mut shard, hash) {
            return;
        }
        if let Some(known) = shard.find(hash, key) {
            shard.remove(known);
        }
        let weight = size_of::<Entry<V>>().saturating_add(key.len()).saturating_add(value.weight());
        if weight > HEAVIEST {
            return;
        }
        shard.make_room_for(weight, now);
        let (key, value) = (key.into(), Arc::clone(value));
        shard.add(Entry { hash, key, expires, weight, value, asked_for: false });
    }

    fn shard(&self, hash: u64) -> Option<MutexGuard<'_, Shard<V>>> {
        let place = usize::try_from(hash >> 16).unwrap_or(0) & SHARDS.saturating_sub(1);
        Some(self.shards.get(place)?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap().entries.len()).sum()
    }
}

impl Weight for Identity {
    fn weight(&self) -> usize {
        let lists = self.roles.iter().chain(&self.authenticated_groups);
        let lists = lists.map(|text| text.capacity().saturating_add(size_of::<String>())).sum();
        size_of::<Self>()
            .saturating_add(self.consumer.capacity())
            .saturating_add(lists)
            .saturating_add(self.claims.weight())
    }
}

impl Weight for Fault {
    /// The gateway's own words.
    fn weight(&self) -> usize {
        512
    }
}

/// Fields for a service, mostly one; their names are shared by all that is verified.
pub(crate) type SentFields = SmallVec<[(Arc<str>, Vec<u8>); 1]>;

/// What fields for a service weigh.
pub(crate) fn fields_weight(fields: &[(Arc<str>, Vec<u8>)]) -> usize {
    let each = |(name, value): &(Arc<str>, Vec<u8>)| name.len().saturating_add(value.capacity());
    size_of_val(fields).saturating_add(fields.iter().map(each).sum())
}

/// Of a token, the last twelve characters carry 72 bits of the signature.
fn hash(key: &[u8]) -> u64 {
    let (mut word, end) = (0_u64, key.len().saturating_sub(12));
    for byte in key.get(end..).unwrap_or_default() {
        word = word.rotate_left(6) ^ u64::from(*byte);
    }
    word.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

#[cfg(test)]
mod tests {
    use super::*;
    use torana_filter::Claims;

    struct Heavy(usize);

    impl Weight for Heavy {
        fn weight(&self) -> usize {
            self.0
        }
    }

    fn weighed(cache: &Cache<Heavy>) -> usize {
        cache.shards.iter().map(|shard| shard.lock().unwrap().bytes).sum()
    }

    fn key(number: u64) -> [u8; 8] {
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()
    }

    #[test]
    fn an_entry_ends_with_its_credential_and_their_number_is_bounded() {
        let cache = Cache::default();
        let known = |key: &[u8], now| cache.get(key, now).map(|known: Arc<Heavy>| known.0);
        cache.insert(b"token", &Arc::new(Heavy(1)), 10, 0);
        assert_eq!(known(b"token", 9), Some(1));
        assert_eq!(known(b"token", 10), None);
        assert_eq!(known(b"tokem", 9), None);
        cache.insert(b"token", &Arc::new(Heavy(2)), 20, 9);
        assert_eq!(known(b"token", 15), Some(2));
        for number in 0..50_000 {
            cache.insert(&key(number), &Arc::new(Heavy(3)), 99, 20);
        }
        assert!(cache.len() <= SHARDS * ENTRIES);
        assert!(cache.len() > SHARDS * ENTRIES * 9 / 10, "one goes where one comes");
    }

    #[test]
    fn who_keeps_coming_is_remembered_while_others_pass() {
        let cache = Cache::default();
        let busy = |number: u64| key(1_000_000 + number);
        for number in 0..100 {
            cache.insert(&busy(number), &Arc::new(Heavy(3)), 99, 20);
        }
        let mut forgotten = 0;
        for number in 0..50_000 {
            cache.insert(&key(number), &Arc::new(Heavy(3)), 99, 20);
            let known = cache.get(&busy(number % 100), 20).is_some();
            forgotten += u32::from(!known);
            if !known {
                cache.insert(&busy(number % 100), &Arc::new(Heavy(3)), 99, 20);
            }
        }
        assert!(forgotten <= 100, "{forgotten} times");
        for shard in &cache.shards {
            let shard = shard.lock().unwrap();
            let places: std::collections::HashSet<usize> = shard.places.iter().copied().collect();
            assert_eq!((places.len(), shard.places.len()), (shard.entries.len(), shard.entries.len()));
            assert_eq!(shard.bytes, shard.entries.iter().map(|entry| entry.weight).sum::<usize>());
        }
    }

    #[test]
    fn what_is_verified_quickly_takes_a_place_only_when_it_comes_again() {
        let cache = Cache::default();
        let mut number = 0_u64;
        let mut pass = |count: u64| {
            for _ in 0..count {
                number += 1;
                cache.insert_quick(&key(number), &Arc::new(Heavy(3)), 99, 20);
            }
        };
        let asked = |name: &[u8]| cache.get(name, 20).is_some();
        cache.insert_quick(b"early token", &Arc::new(Heavy(1)), 99, 20);
        assert!(asked(b"early token"), "there is room");
        pass(50_000);
        assert!(cache.len() > SHARDS * ENTRIES * 9 / 10);
        assert!(asked(b"early token"), "nobody had to go");
        cache.insert_quick(b"a late token", &Arc::new(Heavy(1)), 99, 20);
        assert!(!asked(b"a late token"));
        pass(1_000);
        cache.insert_quick(b"a late token", &Arc::new(Heavy(1)), 99, 20);
        assert!(asked(b"a late token"));
        assert!(cache.len() <= SHARDS * ENTRIES);
    }

    #[test]
    fn what_all_weigh_together_is_bounded_and_one_that_is_too_heavy_is_not_kept() {
        let cache = Cache::default();
        for number in 0..5_000 {
            cache.insert(&key(number), &Arc::new(Heavy(60_000)), 99, 20);
            cache.insert(&key(number), &Arc::new(Heavy(60_000)), 99, 20);
        }
        assert!(cache.len() > 0 && weighed(&cache) <= SHARDS * SHARD_BYTES);
        assert!(cache.len() * 60_000 <= weighed(&cache));
        let known = cache.len();
        cache.insert(b"heavy", &Arc::new(Heavy(HEAVIEST)), 99, 20);
        assert!(cache.get(b"heavy", 20).is_none());
        assert_eq!(cache.len(), known);
    }

    #[test]
    fn claims_weigh_what_they_take_and_not_what_is_written() {
        let text = format!(r#"{{"sub":"u","p":[{}{{}}]}}"#, "{},".repeat(3800));
        let claims = Claims::read(text.clone().into_bytes()).unwrap();
        assert!(Identity { claims, ..Identity::default() }.weight() > HEAVIEST, "{} bytes", text.len());
        let usual = serde_json::json!({ "sub": "u", "roles": vec!["a role of a usual length"; 20] });
        let claims = Claims::read(usual.to_string().into_bytes()).unwrap();
        let weight = Identity { claims, ..Identity::default() }.weight();
        assert!(weight < 5 << 10, "{weight} bytes");
    }
}
