//! How many requests a service can work on at once, learnt from how long it takes.
//!
//! A service that is given more than it can do at once does not do more, it only takes longer. So with `base` the
//! time that it takes without a queue and `taken` the mean of a window of answers
//! ```text
//! gradient = clamp(base · (1 + headroom) / taken, 1/2, 1)
//! limit    = (limit + gradient · limit + √limit) / 2
//! ```
//! where `√limit` is the queue that is allowed and what lets the limit grow. It grows only while at least half of
//! it is used, because an idle service says nothing about more.
//!
//! `base` is the least mean that was seen. Services change, so from time to time the limit is halved for two
//! windows, in which a queue that stood runs empty, and `base` is taken from the second: from this a limit also
//! recovers when a service has become slower for good.
//!
//! Who is no longer waited for has taken at least so long. Where that is most of a window, the service hangs: the
//! window says nothing about `base`, the gradient is 1/2, and counts once for each window that passed without a word.
//!
//! Sources: the gradient of Netflix's concurrency-limits and Envoy's adaptive concurrency. Trade-off against the
//! latter: half of the limit in place of three requests costs less while it measures, and takes a few rounds after
//! a service has lost more than half of what it could do.

use std::time::Duration;

/// What shapes a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GradientSettings {
    /// Never fewer than this, at least one.
    pub min: u32,
    /// Never more.
    pub max: u32,
    /// At first.
    pub start: u32,
    /// By how many percent answers may take longer before the limit shrinks.
    pub headroom_percent: u32,
    /// How long answers are gathered before the limit is looked at again.
    pub window: Duration,
    /// How often the time without a queue is measured anew.
    pub remeasure: Duration,
}

/// A silence counts as so many windows at most: enough to bring any limit down.
const MOST_SILENT: u32 = 32;

/// What was seen in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowSample {
    /// The mean time until an answer began or was no longer waited for.
    pub taken: Duration,
    /// More were waited for in vain than answered.
    pub in_vain: bool,
    /// The most requests that were under way.
    pub most_under_way: u32,
    /// When it ended, by a clock that does not go back.
    pub now: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Steady,
    /// The limit was halved from this; the next window still has answers from before.
    Emptying(f64),
    /// The next window tells the time without a queue.
    Measuring(f64),
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gradient {
    settings: GradientSettings,
    limit: f64,
    /// In seconds.
    base: Option<f64>,
    measured_at: Duration,
    learnt_at: Duration,
    phase: Phase,
}

impl Gradient {
    /// A limit that has seen nothing.
    #[must_use]
    pub fn new(settings: GradientSettings) -> Self {
        let min = settings.min.max(1);
        let settings = GradientSettings { min, max: settings.max.max(min), ..settings };
        let limit = f64::from(settings.start.clamp(settings.min, settings.max));
        let (measured_at, learnt_at) = (Duration::ZERO, Duration::ZERO);
        Self { settings, limit, base: None, measured_at, learnt_at, phase: Phase::Steady }
    }

    /// The limit now.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between min and max")]
    pub fn limit(&self) -> u32 {
        self.limit.round() as u32
    }

    /// The time that the service takes without a queue, as far as is known.
    #[must_use]
    pub fn base(&self) -> Option<Duration> {
        self.base.map(Duration::from_secs_f64)
    }

    /// Learns from a window.
    pub fn learn(&mut self, sample: &WindowSample) {
        let taken = sample.taken.as_secs_f64().max(1e-9);
        let silent = sample.now.saturating_sub(std::mem::replace(&mut self.learnt_at, sample.now));
        if sample.in_vain {
            self.shrink(silent);
            // What was being measured has to be measured again.
            (self.phase, self.measured_at) = (Phase::Steady, sample.now);
            return;
        }
        match self.phase {
            Phase::Emptying(before) => self.phase = Phase::Measuring(before),
            Phase::Measuring(before) => {
                self.base = Some(taken);
                self.measured_at = sample.now;
                self.limit = before;
                self.phase = Phase::Steady;
            }
            Phase::Steady => self.step(taken, sample),
        }
    }

    fn step(&mut self, taken: f64, sample: &WindowSample) {
        let used = f64::from(sample.most_under_way) * 2.0 >= self.limit;
        let Some(base) = self.base else {
            (self.base, self.measured_at) = (Some(taken), sample.now);
            return;
        };
        if sample.now.saturating_sub(self.measured_at) >= self.settings.remeasure {
            self.measured_at = sample.now;
            if used {
                self.phase = Phase::Emptying(self.limit);
                self.set(self.limit / 2.0);
            } else {
                // There is no queue at half of the limit or less.
                self.base = Some(taken);
            }
            return;
        }
        let base = base.min(taken);
        self.base = Some(base);
        let headroom = 1.0 + f64::from(self.settings.headroom_percent) / 100.0;
        let gradient = (base * headroom / taken).clamp(0.5, 1.0);
        let wanted = gradient * self.limit + self.limit.sqrt();
        if wanted < self.limit || used {
            self.set(f64::midpoint(self.limit, wanted));
        }
    }

    /// Nobody to speak of was answered for so long.
    fn shrink(&mut self, silent: Duration) {
        let windows = silent.as_nanos().checked_div(self.settings.window.as_nanos()).unwrap_or(1);
        for _ in 0..u32::try_from(windows).unwrap_or(u32::MAX).clamp(1, MOST_SILENT) {
            let wanted = 0.5 * self.limit + self.limit.sqrt();
            self.set(f64::midpoint(self.limit, wanted).min(self.limit));
        }
    }

