//! What `Date` says on answers that come without it (RFC 9110 section 6.6.1): when they were received, or made.

use crate::clock::{later, now, recently};
use std::cell::RefCell;
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
const LENGTH: usize = 29;

/// The text of one second.
struct Stamp {
    text: [u8; LENGTH],
    /// When the second is over.
    until: Instant,
}

impl Stamp {
    fn new(wall: SystemTime, at: Instant) -> Self {
        let mut text = [b' '; LENGTH];
        // Years have four digits for as long as anybody will run this.
        let _ = write!(&mut text[..], "{}", httpdate::HttpDate::from(wall));
        let into_second = wall.duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos();
        let left = Duration::from_secs(1).saturating_sub(Duration::from_nanos(into_second.into()));
        Self { text, until: later(at, left) }
    }
}

thread_local! {
    static STAMP: RefCell<Option<Stamp>> = const { RefCell::new(None) };
}

/// Lends the value of `Date`, which is made once a second by each thread. Where the wall's clock is set, answers of
/// that second still have the time before.
pub(crate) fn with_date<T>(lend: impl FnOnce(&[u8; LENGTH]) -> T) -> T {
    STAMP.with_borrow_mut(|stamp| {
        let known = stamp.take().filter(|stamp| recently() < stamp.until);
        let stamp = stamp.insert(known.unwrap_or_else(|| Stamp::new(SystemTime::now(), now())));
        lend(&stamp.text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_second_that_it_is_and_lasts_as_long() {
        let wall = UNIX_EPOCH + Duration::new(784_111_777, 250_000_000);
        let at = now();
        let stamp = Stamp::new(wall, at);
        assert_eq!(&stamp.text, b"Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(stamp.until - at, Duration::from_millis(750));
    }

    #[test]
    fn it_is_renewed_when_its_second_is_over() {
        let old = Stamp::new(UNIX_EPOCH, now() - Duration::from_secs(2));
        STAMP.set(Some(old));
        with_date(|text| assert_ne!(text, b"Thu, 01 Jan 1970 00:00:00 GMT"));
        let fresh = Stamp::new(UNIX_EPOCH, now() + Duration::from_secs(60));
        STAMP.set(Some(fresh));
        with_date(|text| assert_eq!(text, b"Thu, 01 Jan 1970 00:00:00 GMT"));
    }
}
