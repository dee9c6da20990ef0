//! Short texts without allocation.

use std::fmt::{Display, Write};
use std::net::IpAddr;

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

    /// An IP address. That of IPv4 is written without the machinery of formatting.
    pub(crate) fn address(address: IpAddr) -> Self {
        let IpAddr::V4(address) = address else { return Self::of(address) };
        let mut text = Self { bytes: [0; ROOM], length: 0 };
        for (place, octet) in address.octets().into_iter().enumerate() {
            if place > 0 {
                text.push(b'.');
            }
            text.digits(octet);
        }
        text
    }

    /// A number.
    pub(crate) fn number(number: u16) -> Self {
        let mut text = Self { bytes: [0; ROOM], length: 0 };
        text.digits(number);
        text
    }

    fn digits(&mut self, number: impl itoa::Integer) {
        // The room holds what is written here; see above.
        let _ = self.write_str(itoa::Buffer::new().format(number));
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length = self.length.saturating_add(1);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_addresses_are_written_as_the_library_does() {
        for number in [0, 9, 10, 99, 100, 9_999, 10_000, u16::MAX] {
            assert_eq!(ShortText::number(number).as_bytes(), number.to_string().as_bytes());
        }
        for address in ["0.0.0.0", "10.20.3.255", "255.255.255.255", "::1", "2001:db8::1:2"] {
            let parsed: IpAddr = address.parse().unwrap();
            assert_eq!(ShortText::address(parsed).as_bytes(), address.as_bytes());
        }
    }
}
