//! The breaker does what a model of it does that is plain to read.

use super::super::*;
use super::{SECOND, outcome};
use proptest::prelude::*;

/// A breaker in plain words: no atomics, no packing, every call remembered.
struct Model {
    settings: BreakerSettings,
    state: BreakerState,
    /// Why it came into this state.
    why: Option<BreakerCause>,
    /// Counts the states.
    period: u64,
    open_until: u64,
    row: u32,
    /// When calls ended since it last closed, and how.
    calls: Vec<(u64, Outcome)>,
    /// Of the trials.
    places: u32,
    succeeded: u32,
    /// Trials whose clients still send: their numbers, and when they began.
    uploading: Vec<(u64, u64)>,
    number: u64,
}

/// Of a request that was let through.
#[derive(Clone, Copy)]
struct Permit {
    period: u64,
    upload: Option<u64>,
    counts: bool,
}

impl Model {
    fn new(settings: BreakerSettings) -> Self {
        Self {
            settings,
            state: BreakerState::Closed,
            why: None,
            period: 0,
            open_until: 0,
            row: 0,
            calls: Vec::new(),
            places: 0,
            succeeded: 0,
            uploading: Vec::new(),
            number: 0,
        }
    }

    fn enter(&mut self, state: BreakerState, why: BreakerCause) {
        (self.state, self.why, self.period) = (state, Some(why), self.period + 1);
    }

    fn open(&mut self, why: BreakerCause, now: u64) {
        self.open_until = now + self.settings.open_for.as_secs() * SECOND;
        self.enter(BreakerState::Open, why);
    }

    fn admit(&mut self, whole: bool, now: u64) -> Result<Permit, Refused> {
        if self.state == BreakerState::Open && now >= self.open_until {
            (self.places, self.succeeded) = (self.settings.trials.get(), 0);
            self.uploading.clear();
            self.enter(BreakerState::HalfOpen, BreakerCause::TimeOver);
        }
        let permit = Permit { period: self.period, upload: None, counts: true };
        match self.state {
            BreakerState::Closed => return Ok(permit),
            BreakerState::Open => {
                return Err(Refused { retry_after: Duration::from_nanos(self.open_until - now) });
            }
            BreakerState::HalfOpen if self.places > 0 => self.places -= 1,
            BreakerState::HalfOpen => match self.uploading.first() {
                Some((_, began)) if now - began >= SECOND => drop(self.uploading.remove(0)),
                _ => return Err(Refused { retry_after: Duration::from_secs(1) }),
            },
        }
        if whole {
            return Ok(permit);
        }
        self.number += 1;
        self.uploading.push((self.number, now));
        Ok(Permit { upload: Some(self.number), ..permit })
    }

    fn sent(&mut self, permit: &mut Permit) {
        let Some(number) = permit.upload.take() else { return };
        let before = self.uploading.len();
        self.uploading.retain(|(uploading, _)| *uploading != number);
        permit.counts = permit.period == self.period && self.uploading.len() < before;
    }

    fn end(&mut self, mut permit: Permit, outcome: Option<Outcome>, now: u64) {
        self.sent(&mut permit);
        if permit.period != self.period || !permit.counts {
            return;
        }
        match (self.state, outcome) {
            (BreakerState::HalfOpen, None) => self.places += 1,
            (BreakerState::HalfOpen, Some(outcome)) => self.end_trial(outcome, now),
            (BreakerState::Closed, Some(outcome)) => self.end_call(outcome, now),
            _ => {}
        }
    }

    fn end_trial(&mut self, outcome: Outcome, now: u64) {
        let slow_is_bad = self.settings.window.is_some_and(|window| window.slow_percent.is_some());
        if outcome == Outcome::Failure || outcome == Outcome::Slow && slow_is_bad {
            return self.open(BreakerCause::TrialFailed, now);
        }
        self.succeeded += 1;
        if self.succeeded == self.settings.trials.get() {
            (self.row, self.calls) = (0, Vec::new());
            self.enter(BreakerState::Closed, BreakerCause::TrialsWell(self.succeeded));
        }
    }

