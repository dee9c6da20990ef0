//! Maglev: a table in which every endpoint owns its share of the slots; a key goes to the slot of its hash.
//!
//! Each endpoint has a permutation of the slots by its identity; the endpoints take turns, by weight, and
//! each takes the first slot of its permutation that is free. Shares are exact to one slot. When an endpoint
//! is removed its keys move, and a few percent of the others'. When one is ejected for a while only its own
//! keys move: their hash is mixed again until it falls on an endpoint that may serve. Source: Eisenbud et
//! al., "Maglev: A Fast and Reliable Software Network Load Balancer" (NSDI 2016), section 3.4; turns by
//! weight as in Envoy.

use crate::choice::{remix, scale};
use crate::hash::hash_numbered;

/// Sizes of tables: primes, so that every step visits all slots. The paper's is the fourth.
const SIZES: [u64; 6] = [251, 4_093, 16_381, 65_537, 262_139, 1_048_573];
/// Slots for each endpoint at least, for shares exact to one percent.
const SLOTS: u64 = 100;
/// How often a hash is mixed again before the table is searched from the slot on.
const PROBES: u32 = 64;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Maglev {
    slots: Box<[u32]>,
}

impl Maglev {
    /// A table of endpoints, by identity and weight.
    pub(crate) fn new(endpoints: impl Iterator<Item = (u64, u32)>) -> Self {
        let mut turns: Vec<Turn> = (0_u32..)
            .zip(endpoints)
            .filter(|(_, (_, weight))| *weight > 0)
            .map(|(index, (identity, weight))| Turn { index, identity, weight, next: 0, due: 0.0 })
            .collect();
        // By identity, so that gateways that list the endpoints in another order agree.
        turns.sort_by_key(|turn| turn.identity);
        let Some(heaviest) = turns.iter().map(|turn| turn.weight).max() else { return Self::default() };
        let wanted = (turns.len() as u64).saturating_mul(SLOTS);
        let size = SIZES.into_iter().find(|size| *size >= wanted).unwrap_or(1_048_573);
        let mut slots: Vec<Option<u32>> = vec![None; usize::try_from(size).unwrap_or(0)];
        let mut free = size;
        let mut round = 0.0;
        while free > 0 {
            round += 1.0;
            for turn in &mut turns {
                // An endpoint of the largest weight has every turn, others are skipped in proportion.
                if turn.due >= round * f64::from(turn.weight) / f64::from(heaviest) {
                    continue;
                }
                turn.due += 1.0;
                if let Some(slot) = turn.take(size, &slots) {
                    if let Some(place) = slots.get_mut(slot) {
                        *place = Some(turn.index);
                    }
                    free = free.saturating_sub(1);
                }
                if free == 0 {
                    break;
                }
            }
        }
        Self { slots: slots.into_iter().flatten().collect() }
    }

    /// The endpoint for a hash, or the one it falls on when mixed again until it may serve.
    pub(crate) fn find(&self, hash: u64, eligible: impl Fn(usize) -> bool) -> Option<usize> {
        let at = |slot: usize| self.slots.get(slot).and_then(|index| usize::try_from(*index).ok());
        let slot = |hash: u64| usize::try_from(scale(hash, self.slots.len() as u64)).ok();
        let mut mixed = hash;
        for _ in 0..PROBES {
            let index = at(slot(mixed)?)?;
            if eligible(index) {
                return Some(index);
            }
            mixed = remix(mixed);
        }
        let start = slot(hash)?;
        (start..self.slots.len()).chain(0..start).filter_map(at).find(|index| eligible(*index))
    }
}

/// An endpoint that takes slots.
struct Turn {
    index: u32,
    identity: u64,
    weight: u32,
    next: u64,
    due: f64,
}

impl Turn {
    /// The first slot of the endpoint's permutation that is free.
    fn take(&mut self, size: u64, slots: &[Option<u32>]) -> Option<usize> {
        let offset = hash_numbered(self.identity, 0).checked_rem(size)?;
        let step = hash_numbered(self.identity, 1).checked_rem(size.saturating_sub(1))?.saturating_add(1);
        while self.next < size {
            // All three are below 2²¹.
            let slot = self.next.saturating_mul(step).saturating_add(offset).checked_rem(size)?;
            self.next = self.next.saturating_add(1);
            let slot = usize::try_from(slot).ok()?;
            if slots.get(slot).is_some_and(Option::is_none) {
                return Some(slot);
            }
        }
        None
    }
}
