//! Cases that wait for long and have nothing to do with each other, at once.

/// Does the same for each, all at once, each on a thread of its own.
///
/// # Panics
/// One of them has panicked; all others have ended by then.
pub fn side_by_side<T: Send>(cases: impl IntoIterator<Item = T>, each: impl Fn(T) + Sync) {
    let each = &each;
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(move || each(case));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::side_by_side;
    use std::sync::Barrier;

    #[test]
    fn all_are_under_way_at_once() {
        let all = Barrier::new(3);
        side_by_side(0..3, |_| {
            all.wait();
        });
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn one_that_panics_fails_all() {
        side_by_side([false, true], |fails| assert!(!fails));
    }
}
