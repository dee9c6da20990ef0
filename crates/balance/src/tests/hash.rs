//! Properties of the two hash balancers: shares, stability, ejection.

use crate::{Algorithm, Balancer, Endpoint, EndpointLoad, Tried, hash};
use proptest::prelude::*;
use std::sync::Arc;

const BOTH: [Algorithm; 2] = [Algorithm::RingHash, Algorithm::Maglev];

fn balancer(algorithm: Algorithm, list: &[(u64, u32)]) -> Balancer {
    let endpoints = list.iter().map(|(name, weight)| Endpoint {
        identity: hash(&name.to_le_bytes()),
        weight: *weight,
        load: Arc::new(EndpointLoad::default()),
    });
    Balancer::new(algorithm, endpoints.collect())
}

fn equal(count: u64) -> Vec<(u64, u32)> {
    (0..count).map(|name| (name, 1)).collect()
}

fn pick(balancer: &Balancer, key: u64, out: impl Fn(usize) -> bool) -> Option<usize> {
    balancer.pick(hash(&key.to_le_bytes()), 0, &Tried::default(), out)
}

fn counts(balancer: &Balancer, keys: u64) -> Vec<u64> {
    let mut counts = vec![0; balancer.endpoints().len()];
    for key in 0..keys {
        counts[pick(balancer, key, |_| false).unwrap()] += 1;
    }
    counts
}

#[test]
fn keys_are_spread_by_weight() {
    for (algorithm, tolerance) in [(Algorithm::RingHash, 0.35), (Algorithm::Maglev, 0.07)] {
        for list in [equal(5), vec![(1, 1), (2, 2), (3, 7)], equal(40)] {
            let total: u32 = list.iter().map(|(_, weight)| weight).sum();
            let counts = counts(&balancer(algorithm, &list), 100_000);
            for (count, (_, weight)) in counts.iter().zip(&list) {
                let ideal = 100_000.0 * f64::from(*weight) / f64::from(total);
                let off = (*count as f64 - ideal).abs() / ideal;
                assert!(off < tolerance, "{algorithm:?} {list:?}: {count} for {ideal}");
            }
        }
    }
}

#[test]
fn an_endpoint_that_leaves_moves_its_own_keys_and_hardly_others() {
    for (algorithm, most) in [(Algorithm::RingHash, 0), (Algorithm::Maglev, 600)] {
        let before = balancer(algorithm, &equal(10));
        let list: Vec<_> = equal(10).into_iter().filter(|(name, _)| *name != 4).collect();
        let after = balancer(algorithm, &list);
        let name = |index: usize| list[index].0;
        let moved = (0..10_000)
            .filter(|key| {
                let old = pick(&before, *key, |_| false).unwrap();
                old != 4 && name(pick(&after, *key, |_| false).unwrap()) != old as u64
            })
            .count();
        assert!(moved <= most, "{algorithm:?}: {moved} of 10000 keys moved that need not");
    }
}

#[test]
fn the_order_of_the_list_means_nothing() {
    for algorithm in BOTH {
        let list = equal(7);
        let turned: Vec<_> = list.iter().rev().copied().collect();
        let (one, other) = (balancer(algorithm, &list), balancer(algorithm, &turned));
        let same = (0..2_000)
            .filter(|key| {
                pick(&one, *key, |_| false).map(|index| list[index])
                    == pick(&other, *key, |_| false).map(|index| turned[index])
            })
            .count();
        assert_eq!(same, 2_000, "{algorithm:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn ejecting_moves_only_the_keys_of_the_ejected(
        ring in any::<bool>(), size in 2_usize..20, out in prop::collection::vec(any::<bool>(), 20),
        keys in prop::collection::vec(any::<u64>(), 1..50),
    ) {
        let balancer = balancer(BOTH[usize::from(ring)], &equal(size as u64));
        for key in keys {
            let home = pick(&balancer, key, |_| false).unwrap();
            let now = pick(&balancer, key, |index| out[index]);
            if !out[home] {
                prop_assert_eq!(now, Some(home));
            } else if out.iter().take(size).all(|out| *out) {
                prop_assert_eq!(now, None);
            } else {
                prop_assert!(now.is_some_and(|index| !out[index]));
            }
        }
    }

    #[test]
    fn a_weight_that_changes_moves_only_keys_to_its_endpoint_or_from_it(
        unit in prop_oneof![Just(1_u32), Just(25), Just(7_000)],
        weights in prop::collection::vec(0_u32..=8, 1..12), changed in 0_usize..12, weight in 0_u32..=8,
        keys in prop::collection::vec(any::<u64>(), 100),
    ) {
        // The heaviest stays, whatever the others weigh.
        let list: Vec<_> = (0..).zip([8].iter().chain(&weights).map(|weight| weight * unit)).collect();
        let changed = 1 + changed % weights.len();
        let mut other = list.clone();
        other[changed].1 = weight * unit;
        let (before, after) = (balancer(Algorithm::RingHash, &list), balancer(Algorithm::RingHash, &other));
        other.remove(changed);
        let without = balancer(Algorithm::RingHash, &other);
        for key in keys {
            let (from, to) = (pick(&before, key, |_| false).unwrap(), pick(&after, key, |_| false).unwrap());
            prop_assert!(from == to || from == changed || to == changed, "{} to {}", from, to);
            let left = other[pick(&without, key, |_| false).unwrap()];
            prop_assert!(from == changed || left == list[from], "{:?} without {}", left, changed);
        }
    }

    #[test]
    fn weights_of_any_size_find_somebody(
        ring in any::<bool>(),
        weights in prop::collection::vec(prop_oneof![Just(0_u32), 1_u32..5, Just(65_535)], 0..12),
        key in any::<u64>(),
    ) {
        let list: Vec<_> = (0..).zip(weights.iter().copied()).collect();
        let picked = pick(&balancer(BOTH[usize::from(ring)], &list), key, |_| false);
        prop_assert_eq!(picked.is_some(), weights.iter().any(|weight| *weight > 0));
        prop_assert!(picked.is_none_or(|index| weights[index] > 0));
    }
}
