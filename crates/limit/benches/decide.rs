//! What one decision costs: `cargo bench -p torana-limit`. Ends with an error where one of a single window, or of a
//! lease, costs more than its bar, unless `-- --quick` or without optimisation.
#![allow(
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    reason = "a program that measures and prints"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};
use torana_limit::{
    Ask, Budget, FixedWindow, Gcra, Key, KeyedLimiter, Lease, Period, SlidingWindow, Step, Window,
};

const ROUNDS: u64 = 2_000_000;
const CALLERS: u64 = 10_000;

/// The most that a decision may cost, in nanoseconds.
const LOCAL: f64 = 150.0;
const LEASED: f64 = 250.0;

/// Prints the least of five measurements, in nanoseconds for one decision, and says whether it is above the bar.
fn measure(name: &str, bar: Option<f64>, mut decide: impl FnMut(u64)) -> bool {
    let least = (0..5)
        .map(|_| {
            let start = Instant::now();
            for round in 0..ROUNDS {
                decide(round);
            }
            start.elapsed()
        })
        .min()
        .unwrap_or_default();
    let least = least.as_nanos() as f64 / ROUNDS as f64;
    let above = bar.is_some_and(|bar| least > bar);
    println!("{name:<44} {least:>7.1} ns{}", if above { "  above its bar" } else { "" });
    above
}

fn keyed(name: &str, bar: Option<f64>, budget: Budget) -> bool {
    let limiter = KeyedLimiter::new(budget, 100_000);
    let mut now = Duration::from_secs(1_700_000_000);
    measure(name, bar, |round| {
        now += Duration::from_nanos(500);
        let caller = (round % CALLERS).to_be_bytes();
        let grant = limiter.take(Key { kind: 1, bytes: &caller }, now, Ask::exactly(1));
        black_box(grant.granted);
    })
}

fn main() {
    let second = Duration::from_secs(1);
    let steady = Window::Gcra(Gcra::new(100, second, 100));
    let fixed = Window::Fixed(FixedWindow::new(100, Period::Span(second)));
    let month = Window::Fixed(FixedWindow::new(1_000_000, Period::Month));
    let sliding = Window::Sliding(SlidingWindow::new(100, second));
    let quick = std::env::args().any(|word| word == "--quick") || cfg!(debug_assertions);
    let mut above = false;
    for (name, window) in [("steady", steady), ("fixed", fixed), ("sliding", sliding)] {
        above |= keyed(name, Some(LOCAL), Budget::new(window, Vec::new()));
    }
    above |= keyed("steady, fixed and a month together", None, Budget::new(steady, vec![fixed, month]));
    let budget = Budget::new(Window::Gcra(Gcra::new(1_000_000, second, 1_000_000)), Vec::new())
        .leased(Duration::from_millis(100));
    let (mut ledger, mut lease) = (budget.ledger(), Lease::default());
    let mut now = Duration::from_secs(1_700_000_000);
    above |= measure("lease, the store's decisions included", Some(LEASED), |_| {
        now += Duration::from_nanos(1_500);
        let step = lease.step(now, 1, false);
        let (want, own) = match step {
            Step::Ask { want, least } => (Some(want), least),
            _ => (lease.refill(now), 0),
        };
        if let Some(want) = want {
            let grant = budget.take(&mut ledger, now, Ask::up_to(want, 1));
            black_box(lease.granted(now, now, own, &grant));
        }
        black_box(step);
    });
    if above && !quick {
        std::process::exit(1);
    }
}
