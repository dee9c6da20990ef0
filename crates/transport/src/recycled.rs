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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spare_heads_are_bounded_in_number_and_empty() {
        let many: Vec<Recycled> = (0..3 * KEPT)
            .map(|_| {
                let mut head = Recycled::take();
                head.status = 200;
                head.fields.append("x-secret", b"of one request").unwrap();
                head
            })
            .collect();
        drop(many);
        SPARE.with_borrow(|spare| {
            assert_eq!(spare.len(), KEPT);
            assert!(spare.iter().all(|head| head.status == 0 && head.fields.get("x-secret").is_none()));
        });
    }
}
