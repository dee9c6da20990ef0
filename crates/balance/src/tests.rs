//! Properties of the whole balancer: shares, concurrency, changing lists, guards.

mod hash;

use crate::choice::remix;
use crate::rotation::Rotation;
use crate::two_choices::{cost, offer};
use crate::{Algorithm, Balancer, Endpoint, EndpointLoad, Tried};
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const ALL: [Algorithm; 6] = [
    Algorithm::RoundRobin,
    Algorithm::WeightedRoundRobin,
    Algorithm::LeastConnections,
    Algorithm::TwoChoices,
    Algorithm::RingHash,
    Algorithm::Maglev,
];

fn endpoints(weights: &[u32]) -> Vec<Endpoint> {
    weights
        .iter()
        .zip(0..)
        .map(|(weight, identity)| Endpoint {
            identity,
            weight: *weight,
            load: Arc::new(EndpointLoad::default()),
        })
        .collect()
}

fn first(balancer: &Balancer, random: u64) -> Option<usize> {
    balancer.pick(random, 0, &Tried::default(), |_| false)
}

fn algorithm() -> impl Strategy<Value = Algorithm> {
    prop::sample::select(ALL.to_vec())
}

#[test]
fn round_robin_keeps_the_order_and_leaves_out_the_drained() {
    let balancer = Balancer::new(Algorithm::RoundRobin, endpoints(&[1, 0, 9, 4]));
    let picks: Vec<_> = (0..6).filter_map(|random| first(&balancer, random)).collect();
    assert_eq!(picks, [0, 2, 3, 0, 2, 3]);
}

#[test]
fn an_empty_or_drained_list_picks_nothing() {
    for algorithm in ALL {
        assert_eq!(first(&Balancer::new(algorithm, endpoints(&[])), 1), None);
        assert_eq!(first(&Balancer::new(algorithm, endpoints(&[0, 0])), 1), None);
        assert!(Balancer::new(algorithm, endpoints(&[])).begin(0).is_none());
    }
}

#[test]
fn an_ejected_endpoint_leaves_the_others_their_exact_shares() {
    let balancer = Balancer::new(Algorithm::WeightedRoundRobin, endpoints(&[3, 5, 2]));
    let mut counts = [0_u32; 3];
    for _ in 0..500 {
        counts[balancer.pick(0, 0, &Tried::default(), |index| index == 1).unwrap()] += 1;
    }
    assert_eq!(counts, [300, 0, 200]);
}

#[test]
fn a_retry_takes_no_turn_from_other_requests() {
    let balancer = Balancer::new(Algorithm::RoundRobin, endpoints(&[1, 1, 1]));
    let mut tried = Tried::default();
    tried.insert(first(&balancer, 0).unwrap());
    assert_ne!(balancer.pick(9, 0, &tried, |_| false), Some(0));
    assert_eq!(first(&balancer, 0), Some(1));
}

#[test]
fn a_refreshed_list_goes_on_where_the_old_one_was() {
    let list = endpoints(&[1, 1, 1]);
    let mut balancer = Balancer::new(Algorithm::RoundRobin, list.clone());
    let mut counts = [0_u32; 3];
    for _ in 0..300 {
        counts[first(&balancer, 0).unwrap()] += 1;
        balancer = balancer.rebuild(Algorithm::RoundRobin, list.clone());
    }
    assert_eq!(counts, [100; 3]);
}

#[test]
fn least_connections_shares_idle_endpoints_by_weight_and_shuns_busy_ones() {
    let balancer = Balancer::new(Algorithm::LeastConnections, endpoints(&[3, 1]));
    let mut counts = [0_u32; 2];
    for _ in 0..400 {
        counts[first(&balancer, 0).unwrap()] += 1;
    }
    assert_eq!(counts, [300, 100], "one at a time: as a weighted rotation");
    let mut held = Vec::new();
    for _ in 0..400 {
        held.push(balancer.begin(first(&balancer, 0).unwrap()).unwrap());
    }
    let in_flight: Vec<u32> = balancer.endpoints().iter().map(|endpoint| endpoint.load.in_flight()).collect();
    assert!((299..=301).contains(&in_flight[0]), "held open: in proportion to weight, not {in_flight:?}");
    drop(held);
    assert!(balancer.endpoints().iter().all(|endpoint| endpoint.load.in_flight() == 0));
}

#[test]
fn two_choices_leaves_a_slow_endpoint_and_returns_when_the_memory_fades() {
    let balancer = Balancer::new(Algorithm::TwoChoices, endpoints(&[1, 1]));
    let second = 1_000_000_000;
    balancer.begin(0).unwrap().complete(900_000_000, second);
    balancer.begin(1).unwrap().complete(1_000_000, second);
    let balancer = &balancer;
    let at =
        |now| (0..50).map(move |word| balancer.pick(remix(word), now, &Tried::default(), |_| false).unwrap());
    assert!(at(second).all(|index| index == 1));
    balancer.begin(1).unwrap().complete(1_000_000, 90 * second);
    assert!(at(90 * second).any(|index| index == 0), "{:?}", at(90 * second).collect::<Vec<_>>());
}

#[test]
fn a_new_endpoint_gets_one_probe_and_no_herd() {
    let balancer = Balancer::new(Algorithm::TwoChoices, endpoints(&[1, 1]));
    balancer.begin(0).unwrap().complete(1_000_000, 1);
    let held: Vec<_> = (0..20)
        .map(|word| balancer.begin(balancer.pick(remix(word), 1, &Tried::default(), |_| false).unwrap()))
        .collect();
    assert_eq!(balancer.endpoints()[1].load.in_flight(), 1);
    drop(held);
}

