//! Which servers of a cluster answer. Where one does not, the callers of the others are decided as ever.
//!
//! Servers are known by their slots as they were when the connection was made. Where slots have moved since, failures count
//! for those with whom the slots were together then: the client itself follows them.

use crate::breaker::FAILURES;

/// How many slots there are.
const SLOTS: u16 = 16_384;

/// The servers of a cluster, by number.
#[derive(Debug)]
pub(crate) struct Servers {
    /// The first and the last slot, and whose they are.
    ranges: Vec<(u16, u16, usize)>,
    /// How often each has failed in a row.
    failures: Vec<u32>,
}

impl Servers {
    /// Servers by their ranges of slots, each with anything that tells its server from others.
    pub(crate) fn new<S: PartialEq>(ranges: Vec<(u16, u16, S)>) -> Self {
        let mut known: Vec<S> = Vec::new();
        let mut numbered = Vec::with_capacity(ranges.len());
        for (first, last, server) in ranges {
            let number = known.iter().position(|other| *other == server).unwrap_or_else(|| {
                known.push(server);
                known.len().saturating_sub(1)
            });
            numbered.push((first, last, number));
        }
        Self { ranges: numbered, failures: vec![0; known.len()] }
    }

    /// Whose a key is, if anybody's.
    pub(crate) fn of(&self, key: &[u8]) -> Option<usize> {
        let slot = slot(key);
        self.ranges
            .iter()
            .find(|(first, last, _)| (*first..=*last).contains(&slot))
            .map(|(_, _, server)| *server)
    }

    /// One of its slots.
    pub(crate) fn slot_of(&self, server: usize) -> Option<u16> {
        self.ranges.iter().find(|(_, _, other)| *other == server).map(|(first, _, _)| *first)
    }

    /// Whether asking it would bring nothing now.
    pub(crate) fn is_away(&self, server: usize) -> bool {
        self.failures.get(server).is_some_and(|failures| *failures >= FAILURES)
    }

    /// Whether one is taken to be away.
    pub(crate) fn is_any_away(&self) -> bool {
        self.failures.iter().any(|failures| *failures >= FAILURES)
    }

    /// Whether none is left.
    pub(crate) fn are_away(&self) -> bool {
        self.failures.iter().all(|failures| *failures >= FAILURES)
    }

    /// It has answered.
    pub(crate) fn succeeded(&mut self, server: usize) {
        if let Some(failures) = self.failures.get_mut(server) {
            *failures = 0;
        }
    }

    /// It has not; with `lost` its connection is gone. Tells whether it is taken to be away from now on.
    pub(crate) fn failed(&mut self, server: usize, lost: bool) -> bool {
        let Some(failures) = self.failures.get_mut(server) else { return false };
        let was_there = *failures < FAILURES;
        *failures = if lost { FAILURES } else { failures.saturating_add(1) };
        was_there && *failures >= FAILURES
    }
}

/// The slot of a key: CRC-16 (XMODEM) of what stands in its first braces, or of all of it.
fn slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = key.get(open.saturating_add(1)..)?;
        rest.get(..rest.iter().position(|byte| *byte == b'}')?)
    });
    let tag = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
    let step = |sum: u16, _| if sum & 0x8000 == 0 { sum << 1 } else { (sum << 1) ^ 0x1021 };
    let sum = tag.iter().fold(0_u16, |sum, byte| (0..8).fold(sum ^ (u16::from(*byte) << 8), step));
    sum & SLOTS.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_slots_that_servers_say() {
        // By `CLUSTER KEYSLOT`.
        for (key, expected) in [("123456789", 0x31C3), ("foo", 12_182), ("a{foo}b", 12_182), ("", 0)] {
            assert_eq!(slot(key.as_bytes()), expected, "{key}");
        }
        assert_eq!(slot(b"{}foo"), slot(b"{}foo"), "empty braces are part of a key");
        assert_ne!(slot(b"{}foo"), slot(b"foo"));
    }

    #[test]
    fn one_that_fails_is_away_alone_and_one_that_answers_is_back() {
        let mut servers = Servers::new(vec![(0, 9_999, "a"), (10_000, 12_999, "b"), (13_000, 16_383, "a")]);
        let (foo, other) = (servers.of(b"foo").unwrap(), servers.of(b"").unwrap());
        assert_eq!((foo, other, servers.slot_of(1)), (1, 0, Some(10_000)));
        for failure in 1..FAILURES {
            assert!(!servers.failed(foo, false) && !servers.is_away(foo), "{failure}");
        }
        servers.succeeded(foo);
        let told: Vec<bool> = (0..5).map(|_| servers.failed(foo, false)).collect();
        assert_eq!(told, [false, false, true, false, false], "said once");
        assert!(servers.is_away(foo) && !servers.is_away(other) && !servers.are_away());
        assert!(servers.failed(other, true) && servers.are_away());
        servers.succeeded(foo);
        assert!(!servers.is_away(foo) && !servers.are_away());
    }
}
