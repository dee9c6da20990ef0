//! What requests hold at this moment, for the metrics: a leak shows as a number that stays above zero.
//!
//! Each thread counts on its own and is the only one to write its numbers, so that counting costs a plain
//! addition. Only whoever reads the metrics adds the threads up.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

static THREADS: Mutex<Vec<Arc<Counters>>> = Mutex::new(Vec::new());

thread_local! {
    static OWN: Arc<Counters> = register();
}

#[derive(Debug, Default)]
struct Counters {
    requests: AtomicUsize,
    buffers: AtomicUsize,
}

/// What all threads together hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Requests whose response has not ended.
    pub requests: usize,
    /// Read buffers that are lent to a message.
    pub buffers: usize,
}

impl Usage {
    /// Adds all threads up. A thread that counts meanwhile may be seen before or after.
    #[must_use]
    pub fn now() -> Self {
        let mut threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
        // A thread that has ended holds nothing.
        threads.retain(|counters| Arc::strong_count(counters) > 1);
        let sum = |select: fn(&Counters) -> &AtomicUsize| {
            threads
                .iter()
                .fold(0_usize, |sum, counters| sum.wrapping_add(select(counters).load(Ordering::Relaxed)))
        };
        Self { requests: sum(|counters| &counters.requests), buffers: sum(|counters| &counters.buffers) }
    }
}

fn register() -> Arc<Counters> {
    let counters = Arc::new(Counters::default());
    THREADS.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&counters));
    counters
}

fn change(select: fn(&Counters) -> &AtomicUsize, by: usize) {
    // A thread that is ending counts no more.
    let _ = OWN.try_with(|own| {
        let number = select(own);
        number.store(number.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
    });
}

pub(crate) fn buffer_lent() {
    change(|counters| &counters.buffers, 1);
}

pub(crate) fn buffer_returned() {
    change(|counters| &counters.buffers, usize::MAX);
}

/// Counts a request until it is dropped, on the thread that it was made on.
#[derive(Debug)]
pub struct RequestInFlight(());

impl RequestInFlight {
    /// A request begins.
    #[must_use]
    pub fn begin() -> Self {
        change(|counters| &counters.requests, 1);
        Self(())
    }
}

impl Drop for RequestInFlight {
    fn drop(&mut self) {
        change(|counters| &counters.requests, usize::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Buffer;
    use std::sync::mpsc::channel;

    #[test]
    fn what_is_held_is_counted_over_threads_and_given_back() {
        // Other tests of this process hold buffers too; requests only this one does.
        let (hold, held) = channel::<()>();
        let (tell, told) = channel();
        let thread = std::thread::spawn(move || {
            let (request, mut buffer) = (RequestInFlight::begin(), Buffer::empty());
            let _ = buffer.room(1);
            tell.send(()).unwrap();
            let _ended = held.recv();
            drop((request, buffer));
        });
        told.recv().unwrap();
        let own = RequestInFlight::begin();
        let both = Usage::now();
        assert!((both.requests, both.buffers >= 1) == (2, true), "{both:?}");
        drop((own, hold));
        thread.join().unwrap();
        assert_eq!(Usage::now().requests, 0);
    }
}
