//! One timer a connection, re-armed lazily.
//!
//! A deadline that moves with every request would cost an insertion into the timer wheel each time. Here
//! the wheel's entry is left where it is while the deadlines that are waited for lie later; when it fires
//! too early it is set anew. All waits of one connection happen in one task, so they share it, and what
//! wakes that task is told to the wheel once and not with every wait.

use crate::clock::now;
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use tokio::time::{Instant, Sleep, sleep_until};
use torana_fault::{Fault, Reason};

/// The timer of one connection's task.
#[derive(Debug, Default)]
pub struct Timer {
    sleep: RefCell<Option<Armed>>,
}

#[derive(Debug)]
struct Armed {
    sleep: Pin<Box<Sleep>>,
    /// Whom the wheel wakes when it fires; nobody before the first poll and after a reset.
    waker: Option<Waker>,
}

impl Armed {
    fn reset(&mut self, deadline: Instant) {
        self.sleep.as_mut().reset(deadline);
        self.waker = None;
    }

    /// As of the sleep itself, which needs no asking while it will wake this task.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            return if self.sleep.is_elapsed() { Poll::Ready(()) } else { Poll::Pending };
        }
        // A task that has used up its turn is sent away before anybody is told of it.
        let is_heard = tokio::task::coop::has_budget_remaining();
        let polled = self.sleep.as_mut().poll(context);
        self.waker = (is_heard && polled.is_pending()).then(|| context.waker().clone());
        polled
    }
}

impl Timer {
    /// Ready once `deadline` has passed; until then the task will be woken at that time at the latest.
    pub fn poll_deadline(&self, context: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let mut slot = self.sleep.borrow_mut();
        let armed = slot.get_or_insert_with(|| Armed { sleep: Box::pin(sleep_until(deadline)), waker: None });
        if armed.sleep.deadline() > deadline {
            armed.reset(deadline);
        }
        match armed.poll(context) {
            Poll::Ready(()) if now() >= deadline => Poll::Ready(()),
            Poll::Ready(()) => {
                armed.reset(deadline);
                armed.poll(context)
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Runs `future`, but fails with `reason` when `deadline` passes first.
///
/// # Errors
/// The deadline has passed.
pub async fn within<F: Future>(
    timer: &Timer,
    deadline: Instant,
    reason: Reason,
    future: F,
) -> Result<F::Output, Fault> {
    let mut future = pin!(future);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Ok(output)),
        Poll::Pending => timer.poll_deadline(context, deadline).map(|()| Err(Fault::new(reason))),
    })
    .await
}
