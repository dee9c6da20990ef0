//! How much of the work is shed when it waits too long before it is served.
//!
//! What is measured is the delay between the moment at which work could be done and the moment at which its
//! turn comes. As in CoDel (RFC 8289) the *least* delay of an interval counts: a burst that is worked off leaves
//! a small one behind, only a queue that stands does not. Shedding goes by importance, as in DAGOR (Zhou et al.,
//! "Overload Control for Scaling WeChat Microservices", 2018): pressure from 0 to 1 sheds that share of the
//! lowest class, from 1 to 2 all of it and a share of the next, and so on; of the highest a tenth always passes.
//!
//! Rule, at the end of each interval with at least two measurements: above the target `pressure += min(delay /
//! target, 4) / 8`, else `pressure -= 1/16`. Trade-off: quicker up than down, so that an overload does not
//! swing; a process that was stopped as a whole for a moment sheds nothing.

use std::time::Duration;

/// Pressure is counted in these parts of one; a power of two.
const PARTS: u32 = 256;
/// Where it ends: nine tenths of the highest class.
const MOST: u16 = 998;
const UP: u32 = PARTS / 8;
const DOWN: u16 = 16;

/// When work waits too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueDelay {
    /// Waiting longer than this is too long.
    pub target: Duration,
    /// For so long it must not have been shorter.
    pub interval: Duration,
}

/// How important work is, the least first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Importance {
    /// Shed first.
    Low,
    /// Shed when all of `Low` is.
    #[default]
    Normal,
    /// Shed when all of `Normal` is.
    High,
    /// Shed last, and never all of it.
    Critical,
}

impl Importance {
    /// All, the least first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Critical];

    /// The name in configuration, metrics and logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// A dense number from zero.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// What one worker has measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pressure {
    level: u16,
    least: Option<Duration>,
    measured: u32,
    ends: Option<Duration>,
}

impl Pressure {
    /// Takes a measurement; `now` never goes back.
    pub fn measure(&mut self, now: Duration, delay: Duration, rules: &QueueDelay) {
        let ends = *self.ends.get_or_insert_with(|| now.saturating_add(rules.interval));
        self.least = Some(self.least.map_or(delay, |least| least.min(delay)));
        self.measured = self.measured.saturating_add(1);
        if now < ends || self.measured < 2 {
            return;
        }
        let least = self.least.unwrap_or_default();
        if least > rules.target {
            let eighths = UP.saturating_mul(quotient(least, rules.target));
            let more = u16::try_from(eighths / PARTS).unwrap_or(MOST);
            self.level = self.level.saturating_add(more).min(MOST);
        } else {
            self.level = self.level.saturating_sub(DOWN);
        }
        (self.least, self.measured, self.ends) = (None, 0, Some(now.saturating_add(rules.interval)));
    }

    /// The pressure for [`sheds`]; zero sheds nothing.
    #[must_use]
    pub const fn level(&self) -> u16 {
        self.level
    }
}

/// A quotient in parts of one, at most four.
fn quotient(delay: Duration, target: Duration) -> u32 {
    let parts = delay.as_micros().saturating_mul(u128::from(PARTS));
    let parts = parts.checked_div(target.as_micros()).unwrap_or(u128::MAX);
    u32::try_from(parts).unwrap_or(u32::MAX).min(PARTS.saturating_mul(4))
}

