//! Waiting for a state by asking again and again, with a deadline.

use std::time::{Duration, Instant};

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
pub fn eventually_some<T>(deadline: Duration, mut question: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = question() {
            return value;
        }
        assert!(start.elapsed() < deadline, "the condition did not hold within {deadline:?}");
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