#[test]
fn four_threads_share_exactly_and_guards_return_to_zero() {
    const PICKS: u64 = 25_000;
    for algorithm in ALL {
        let balancer = Arc::new(Balancer::new(algorithm, endpoints(&[5, 3, 2, 0])));
        let counts: [AtomicU64; 4] = Default::default();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (balancer, counts) = (&balancer, &counts);
                scope.spawn(move || {
                    for pick in 0..PICKS {
                        let random = remix(thread * PICKS + pick);
                        let index = first(balancer, random).unwrap();
                        counts[index].fetch_add(1, Ordering::Relaxed);
                        let guard = balancer.begin(index).unwrap();
                        if pick % 2 == 0 { guard.complete(1_000 + random % 100, pick) } else { drop(guard) }
                    }
                });
            }
        });
        let counts = counts.map(AtomicU64::into_inner);
        assert_eq!(counts.iter().sum::<u64>(), 4 * PICKS);
        assert_eq!(counts[3], 0, "{algorithm:?}");
        match algorithm {
            Algorithm::WeightedRoundRobin => assert_eq!(counts, [50_000, 30_000, 20_000, 0]),
            Algorithm::RoundRobin => assert!(counts[..3].iter().all(|count| count.abs_diff(33_333) <= 1)),
            _ => assert!(counts[..3].iter().all(|count| *count > 0), "{algorithm:?}: {counts:?}"),
        }
        assert!(balancer.endpoints().iter().all(|endpoint| endpoint.load.in_flight() == 0));
    }
}

proptest! {
    #[test]
    fn the_excluded_and_the_drained_are_never_picked_and_the_rest_always(
        algorithm in algorithm(),
        list in prop::collection::vec((prop_oneof![Just(0_u32), 1_u32..5, Just(65_535), Just(u32::MAX)],
            any::<bool>(), any::<bool>(), 0_usize..4), 0..20),
        words in prop::collection::vec(any::<u64>(), 1..20),
    ) {
        let weights: Vec<u32> = list.iter().map(|(weight, ..)| *weight).collect();
        let balancer = Balancer::new(algorithm, endpoints(&weights));
        let mut tried = Tried::default();
        for (index, _) in list.iter().enumerate().filter(|(_, (_, was, ..))| *was).take(8) {
            tried.insert(index);
        }
        let guards: Vec<_> = list.iter().enumerate()
            .flat_map(|(index, (.., held))| std::iter::repeat_n(index, *held))
            .filter_map(|index| balancer.begin(index)).collect();
        let ejected = |index: usize| list[index].2;
        let serves = |index: usize| weights[index] > 0 && !tried.contains(index) && !ejected(index);
        for word in words {
            match balancer.pick(word, word >> 20, &tried, ejected) {
                Some(index) => prop_assert!(serves(index)),
                None => prop_assert!(!(0..list.len()).any(serves)),
            }
        }
        drop(guards);
        prop_assert!(balancer.endpoints().iter().all(|endpoint| endpoint.load.in_flight() == 0));
    }

    #[test]
    fn weighted_shares_are_exact_over_a_cycle_for_the_whole_balancer(
        weights in prop::collection::vec(0_u32..40, 1..10), before in 0_u64..500,
    ) {
        let balancer = Balancer::new(Algorithm::WeightedRoundRobin, endpoints(&weights));
        let total: u32 = weights.iter().sum();
        for word in 0..before {
            let _ = first(&balancer, word);
        }
        let mut counts = vec![0_u32; weights.len()];
        for word in 0..u64::from(total) {
            counts[first(&balancer, word).unwrap()] += 1;
        }
        prop_assert_eq!(counts, weights);
    }

    #[test]
    fn lists_may_shrink_and_grow_at_any_turn(
        algorithm in algorithm(), sizes in prop::collection::vec(0_usize..30, 1..30),
    ) {
        let known = endpoints(&[1; 30]);
        let mut balancer = Balancer::new(algorithm, known.clone());
        for (step, size) in sizes.into_iter().enumerate() {
            balancer = balancer.rebuild(algorithm, known[..size].to_vec());
            for word in 0..5 {
                let picked = first(&balancer, remix(step as u64 * 5 + word));
                prop_assert_eq!(picked.is_some(), size > 0);
                prop_assert!(picked.is_none_or(|index| index < size));
            }
        }
    }

    #[test]
    fn two_choices_never_takes_the_worse_of_the_two_offered(
        list in prop::collection::vec((0_u32..10, 0_u64..1_000_000, 0_usize..5), 1..10), word in any::<u64>(),
    ) {
        let weights: Vec<u32> = list.iter().map(|(weight, ..)| *weight).collect();
        let balancer = Balancer::new(Algorithm::TwoChoices, endpoints(&weights));
        let mut guards = Vec::new();
        for (index, (_, latency, held)) in list.iter().enumerate() {
            if *latency > 1_000 {
                balancer.endpoints()[index].load.record(*latency, 5);
            }
            guards.extend((0..*held).filter_map(|_| balancer.begin(index)));
        }
        let rotation = Rotation::new(weights.iter().copied());
        let picked = first(&balancer, word);
        match offer(list.len(), &rotation, word, |_| true) {
            None => prop_assert_eq!(picked, None),
            Some((one, other)) => {
                prop_assert!(other != Some(one), "two different endpoints");
                prop_assert_eq!(other.is_none(), weights.iter().filter(|weight| **weight > 0).count() == 1);
                let cost = |index| cost(balancer.endpoints(), &rotation, index, 0);
                let least = other.map_or(cost(one), |other| cost(one).min(cost(other)));
                prop_assert!(picked == Some(one) || picked == other);
                prop_assert!(cost(picked.unwrap()) <= least);
            }
        }
    }
}
