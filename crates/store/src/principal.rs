//! The names of keys in a store: who is counted, hashed under a key, so that whoever can read the names learns
//! neither tokens nor addresses, and nobody can make two callers meet.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use torana_limit::Key;

/// What principals are hashed with where nothing is configured. It keeps names short and of one form, but
/// guesses of a principal can be tried by whoever reads the names; `check` warns of that.
const PUBLIC_KEY: &[u8] = b"torana limit keys";
/// Keys longer than this are replaced by a digest, so that memory is bounded by their number.
const LONGEST_KEY: usize = 64;

/// A keyed hash.
#[derive(Clone)]
pub(crate) struct Hasher(Hmac<Sha256>);

impl std::fmt::Debug for Hasher {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Hasher(***)")
    }
}

impl Hasher {
    pub(crate) fn new(key: Option<&[u8]>) -> Self {
        let key = key.unwrap_or(PUBLIC_KEY);
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of every length"))
    }

    /// 128 bits of the hash of these parts, in hexadecimal; each part is preceded by its length.
    pub(crate) fn name(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        let mut name = [b'0'; 32];
        for (place, byte) in name.chunks_exact_mut(2).zip(mac.finalize().into_bytes()) {
            for (digit, nibble) in place.iter_mut().zip([byte >> 4, byte & 15]) {
                *digit = if nibble < 10 {
                    b'0'.saturating_add(nibble)
                } else {
                    b'a'.saturating_add(nibble).saturating_sub(10)
                };
            }
        }
        name
    }

    /// The key itself, or a digest of a long one, the same on every gateway. What is short already stays.
    pub(crate) fn short<'k>(&self, key: Key<'k>, room: &'k mut Option<[u8; 32]>) -> Key<'k> {
        if key.bytes.len() <= LONGEST_KEY {
            return key;
        }
        Key { kind: key.kind ^ 0x80, bytes: room.insert(self.name(&[key.bytes])) }
    }

    /// The name of a caller's ledger, whether the key was made short before or not. The braces keep whatever
    /// belongs to one caller in one slot of a cluster.
    pub(crate) fn key(&self, prefix: &str, limit: &str, key: Key<'_>) -> Vec<u8> {
        let mut room = None;
        let key = self.short(key, &mut room);
        let name = self.name(&[limit.as_bytes(), &[key.kind], key.bytes]);
        let mut full = Vec::with_capacity(prefix.len().saturating_add(34));
        full.extend_from_slice(prefix.as_bytes());
        full.push(b'{');
        full.extend_from_slice(&name);
        full.push(b'}');
        full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_show_nothing_and_parts_never_run_together() {
        let hasher = Hasher::new(Some(b"secret"));
        let key = hasher.key("torana:limit:1:", "global", Key { kind: 1, bytes: b"alice" });
        let text = String::from_utf8(key).unwrap();
        assert!(
            text.starts_with("torana:limit:1:{") && text.len() == 49 && !text.contains("alice"),
            "{text}"
        );
        assert_ne!(hasher.name(&[b"ab", b"c"]), hasher.name(&[b"a", b"bc"]));
        assert_ne!(hasher.name(&[b"a"]), Hasher::new(Some(b"other")).name(&[b"a"]));
        assert_eq!(format!("{hasher:?}"), "Hasher(***)");
    }

    #[test]
    fn a_long_key_has_one_name_whoever_makes_it_short() {
        let hasher = Hasher::new(Some(b"secret"));
        for length in [64, 65, 5_000] {
            let bytes = vec![b'x'; length];
            let long = Key { kind: 1, bytes: &bytes };
            let mut room = None;
            let short = hasher.short(long, &mut room);
            assert!(short.bytes.len() <= LONGEST_KEY);
            assert_eq!(hasher.key("p", "limit", long), hasher.key("p", "limit", short));
        }
    }
}
