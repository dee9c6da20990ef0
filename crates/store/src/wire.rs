//! A budget as the script's arguments.

use torana_limit::{Budget, Period, SlidingWindow, Window};

/// A double counts exactly below this.
const EXACT: u128 = 1 << 53;
/// The finest part of a microsecond where a finer one would not be counted exactly.
const COARSE: u128 = 1_000;

/// Whether a store can count the budget exactly.
#[must_use]
pub fn fits(budget: &Budget) -> bool {
    budget.windows().all(|window| match window {
        Window::Gcra(gcra) => {
            let micros = gcra.in_micros();
            let all = micros.tolerance.saturating_add(micros.step);
            all.checked_div(micros.denominator).is_some_and(|all| all < EXACT / 4)
                && u128::from(gcra.burst()) < EXACT / (2 * COARSE)
        }
        Window::Fixed(_) | Window::Sliding(_) => true,
    })
}

/// Eight arguments for each window.
pub(crate) fn arguments(budget: &Budget) -> Vec<String> {
    budget.windows().flat_map(window).collect()
}

fn window(window: &Window) -> [String; 8] {
    let zero = || "0".to_owned();
    match window {
        Window::Gcra(gcra) => {
            let mut micros = gcra.in_micros();
            // The largest product that is made is burst times a part of a microsecond.
            if u128::from(gcra.burst()).saturating_mul(micros.denominator) >= EXACT / 2 {
                // A longer step and a smaller tolerance: never more than the limit.
                let scale = |units: u128| units.saturating_mul(COARSE);
                let step = scale(micros.step).div_ceil(micros.denominator.max(1));
                let tolerance = scale(micros.tolerance).checked_div(micros.denominator).unwrap_or(0);
                (micros.step, micros.tolerance, micros.denominator) = (step, tolerance, COARSE);
            }
            let parts = |units: u128| {
                let whole = units.checked_div(micros.denominator).unwrap_or(0);
                let part = units.checked_rem(micros.denominator).unwrap_or(0);
                [whole.to_string(), part.to_string()]
            };
            let ([step, step_part], [tolerance, tolerance_part]) =
                (parts(micros.step), parts(micros.tolerance));
            let hold = gcra.hold().as_micros().to_string();
            [
                "steady".into(),
                step,
                step_part,
                tolerance,
                tolerance_part,
                micros.denominator.to_string(),
                hold,
                gcra.most_owed().as_micros().to_string(),
            ]
        }
        Window::Fixed(fixed) => {
            let period = match fixed.period() {
                Period::Span(span) => span.as_micros().max(1).to_string(),
                Period::Month => "month".into(),
                Period::Year => "year".into(),
            };
            let length = fixed.period().length().as_micros().to_string();
            let (limit, owed) = (fixed.limit().to_string(), fixed.most_owed().to_string());
            ["fixed".into(), limit, period, length, zero(), zero(), zero(), owed]
        }
        Window::Sliding(sliding) => {
            let segment = sliding.segment().as_micros().to_string();
            let count = SlidingWindow::segments().to_string();
            let (limit, owed) = (sliding.limit().to_string(), sliding.most_owed().to_string());
            ["sliding".into(), limit, segment, count, zero(), zero(), zero(), owed]
        }
    }
}