    fn end_call(&mut self, outcome: Outcome, now: u64) {
        self.row = if outcome == Outcome::Failure { self.row + 1 } else { 0 };
        self.calls.push((now, outcome));
        if outcome == Outcome::Success {
            return;
        }
        if self.settings.failures.is_some_and(|most| self.row >= most.get()) {
            return self.open(BreakerCause::Row(self.row), now);
        }
        let Some(window) = self.settings.window else { return };
        // The tenth of the window that a time is in.
        let tenth = |at: u64| at / (window.length.as_secs() * SECOND / 10);
        let recent: Vec<Outcome> = self
            .calls
            .iter()
            .filter(|(at, _)| tenth(now) - tenth(*at) < 10)
            .map(|(_, outcome)| *outcome)
            .collect();
        let all = recent.len() as u64;
        let of = |wanted: Outcome| recent.iter().filter(|outcome| **outcome == wanted).count() as u64;
        let reaches = |part: u64, percent: Option<u32>| {
            percent.is_some_and(|percent| part > 0 && part as f64 / all as f64 >= f64::from(percent) / 100.0)
        };
        if all < u64::from(window.minimum_calls) {
            return;
        }
        let (failures, slow) = (of(Outcome::Failure), of(Outcome::Slow));
        if reaches(failures, window.failure_percent) {
            self.open(BreakerCause::Failures(failures, all), now);
        } else if reaches(slow, window.slow_percent) {
            self.open(BreakerCause::Slow(slow, all), now);
        }
    }
}

/// Something that happens to one of the requests under way, or a new one.
#[derive(Clone, Copy, Debug)]
enum Step {
    Begin { whole: bool },
    Sent(usize),
    End(usize, Option<Outcome>),
}

fn step() -> impl Strategy<Value = (u64, Step)> {
    let pause = prop_oneof![
        4 => Just(0),
        6 => 0..SECOND / 4,
        2 => 0..3 * SECOND,
        1 => 0..20 * SECOND,
    ];
    let step = prop_oneof![
        5 => prop::bool::weighted(0.7).prop_map(|whole| Step::Begin { whole }),
        1 => (0_usize..6).prop_map(Step::Sent),
        4 => (0_usize..6, outcome()).prop_map(|(which, outcome)| Step::End(which, outcome)),
    ];
    (pause, step)
}

fn window() -> impl Strategy<Value = WindowSettings> {
    let percent = || prop::option::weighted(0.8, 1_u32..=100);
    (1_u64..15, 0_u32..8, percent(), percent()).prop_map(
        |(length, minimum_calls, failure_percent, slow_percent)| WindowSettings {
            length: Duration::from_secs(length),
            minimum_calls,
            failure_percent,
            slow_percent,
        },
    )
}

fn settings() -> impl Strategy<Value = BreakerSettings> {
    (prop::option::of(1_u32..6), prop::option::weighted(0.8, window()), 1_u64..6, 1_u32..4).prop_map(
        |(failures, window, open_for, trials)| BreakerSettings {
            failures: failures.and_then(NonZeroU32::new),
            window,
            open_for: Duration::from_secs(open_for),
            trials: NonZeroU32::new(trials).unwrap(),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Requests overlap: each step begins one, or ends one that is under way, or says that all of it was sent.
    #[test]
    fn it_does_what_the_model_says(
        settings in settings(), steps in prop::collection::vec(step(), 1..200),
    ) {
        let breaker = Breaker::new(settings);
        let mut model = Model::new(settings);
        let mut under_way: Vec<(Admission<'_>, Permit)> = Vec::new();
        let mut now = 0;
        for (pause, step) in steps {
            now += pause;
            let count = under_way.len();
            match step {
                Step::Sent(which) if count > 0 => {
                    let (admission, permit) = &mut under_way[which % count];
                    admission.sent();
                    model.sent(permit);
                }
                Step::End(which, outcome) if count > 0 => {
                    let (admission, permit) = under_way.swap_remove(which % count);
                    match outcome {
                        Some(outcome) => admission.record(outcome, now),
                        None => drop(admission),
                    }
                    model.end(permit, outcome, now);
                }
                Step::Begin { .. } | Step::Sent(_) | Step::End(..) => {
                    let whole = !matches!(step, Step::Begin { whole: false });
                    match (breaker.admit(whole, || now), model.admit(whole, now)) {
                        (Ok(admission), Ok(permit)) => under_way.push((admission, permit)),
                        (Err(refused), Err(expected)) => prop_assert_eq!(refused, expected),
                        (real, expected) => {
                            prop_assert_eq!(real.is_ok(), expected.is_ok());
                        }
                    }
                }
            }
            prop_assert_eq!(breaker.state(), model.state);
            prop_assert_eq!(breaker.last_change().map(|change| change.why), model.why);
        }
    }
}
