//! Where frames begin in a stream of bytes (RFC 9113 section 4.1): headers only, payloads are passed over.

use super::PREFACE;

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    /// Bytes of the payload.
    pub(super) length: u32,
    /// The type.
    pub(super) kind: u8,
    /// The flags; their meaning depends on the type.
    pub(super) flags: u8,
    /// The stream, zero for the connection.
    pub(super) stream: u32,
}

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const CONTINUATION: u8 = 9;

/// `END_STREAM` of DATA and HEADERS.
pub(super) const END_STREAM: u8 = 1;
/// `PADDED` of DATA and HEADERS.
pub(super) const PADDED: u8 = 8;
/// `PRIORITY` of HEADERS.
pub(super) const PRIORITY: u8 = 0x20;
/// `ACK` of SETTINGS and PING.
pub(super) const ACK: u8 = 1;
/// `END_HEADERS` of HEADERS and CONTINUATION.
pub(super) const END_HEADERS: u8 = 4;

pub(super) const HEADER_BYTES: usize = 9;

impl FrameHeader {
    const fn of(bytes: [u8; HEADER_BYTES]) -> Self {
        let [a, b, c, kind, flags, s0, s1, s2, s3] = bytes;
        let stream = u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]);
        Self { length: u32::from_be_bytes([0, a, b, c]), kind, flags, stream }
    }

    /// The header that these bytes begin with, and what is behind it.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (header, rest) = bytes.split_first_chunk()?;
        Some((Self::of(*header), rest))
    }
}

/// Finds frame headers, however the bytes are cut.
#[derive(Debug)]
pub(super) struct Frames {
    /// Bytes to pass over: the rest of the preface, or of a payload.
    skip: u64,
    header: [u8; HEADER_BYTES],
    have: usize,
    /// Whether what is passed over belongs to a message.
    in_message: bool,
}

impl Frames {
    /// Begins before the preface.
    pub(super) const fn after_preface() -> Self {
        Self { skip: PREFACE.len() as u64, ..Self::at_once() }
    }

    /// Begins with a frame.
    pub(super) const fn at_once() -> Self {
        Self { skip: 0, header: [0; HEADER_BYTES], have: 0, in_message: false }
    }

    /// Whether the payload of the last frame was passed over to its end.
    pub(super) const fn is_past_payload(&self) -> bool {
        self.skip == 0
    }

    /// Bytes of a header that has not come whole.
    pub(super) const fn begun(&self) -> usize {
        self.have
    }

    /// Whether the next bytes are the rest of a frame of a message: DATA or a field section.
    pub(super) const fn is_in_message(&self) -> bool {
        self.skip > 0 && self.in_message
    }

    /// Takes bytes up to the end of the next frame header. `None`: all bytes are used up.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Option<FrameHeader> {
        let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
        *bytes = bytes.get(skipped..).unwrap_or_default();
        self.skip = self.skip.saturating_sub(skipped as u64);
        if bytes.is_empty() {
            return None;
        }
        let wanted = HEADER_BYTES.saturating_sub(self.have).min(bytes.len());
        let (taken, rest) = bytes.split_at(wanted);
        *bytes = rest;
        for (to, from) in self.header.iter_mut().skip(self.have).zip(taken) {
            *to = *from;
        }
        self.have = self.have.saturating_add(wanted);
        if self.have < HEADER_BYTES {
            return None;
        }
        self.have = 0;
        let header = FrameHeader::of(self.header);
        self.skip = u64::from(header.length);
        self.in_message = matches!(header.kind, DATA | HEADERS | CONTINUATION);
        Some(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn frames_are_found_however_the_bytes_are_cut(
            frames in prop::collection::vec((0_u32..70, any::<u8>(), any::<u8>(), 0_u32..0x7fff_ffff), 0..20),
            cut in 1_usize..40,
        ) {
            let mut bytes = PREFACE.to_vec();
            for (length, kind, flags, stream) in &frames {
                bytes.extend_from_slice(&length.to_be_bytes()[1..]);
                bytes.extend_from_slice(&[*kind, *flags]);
                bytes.extend_from_slice(&stream.to_be_bytes());
                bytes.resize(bytes.len() + *length as usize, 0xff);
            }
            let mut found = Vec::new();
            let mut reader = Frames::after_preface();
            for mut piece in bytes.chunks(cut) {
                while let Some(frame) = reader.next(&mut piece) {
                    found.push((frame.length, frame.kind, frame.flags, frame.stream));
                }
            }
            prop_assert_eq!(found, frames);
        }
    }
}
