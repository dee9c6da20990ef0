//! The breaker against a model that is plain to read, and under threads.

mod model;

use super::*;
use proptest::prelude::*;
use std::sync::atomic::AtomicUsize;

const SECOND: u64 = 1_000_000_000;

fn consecutive(failures: u32, open_for: u64, trials: u32) -> BreakerSettings {
    BreakerSettings {
        failures: NonZeroU32::new(failures),
        window: None,
        open_for: Duration::from_secs(open_for),
        trials: NonZeroU32::new(trials).unwrap(),
    }
}

fn shares(failure_percent: u32, slow_percent: u32, minimum_calls: u32) -> BreakerSettings {
    let window = WindowSettings {
        length: Duration::from_secs(10),
        minimum_calls,
        failure_percent: Some(failure_percent),
        slow_percent: Some(slow_percent),
    };
    BreakerSettings { failures: None, window: Some(window), ..consecutive(1, 30, 2) }
}

fn call(breaker: &Breaker, outcome: Outcome, now: u64) -> bool {
    breaker.admit(true, || now).map(|admission| admission.record(outcome, now)).is_ok()
}

#[test]
fn a_trial_whose_client_is_slow_to_send_it_gives_way_after_a_second() {
    let breaker = Breaker::new(consecutive(1, 10, 1));
    assert!(call(&breaker, Outcome::Failure, 0));
    let mut slow = breaker.admit(false, || 10 * SECOND).unwrap();
    assert!(breaker.admit(true, || 11 * SECOND - 1).is_err(), "it still has its place");
    let next = breaker.admit(true, || 11 * SECOND).unwrap();
    assert!(breaker.admit(true, || 20 * SECOND).is_err(), "one place, one trial");
    // The slow one is no trial any more, however it ends.
    slow.sent();
    slow.record(Outcome::Failure, 20 * SECOND);
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    next.record(Outcome::Success, 20 * SECOND);
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn a_trial_that_was_sent_in_time_keeps_its_place() {
    let breaker = Breaker::new(consecutive(1, 10, 1));
    assert!(call(&breaker, Outcome::Failure, 0));
    let mut trial = breaker.admit(false, || 10 * SECOND).unwrap();
    trial.sent();
    assert!(breaker.admit(true, || 19 * SECOND).is_err());
    drop(trial);
    drop(breaker.admit(false, || 20 * SECOND).unwrap());
    assert!(breaker.admit(false, || 20 * SECOND).is_ok(), "both places were given back once");
    assert!(breaker.admit(true, || 20 * SECOND).is_ok());
}

#[test]
fn five_failures_open_it_for_thirty_seconds_and_the_trials_close_it() {
    let breaker = Breaker::new(consecutive(5, 30, 2));
    for _ in 0..4 {
        assert!(call(&breaker, Outcome::Failure, SECOND));
    }
    assert!(call(&breaker, Outcome::Success, SECOND), "a success in between begins the count anew");
    for _ in 0..5 {
        assert!(call(&breaker, Outcome::Failure, SECOND));
    }
    assert_eq!(breaker.state(), BreakerState::Open);
    let refused = breaker.admit(true, || 11 * SECOND).unwrap_err();
    assert_eq!(refused.retry_after, Duration::from_secs(20));
    assert!(breaker.admit(true, || 31 * SECOND - 1).is_err());
    let first = breaker.admit(true, || 31 * SECOND).unwrap();
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    let second = breaker.admit(true, || 31 * SECOND).unwrap();
    assert_eq!(breaker.admit(true, || 31 * SECOND).unwrap_err().retry_after, TRYING, "no third trial");
    first.record(Outcome::Success, 31 * SECOND);
    assert!(breaker.admit(true, || 31 * SECOND).is_err(), "the trials are counted out, not in flight");
    second.record(Outcome::Success, 31 * SECOND);
    assert_eq!(breaker.state(), BreakerState::Closed);
    assert_eq!(BreakerState::ALL.map(|state| breaker.entered(state)), [1, 1, 1]);
    assert_eq!(breaker.refused(), 4);
}

#[test]
fn one_bad_trial_opens_it_again_and_a_cancelled_one_gives_its_place_back() {
    let breaker = Breaker::new(consecutive(1, 10, 1));
    call(&breaker, Outcome::Failure, 0);
    let cancelled = breaker.admit(true, || 10 * SECOND).unwrap();
    assert!(breaker.admit(true, || 10 * SECOND).is_err());
    drop(cancelled);
    assert!(call(&breaker, Outcome::Failure, 12 * SECOND));
    assert_eq!(breaker.state(), BreakerState::Open);
    assert!(breaker.admit(true, || 21 * SECOND).is_err());
    assert!(breaker.admit(true, || 22 * SECOND).is_ok());
}

#[test]
fn what_was_sent_before_it_opened_says_nothing_about_the_trials() {
    let breaker = Breaker::new(consecutive(1, 10, 1));
    let (late_good, late_bad) = (breaker.admit(true, || 0).unwrap(), breaker.admit(true, || 0).unwrap());
    call(&breaker, Outcome::Failure, 0);
    let trial = breaker.admit(true, || 10 * SECOND).unwrap();
    late_good.record(Outcome::Success, 10 * SECOND);
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    trial.record(Outcome::Success, 10 * SECOND);
    late_bad.record(Outcome::Failure, 10 * SECOND);
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn shares_open_it_only_with_enough_calls_and_slow_ones_count() {
    let breaker = Breaker::new(shares(50, 101, 10));
    for number in 0..9 {
        call(&breaker, Outcome::Failure, number);
    }
    assert_eq!(breaker.state(), BreakerState::Closed, "nine calls are too few");
    call(&breaker, Outcome::Failure, 9);
    assert_eq!(breaker.state(), BreakerState::Open);
    let breaker = Breaker::new(shares(101, 30, 10));
    for number in 0..9 {
        call(&breaker, if number < 3 { Outcome::Slow } else { Outcome::Success }, number);
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
    call(&breaker, Outcome::Slow, 9);
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[test]
fn four_threads_never_get_more_trials_than_there_are() {
    for round in 0..200_u64 {
        let breaker = Breaker::new(consecutive(1, 1, 3));
        call(&breaker, Outcome::Failure, 0);
        let admitted = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..3 {
                        if let Ok(admission) = breaker.admit(true, || 2 * SECOND + round) {
                            admitted.fetch_add(1, Ordering::Relaxed);
                            // Without an end: held for good, as if it still ran.
                            std::mem::forget(admission);
                        }
                    }
                });
            }
        });
        assert_eq!(admitted.into_inner(), 3);
    }
}

fn outcome() -> impl Strategy<Value = Option<Outcome>> {
    prop_oneof![
        3 => Just(Some(Outcome::Failure)),
        2 => Just(Some(Outcome::Success)),
        1 => Just(Some(Outcome::Slow)),
        1 => Just(None),
    ]
}

proptest! {
    /// Whatever happens, an open breaker is tried again once its time is over.
    #[test]
    fn it_never_stays_shut_for_good(
        steps in prop::collection::vec((0_u64..SECOND, outcome()), 1..100),
    ) {
        let breaker = Breaker::new(shares(30, 50, 5));
        let mut now = 0;
        for (pause, outcome) in steps {
            now += pause;
            if let (Ok(admission), Some(outcome)) = (breaker.admit(true, || now), outcome) {
                admission.record(outcome, now);
            }
        }
        prop_assert!(breaker.admit(true, || now + 31 * SECOND).is_ok());
    }
}
