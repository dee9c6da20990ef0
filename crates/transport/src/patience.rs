//! How long a peer is waited for while it sends or takes a body.
//!
//! Two bounds: the longest wait for a next byte, and a lowest average rate. The second one ends a drip, which
//! keeps within the first for ever. Only time spent waiting for the peer counts, so a gateway that is held
//! up by its other side blames nobody. With `idle` as grace, what may be waited for in all after `n` bytes is
//! `idle + n / rate`.

use crate::clock::{FOREVER, later, now};
use crate::timer::Timer;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// The patience with one direction of one message.
#[derive(Debug)]
pub(crate) struct Patience {
    idle: Duration,
    /// Bytes a second; 0 asks for none.
    rate: u64,
    /// Since when the peer is waited for, and until when.
    waiting: Option<(Instant, Instant)>,
    waited: Duration,
    bytes: u64,
}

impl Patience {
    /// Waits `idle` for each next byte, and no longer in all than `rate` bytes a second allow; 0 allows any.
    pub(crate) const fn new(idle: Duration, rate: u64) -> Self {
        Self { idle, rate, waiting: None, waited: Duration::ZERO, bytes: 0 }
    }

    /// Waits for ever; somebody else watches.
    pub(crate) const fn endless() -> Self {
        Self::new(FOREVER, 0)
    }

    /// Waits so long for each next byte, however few they are.
    pub(crate) fn bearing(most: Duration) -> Self {
        Self::new(most.min(FOREVER), 0)
    }

    /// Ready when the peer has been waited for long enough.
    pub(crate) fn poll(&mut self, timer: &Timer, context: &mut Context<'_>) -> Poll<()> {
        let (_, deadline) = match self.waiting {
            Some(waiting) => waiting,
            None => {
                let now = now();
                let allowed = self.allowed();
                *self.waiting.insert((now, later(now, allowed)))
            }
        };
        timer.poll_deadline(context, deadline)
    }

    /// The peer has sent or taken `count` bytes.
    pub(crate) fn progress(&mut self, count: usize) {
        if let Some((since, _)) = self.waiting.take()
            && self.rate > 0
        {
            self.waited = self.waited.saturating_add(now().duration_since(since));
        }
        self.bytes = self.bytes.saturating_add(count as u64);
    }

    fn allowed(&self) -> Duration {
        let Some(earned) = self.bytes.checked_div(self.rate) else { return self.idle };
        let in_all = self.idle.saturating_add(Duration::from_secs(earned));
        in_all.saturating_sub(self.waited).min(self.idle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    async fn drip(mut patience: Patience, pause: Duration, bytes: usize) -> usize {
        let timer = Timer::default();
        for piece in 0..1_000 {
            let end = now() + pause;
            let late = poll_fn(|context| match patience.poll(&timer, context) {
                Poll::Ready(()) => Poll::Ready(true),
                Poll::Pending => timer.poll_deadline(context, end).map(|()| false),
            });
            if late.await {
                return piece;
            }
            patience.progress(bytes);
        }
        1_000
    }

    #[tokio::test(start_paused = true)]
    async fn a_drip_ends_and_a_steady_stream_does_not() {
        let second = Duration::from_secs(1);
        let patience = || Patience::new(second * 10, 100);
        let pieces = drip(patience(), second, 1).await;
        assert!((9..=10).contains(&pieces), "a byte a second earns next to nothing: {pieces}");
        assert_eq!(drip(patience(), second, 100).await, 1_000, "the rate itself is enough");
        assert_eq!(drip(patience(), second * 11, 100_000).await, 0, "no rate excuses a long silence");
        assert_eq!(drip(Patience::new(second * 10, 0), second * 9, 1).await, 1_000, "no rate is asked for");
    }
}
