//! A short, fixed hash for names that the configuration wrote: path segments and hosts.
//!
//! Folded multiplication of 8-byte words, as in wyhash and rustc's FxHash. It has no random key on
//! purpose: the tables are filled from the configuration and never by a request, so whoever chooses
//! the bytes that are looked up cannot add an entry, and one lookup costs at most one run of
//! neighbours that the configuration itself put there. It is not for maps that requests fill.

use std::hash::{BuildHasherDefault, Hasher};

const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

/// A map whose keys come from the configuration only.
pub(crate) type FixedMap<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<FixedHasher>>;

/// The hash function of [`FixedMap`].
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct FixedHasher(u64);

impl FixedHasher {
    fn fold(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ MULTIPLIER).wrapping_mul(u128::from(MULTIPLIER));
        let bytes = product.to_le_bytes();
        let (low, high) = bytes.split_at(8);
        let (low, high) = (word_of(low), word_of(high));
        self.0 = low ^ high.rotate_left(32);
    }
}

fn word_of(bytes: &[u8]) -> u64 {
    match <[u8; 8]>::try_from(bytes) {
        Ok(word) => u64::from_le_bytes(word),
        Err(_) => bytes.iter().rev().fold(0, |word, &byte| (word << 8) | u64::from(byte)),
    }
}

impl Hasher for FixedHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.fold(word_of(word));
        }
        self.fold(word_of(words.remainder()) ^ ((bytes.len() as u64) << 56));
    }

    fn write_u32(&mut self, value: u32) {
        self.fold(u64::from(value));
    }

    fn write_usize(&mut self, value: usize) {
        self.fold(value as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
