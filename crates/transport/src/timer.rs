//! One timer a connection, re-armed lazily.
//!
//! A deadline that moves with every request would cost an insertion into the timer wheel each time. Here
//! the wheel's entry is left where it is while the deadlines that are waited for lie later; when it fires
//! too early it is set anew. All waits of one connection happen in one task, so they share it.

use crate::clock::now;
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use tokio::time::{Instant, Sleep, sleep_until};
use torana_fault::{Fault, Reason};

/// The timer of one connection's task.
#[derive(Debug, Default)]
pub struct Timer {
    sleep: RefCell<Option<Pin<Box<Sleep>>>>,
}

impl Timer {
    /// Ready once `deadline` has passed; until then the task will be woken at that time at the latest.
    pub fn poll_deadline(&self, context: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let mut slot = self.sleep.borrow_mut();
        let sleep = slot.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.is_elapsed() {
            if now() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        } else if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        match sleep.as_mut().poll(context) {
            Poll::Ready(()) if now() >= deadline => Poll::Ready(()),
            Poll::Ready(()) => {
                sleep.as_mut().reset(deadline);
                sleep.as_mut().poll(context)
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
