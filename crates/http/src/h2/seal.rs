//! What makes the library refuse sections of fields that it would alter (RFC 9113 sections 8.1 and 8.3).
//!
//! It leaves out pseudo-fields of trailers that stand before all others, and of what is beyond its bound everything. So a field that
//! nobody can guess is put before those of a section, where every pseudo-field is behind a field then, which it refuses,
//! and once more behind the last one, which is missing where any is. A section that has come in pieces is cut anew between
//! its fields: of a piece that ends within one the library forgets what was wrong in it.

use super::frames::{CONTINUATION, END_HEADERS, END_STREAM, FrameHeader, HEADERS, PADDED, PRIORITY};
use super::representations::{representation, size_updates};

/// The largest payload that the library takes (SETTINGS_MAX_FRAME_SIZE), as nothing else was said.
pub(super) const LARGEST_FRAME: usize = 16 * 1024;
/// CONTINUATION frames that the library takes at least, the last one included.
const PIECES: usize = 6;
const MARK: usize = 19;

/// What a section of trailers is enclosed in: a field whose value nobody outside knows. Its name is one of those that no
/// trailer has, so it goes on to nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal([u8; MARK]);

impl Seal {
    /// What both fields add to the size of a list (RFC 9113 section 6.5.2).
    pub const LIST_BYTES: usize = 2 * (Self::NAME.len() + 16 + 32);
    const NAME: &'static str = "expect";

    /// A seal by something that nobody can guess.
    #[must_use]
    pub fn new(secret: u64) -> Self {
        // A literal that no table remembers, with the name of entry 35.
        let mut mark = *b"\x0f\x14\x100000000000000000";
        for (place, digit) in mark.iter_mut().skip(3).enumerate() {
            let shift = u32::try_from(place).unwrap_or_default().saturating_mul(4);
            let number = u8::try_from(secret.wrapping_shr(shift) & 0xf).unwrap_or_default();
            *digit = if number < 10 { b'0' } else { b'a' - 10 }.saturating_add(number);
        }
        Self(mark)
    }

    /// Whether a field is one of the two.
    pub(super) fn is(&self, name: &str, value: &[u8]) -> bool {
        name == Self::NAME && self.0.get(3..) == Some(value)
    }

    /// Adds a section, which has come as these frames, to `out`: of whole fields, and with the seal around those of
    /// trailers. Frames that are no section go on as they are: the library ends the connection over them.
    pub(super) fn rewrite(&self, frames: &[u8], is_trailers: bool, block: &mut Vec<u8>, out: &mut Vec<u8>) {
        block.clear();
        let Some(ends) = gather(frames, block).filter(|_| is_trailers || !block.is_empty()) else {
            return out.extend_from_slice(frames);
        };
        // Changes of the table's size stand first.
        let begins = size_updates(block);
        if is_trailers {
            self.put(begins, block);
            self.put(block.len(), block);
        }
        let writer = Writer { stream: frames.get(5..9).unwrap_or_default(), ends };
        let before = out.len();
        if writer.write(block, |_, rest| longest(rest), out) {
            return;
        }
        // It is to be refused: trailers lack their end, and in a head no pseudo-field is first.
        out.truncate(before);
        if is_trailers {
            block.truncate(block.len().saturating_sub(MARK));
        } else {
            self.put(begins, block);
        }
        let first = begins.saturating_add(MARK);
        writer.write(block, |at, _| if at == 0 { first } else { LARGEST_FRAME }, out);
    }

    /// Puts the field into a block.
    fn put(&self, at: usize, block: &mut Vec<u8>) {
        block.extend_from_slice(&self.0);
        if let Some(behind) = block.get_mut(at..) {
            behind.rotate_right(MARK);
        }
    }
}

/// The fields of a section, and whether the stream ends with it, as a flag. `None`: it is malformed in itself.
fn gather(mut frames: &[u8], block: &mut Vec<u8>) -> Option<u8> {
    let (mut ends, mut open) = (None, true);
    while open {
        let (header, rest) = FrameHeader::read(frames)?;
        let (payload, rest) = rest.split_at_checked(header.length as usize)?;
        frames = rest;
        open = header.flags & END_HEADERS == 0;
        if ends.is_some() {
            block.extend_from_slice(payload);
        } else {
            block.extend_from_slice(content(payload, header.flags)?);
            ends = Some(header.flags & END_STREAM);
        }
    }
    // What the last field lacks would be taken from behind it.
    let mut at = 0_usize;
    while at < block.len() {
        at = at.saturating_add(representation(block.get(at..)?)?);
    }
    ends
}

/// The payload of HEADERS without padding and priority.
fn content(payload: &[u8], flags: u8) -> Option<&[u8]> {
    let (padding, payload) = if flags & PADDED == 0 {
        (0, payload)
    } else {
        let (padding, rest) = payload.split_first()?;
        (usize::from(*padding), rest)
    };
    let payload = if flags & PRIORITY == 0 { payload } else { payload.get(5..)? };
    payload.get(..payload.len().checked_sub(padding)?)
}

/// How much of a block goes into a frame: whole fields; or into several, of which one field that is larger begins the first,
/// and others fill the last.
fn longest(block: &[u8]) -> usize {
    let (mut length, mut most) = (0_usize, LARGEST_FRAME);
    while let Some(rest) = block.get(length..).filter(|rest| !rest.is_empty()) {
        // The rest of a cut one is no representation, and is not asked about: see `Writer::write`.
        let next = length.saturating_add(representation(rest).unwrap_or(rest.len()));
        if length == 0 {
            most = next.max(1).next_multiple_of(LARGEST_FRAME);
        } else if next > most {
            break;
        }
        length = next;
    }
    length
}

struct Writer<'s> {
    stream: &'s [u8],
    ends: u8,
}

impl Writer<'_> {
    /// Writes a block as one section, in runs that begin with a frame each. `false`: it would be too many frames.
    fn write(&self, block: &[u8], run: impl Fn(usize, &[u8]) -> usize, out: &mut Vec<u8>) -> bool {
        let (mut at, mut frames) = (0_usize, 0_usize);
        while let Some(rest) = block.get(at..).filter(|rest| !rest.is_empty()) {
            let length = run(at, rest).clamp(1, rest.len());
            at = at.saturating_add(length);
            let mut pieces = rest.get(..length).unwrap_or_default().chunks(LARGEST_FRAME).peekable();
            while let Some(piece) = pieces.next() {
                let last = at == block.len() && pieces.peek().is_none();
                let (kind, flags) = if frames == 0 { (HEADERS, self.ends) } else { (CONTINUATION, 0) };
                let flags = if last { flags | END_HEADERS } else { flags };
                out.extend(u32::try_from(piece.len()).unwrap_or_default().to_be_bytes().iter().skip(1));
                out.extend_from_slice(&[kind, flags]);
                out.extend_from_slice(self.stream);
                out.extend_from_slice(piece);
                frames = frames.saturating_add(1);
            }
        }
        frames <= PIECES.saturating_add(1)
    }
}
