//! Short texts without allocation.

use std::fmt::{Display, Write};

/// Room for the longest address with port, number or name written here.
const ROOM: usize = 64;

/// A text of up to 64 bytes on the stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShortText {
    bytes: [u8; ROOM],
    length: usize,
}

impl ShortText {
    /// Writes a value out. What does not fit is left out; callers write addresses and numbers, which do.
    pub(crate) fn of(value: impl Display) -> Self {
        let mut text = Self { bytes: [0; ROOM], length: 0 };
        // The only error is that the room is used up; see above.
        let _ = write!(text, "{value}");
        text
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl Write for ShortText {
    fn write_str(&mut self, piece: &str) -> std::fmt::Result {
        let end = self.length.saturating_add(piece.len());
        let room = self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?;
        room.copy_from_slice(piece.as_bytes());
        self.length = end;
        Ok(())
    }
}
