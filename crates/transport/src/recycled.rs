//! Response heads between two requests: their room is used again.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use torana_http::ResponseHead;

/// More than this many at once are not kept.
const KEPT: usize = 64;

thread_local! {
    static SPARE: RefCell<Vec<ResponseHead>> = const { RefCell::new(Vec::new()) };
}

/// A head that this worker lends; empty at first.
#[derive(Debug, Default)]
pub struct Recycled(ResponseHead);

impl Recycled {
    /// Takes a head of this worker.
    #[must_use]
    pub fn take() -> Self {
        Self(SPARE.with(|spare| spare.borrow_mut().pop()).unwrap_or_default())
    }
}

impl Deref for Recycled {
    type Target = ResponseHead;

    fn deref(&self) -> &ResponseHead {
        &self.0
    }
}

impl DerefMut for Recycled {
    fn deref_mut(&mut self) -> &mut ResponseHead {
        &mut self.0
    }
}

impl Drop for Recycled {
    fn drop(&mut self) {
        let mut head = std::mem::take(&mut self.0);
        head.clear();
        // A thread that is ending has no spare list any more; the head is simply freed then.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < KEPT {
                spare.push(head);
            }
        });
    }
}
