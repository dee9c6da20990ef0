//! Waiting for a state by asking again and again, with a deadline.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const PAUSE: Duration = Duration::from_millis(2);

/// Asks `condition` until it says true.
///
/// # Panics
/// At the call's place when `deadline` has passed first.
#[track_caller]
pub fn eventually(deadline: Duration, mut condition: impl FnMut() -> bool) {
    eventually_some(deadline, || condition().then_some(()));
}

/// Asks `question` until it returns a value, and returns it.
///
/// # Panics
/// At the call's place when `deadline` has passed first.
#[track_caller]
pub fn eventually_some<T>(deadline: Duration, question: impl FnMut() -> Option<T>) -> T {
    let Some(value) = asked_within(deadline, question) else {
        panic!("the condition did not hold within {deadline:?}")
    };
    value
}

/// Asks `condition` until it says true; whether it did before `deadline`, for a test that has more to say than
/// that it did not.
#[must_use]
pub fn within(deadline: Duration, mut condition: impl FnMut() -> bool) -> bool {
    asked_within(deadline, || condition().then_some(())).is_some()
}

/// Waits until midnight (UTC) is over when it is less than a minute away: what a test counts in a day must not
/// begin anew in the middle of it.
pub fn not_at_midnight() {
    const DAY: u64 = 24 * 60 * 60;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let left = Duration::from_secs(DAY - since.as_secs() % DAY);
    if left < Duration::from_secs(60) {
        std::thread::sleep(left + PAUSE);
    }
}

fn asked_within<T>(deadline: Duration, mut question: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = question() {
            return Some(value);
        }
        if start.elapsed() >= deadline {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_comes_true_is_awaited() {
        let mut asked = 0;
        eventually(Duration::from_secs(5), || {
            asked += 1;
            asked == 3
        });
        assert_eq!(asked, 3);
    }

    #[test]
    #[should_panic(expected = "did not hold within")]
    fn a_condition_that_stays_false_panics() {
        eventually(Duration::from_millis(5), || false);
    }
}