/// Whether work is shed at this level; `random` spreads the share of a class.
#[must_use]
pub fn sheds(level: u16, importance: Importance, random: u64) -> bool {
    let parts = u64::from(PARTS);
    let before = parts.saturating_mul(importance.index() as u64);
    let share = u64::from(level).saturating_sub(before).min(parts);
    random.checked_rem(parts).is_some_and(|part| part < share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: QueueDelay =
        QueueDelay { target: Duration::from_millis(20), interval: Duration::from_millis(100) };
    const TICK: Duration = Duration::from_millis(10);

    fn share(level: u16, importance: Importance) -> usize {
        (0..256).filter(|random| sheds(level, importance, *random)).count()
    }

    #[test]
    fn the_least_important_is_shed_first_and_some_of_the_most_important_always_passes() {
        let at = |level| Importance::ALL.map(|importance| share(level, importance));
        assert_eq!(at(0), [0, 0, 0, 0]);
        assert_eq!(at(128), [128, 0, 0, 0]);
        assert_eq!(at(300), [256, 44, 0, 0]);
        assert_eq!(at(768), [256, 256, 256, 0]);
        assert_eq!(at(MOST), [256, 256, 256, 230]);
    }

    #[test]
    fn a_burst_that_is_worked_off_sheds_nothing_and_a_standing_queue_does() {
        let mut pressure = Pressure::default();
        let mut now = Duration::ZERO;
        for tick in 0..1_000_u32 {
            now += TICK;
            let delay = if tick % 9 == 0 { Duration::from_millis(1) } else { Duration::from_millis(80) };
            pressure.measure(now, delay, &RULES);
        }
        assert_eq!(pressure.level(), 0);
        for _ in 0..50 {
            now += TICK;
            pressure.measure(now, Duration::from_millis(80), &RULES);
        }
        assert!(pressure.level() >= 256, "all of the lowest within half a second: {pressure:?}");
        for _ in 0..1_000 {
            now += TICK;
            pressure.measure(now, Duration::from_millis(2), &RULES);
        }
        assert_eq!(pressure.level(), 0);
    }

    #[test]
    fn one_pause_of_the_whole_process_sheds_nothing() {
        let mut pressure = Pressure::default();
        pressure.measure(TICK, Duration::ZERO, &RULES);
        pressure.measure(Duration::from_secs(9), Duration::from_secs(9), &RULES);
        assert_eq!(pressure.level(), 0);
        pressure.measure(Duration::from_secs(19), Duration::from_secs(9), &RULES);
        assert_eq!(pressure.level(), 0, "one measurement is not a queue");
    }

    /// A worker that can serve `capacity` a second and is offered `offered`, a quarter of each importance. What
    /// is shed costs a tenth of what is served.
    fn simulate(capacity: f64, offered: impl Fn(u32) -> f64, ticks: u32) -> (Pressure, Vec<f64>) {
        let (mut pressure, mut queue, mut now) = (Pressure::default(), 0.0, Duration::ZERO);
        let mut delays = Vec::new();
        for tick in 0..ticks {
            now += TICK;
            let each = offered(tick) * TICK.as_secs_f64() / 4.0;
            for importance in Importance::ALL {
                let before = 256.0 * importance.index() as f64;
                let shed = ((f64::from(pressure.level()) - before) / 256.0).clamp(0.0, 1.0);
                queue += each * (1.0 - shed) + each * shed * 0.1;
            }
            queue = (queue - capacity * TICK.as_secs_f64()).max(0.0);
            let delay = queue / capacity;
            pressure.measure(now, Duration::from_secs_f64(delay), &RULES);
            delays.push(delay);
        }
        (pressure, delays)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn an_overload_is_held_and_left_behind(factor in 1.1_f64..4.0) {
            let offered = |tick| if tick < 6_000 { 10_000.0 * factor } else { 5_000.0 };
            let (pressure, delays) = simulate(10_000.0, offered, 20_000);
            // In the second half minute of overload the queue is held near the target.
            let worst = delays[3_000..6_000].iter().copied().fold(0.0, f64::max);
            prop_assert!(worst < 1.0, "{worst}");
            prop_assert_eq!(pressure.level(), 0);
            prop_assert!(delays.last().copied().unwrap_or_default() < 0.02);
        }

        #[test]
        fn the_level_stays_in_its_bounds(delays in prop::collection::vec(0_u64..10_000_000, 1..500)) {
            let (mut pressure, mut now) = (Pressure::default(), Duration::ZERO);
            for delay in delays {
                now += Duration::from_millis(60);
                pressure.measure(now, Duration::from_micros(delay), &RULES);
                prop_assert!(pressure.level() <= MOST);
            }
        }
    }
}
