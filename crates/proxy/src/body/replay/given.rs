//! What a body that streams has given out.

use torana_limit::Reserved;

/// The bytes from the first one on, up to a bound: with them a body can begin again while the rest of it still comes.
#[derive(Debug)]
pub(super) struct Given {
    bytes: Vec<u8>,
    most: usize,
    /// They count for as long as this lives.
    reserved: Option<Reserved>,
}

impl Given {
    pub(super) const fn new(most: usize, reserved: Option<Reserved>) -> Self {
        Self { bytes: Vec::new(), most, reserved }
    }

    /// Adds what is given out next; `false`: that is too much, or there is no room for it.
    pub(super) fn add(&mut self, data: &[u8]) -> bool {
        let needed = self.bytes.len().saturating_add(data.len());
        if needed > self.most {
            return false;
        }
        if needed > self.bytes.capacity() {
            // What is asked of the allocator is what is counted.
            let room = needed.max(self.bytes.capacity().saturating_mul(2)).min(self.most);
            if self.reserved.as_mut().is_some_and(|reserved| reserved.cover(room).is_err()) {
                return false;
            }
            self.bytes.reserve_exact(room.saturating_sub(self.bytes.len()));
        }
        self.bytes.extend_from_slice(data);
        true
    }

    /// Adds nothing more: what is given out next is too much.
    pub(super) const fn stop(&mut self) {
        self.most = 0;
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