    fn set(&mut self, limit: f64) {
        self.limit = limit.clamp(f64::from(self.settings.min), f64::from(self.settings.max));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: Duration = Duration::from_millis(100);

    fn settings(min: u32, max: u32) -> GradientSettings {
        GradientSettings {
            min,
            max,
            start: 20,
            headroom_percent: 25,
            window: WINDOW,
            remeasure: Duration::from_secs(5),
        }
    }

    /// A service that works on `capacity` requests at once, each for `takes`; more wait. Clients always want
    /// `wanted`. Gives the limit after each window.
    fn run(
        gradient: &mut Gradient,
        now: &mut Duration,
        (capacity, takes): (f64, f64),
        wanted: u32,
        windows: u32,
    ) -> Vec<u32> {
        let mut limits = Vec::new();
        for _ in 0..windows {
            *now += WINDOW;
            let under_way = gradient.limit().min(wanted);
            let taken = takes * (f64::from(under_way) / capacity).max(1.0);
            let taken = Duration::from_secs_f64(taken);
            gradient.learn(&WindowSample { taken, in_vain: false, most_under_way: under_way, now: *now });
            limits.push(gradient.limit());
        }
        limits
    }

    fn fits(limit: u32, capacity: f64) -> bool {
        let most = capacity * 1.25 + 2.0 * (capacity * 1.25).sqrt() + 4.0;
        (capacity * 0.45..=most).contains(&f64::from(limit))
    }

    proptest! {
        #[test]
        fn it_converges_on_what_the_service_can_do(capacity in 12_u32..400, millis in 1_u32..500) {
            let (mut gradient, mut now) = (Gradient::new(settings(5, 10_000)), Duration::ZERO);
            let service = (f64::from(capacity), f64::from(millis) / 1e3);
            let limits = run(&mut gradient, &mut now, service, u32::MAX, 600);
            for limit in &limits[400..] {
                prop_assert!(fits(*limit, f64::from(capacity)), "{limit} of {capacity}: {limits:?}");
            }
        }

        #[test]
        fn it_recovers_when_a_service_has_become_slower_or_faster(
            capacity in 40_u32..200, first in 5_u32..100, second in 5_u32..100,
        ) {
            let (mut gradient, mut now) = (Gradient::new(settings(5, 10_000)), Duration::ZERO);
            for millis in [first, second] {
                let service = (f64::from(capacity), f64::from(millis) / 1e3);
                let limits = run(&mut gradient, &mut now, service, u32::MAX, 900);
                prop_assert!(fits(limits[899], f64::from(capacity)), "{limits:?}");
            }
        }

        #[test]
        fn it_follows_a_service_that_can_do_less_or_more(from in 40_u32..300, to in 40_u32..300) {
            let (mut gradient, mut now) = (Gradient::new(settings(5, 10_000)), Duration::ZERO);
            for capacity in [from, to] {
                let limits = run(&mut gradient, &mut now, (f64::from(capacity), 0.02), u32::MAX, 1_500);
                prop_assert!(fits(limits[1_499], f64::from(capacity)), "{capacity}: {limits:?}");
            }
        }

        #[test]
        fn whatever_comes_it_stays_in_its_bounds(
            min in 0_u32..50, max in 0_u32..200,
            samples in prop::collection::vec(
                (0_u64..10_000_000, any::<bool>(), 0_u32..500, 0_u64..10_000), 1..300,
            ),
        ) {
            let mut gradient = Gradient::new(settings(min, max));
            let mut now = Duration::ZERO;
            for (micros, in_vain, most_under_way, later) in samples {
                now += Duration::from_millis(later);
                let taken = Duration::from_micros(micros);
                let before = gradient;
                gradient.learn(&WindowSample { taken, in_vain, most_under_way, now });
                let limit = gradient.limit();
                prop_assert!(limit >= min.max(1) && limit <= max.max(min).max(1), "{limit}");
                if in_vain {
                    prop_assert!(limit <= before.limit() && gradient.base() == before.base());
                }
            }
        }

        #[test]
        fn a_service_that_hangs_is_given_little_until_it_answers_again(
            capacity in 40_u32..300, millis in 1_u32..200, patience in 100_u64..5_000,
        ) {
            let (mut gradient, mut now) = (Gradient::new(settings(2, 10_000)), Duration::ZERO);
            let service = (f64::from(capacity), f64::from(millis) / 1e3);
            run(&mut gradient, &mut now, service, u32::MAX, 600);
            let base = gradient.base();
            let hung = now + Duration::from_secs(15);
            while now < hung {
                now += Duration::from_millis(patience);
                let taken = Duration::from_millis(patience);
                let most_under_way = gradient.limit();
                gradient.learn(&WindowSample { taken, in_vain: true, most_under_way, now });
            }
            prop_assert!(gradient.limit() <= 5, "{} after 15 s of silence", gradient.limit());
            prop_assert_eq!(gradient.base(), base, "silence is no measure of speed");
            let limits = run(&mut gradient, &mut now, service, u32::MAX, 600);
            prop_assert!(fits(limits[599], f64::from(capacity)), "{limits:?}");
        }

        #[test]
        fn a_limit_that_nobody_needs_does_not_grow(wanted in 1_u32..9) {
            let (mut gradient, mut now) = (Gradient::new(settings(5, 10_000)), Duration::ZERO);
            let limits = run(&mut gradient, &mut now, (100.0, 0.01), wanted, 300);
            prop_assert!(limits.iter().all(|limit| *limit <= 20), "{limits:?}");
        }
    }
}
