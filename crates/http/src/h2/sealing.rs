//! Bytes on their way to the library, of which some sections of fields are rewritten.

use super::frames::{CONTINUATION, END_HEADERS, FrameHeader, HEADER_BYTES, HEADERS};
use super::opened::Section;
use super::seal::{LARGEST_FRAME, Seal};

/// CONTINUATION frames of a section that is held; the guard allows no more.
const MOST_PIECES: u32 = 5;
/// Room that is kept for the next ones.
const KEPT: usize = 4 * 1024;

/// Holds back what is not whole and has what is to be read instead.
#[derive(Debug)]
pub struct Sealing {
    seal: Seal,
    /// A section as it came so far, or the beginning of a frame's header.
    held: Vec<u8>,
    /// Where its last frame begins.
    frame: usize,
    /// How much of it there is to be before there is anything to decide; zero outside of a section.
    wanted: usize,
    is_trailers: bool,
    pieces: u32,
    block: Vec<u8>,
    out: Vec<u8>,
    read: usize,
}

impl Sealing {
    /// Nothing was read yet.
    #[must_use]
    pub const fn new(seal: Seal) -> Self {
        Self {
            seal,
            held: Vec::new(),
            frame: 0,
            wanted: 0,
            is_trailers: false,
            pieces: 0,
            block: Vec::new(),
            out: Vec::new(),
            read: 0,
        }
    }

    /// Whether nothing is held and nothing waits to be read: bytes without such sections need not pass.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.held.is_empty() && self.ready().is_empty()
    }

    /// What is to be read before anything else.
    #[must_use]
    pub fn ready(&self) -> &[u8] {
        self.out.get(self.read..).unwrap_or_default()
    }

    /// So much of it was read.
    pub fn consume(&mut self, count: usize) {
        self.read = self.read.saturating_add(count);
        if self.ready().is_empty() {
            self.read = 0;
            clear(&mut self.out);
        }
    }

    /// How many of the bytes that were received need not pass while nothing is held: those before the first section,
    /// and before a frame's header that is cut.
    #[must_use]
    pub fn untouched(&self, bytes: &[u8], sections: &[Section], cut: usize) -> usize {
        if !self.is_idle() {
            return 0;
        }
        let first = sections.first().map_or(bytes.len(), |section| section.at.saturating_sub(HEADER_BYTES));
        first.min(bytes.len().saturating_sub(if cut > bytes.len() { 0 } else { cut }))
    }

    /// Takes bytes that were received, from the one at `from`: these sections begin in them, and so many bytes of a
    /// frame's header that is cut are at the end.
    pub fn take(&mut self, bytes: &[u8], from: usize, sections: &[Section], cut: usize) {
        let mut used = from;
        if self.wanted > 0 {
            used = used.saturating_add(self.section(bytes));
        } else if !self.held.is_empty() {
            let have = self.held.len();
            if have.saturating_add(bytes.len()) == cut {
                return self.held.extend_from_slice(bytes);
            }
            let first = sections.first().filter(|section| section.at.saturating_add(have) == HEADER_BYTES);
            if let Some(first) = first {
                used = used.saturating_add(self.begin(first, bytes));
            } else {
                self.pass(b"");
            }
        }
        for section in sections {
            let begins = section.at.checked_sub(HEADER_BYTES);
            let begins = begins.filter(|begins| *begins >= used && self.wanted == 0);
            let Some((before, rest)) = begins.and_then(|begins| bytes.split_at_checked(begins)) else {
                continue;
            };
            self.pass(before.get(used..).unwrap_or_default());
            used = before.len().saturating_add(self.begin(section, rest));
        }
        if self.wanted == 0 {
            let rest = bytes.get(used..).unwrap_or_default();
            let whole = rest.len().checked_sub(cut).unwrap_or(rest.len());
            let (whole, begun) = rest.split_at_checked(whole).unwrap_or_default();
            self.pass(whole);
            self.held.extend_from_slice(begun);
        }
    }

    /// Nothing more comes.
    pub fn end(&mut self) {
        self.wanted = 0;
        self.pass(b"");
    }

    /// Goes on with what is held and these bytes as they are.
    fn pass(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(&self.held);
        clear(&mut self.held);
        self.out.extend_from_slice(bytes);
    }

    fn begin(&mut self, section: &Section, bytes: &[u8]) -> usize {
        self.is_trailers = section.is_trailers;
        (self.frame, self.wanted, self.pieces) = (0, HEADER_BYTES, 0);
        self.section(bytes)
    }

    /// Takes bytes of a section, and says how many: all of them unless it ends.
    fn section(&mut self, bytes: &[u8]) -> usize {
        let mut used = 0_usize;
        loop {
            let lacks = self.wanted.saturating_sub(self.held.len());
            let rest = bytes.get(used..).unwrap_or_default();
            let taken = rest.get(..lacks).unwrap_or(rest);
            self.held.extend_from_slice(taken);
            used = used.saturating_add(taken.len());
            if self.held.len() < self.wanted {
                return used;
            }
            let header = FrameHeader::read(self.held.get(self.frame..).unwrap_or_default());
            let Some((header, payload)) = header else { return used };
            let length = header.length as usize;
            let first = FrameHeader::read(&self.held).map(|(first, _)| first.stream);
            let expected = if self.frame == 0 { HEADERS } else { CONTINUATION };
            let fits = header.kind == expected && first == Some(header.stream);
            if !fits || length > LARGEST_FRAME || self.pieces > MOST_PIECES {
                // The library ends the connection over it.
                self.wanted = 0;
                self.pass(b"");
                return used;
            }
            if payload.len() < length {
                self.wanted = self.held.len().saturating_add(length);
            } else if header.flags & END_HEADERS == 0 {
                self.frame = self.held.len();
                self.wanted = self.frame.saturating_add(HEADER_BYTES);
                self.pieces = self.pieces.saturating_add(1);
            } else {
                self.seal.rewrite(&self.held, self.is_trailers, &mut self.block, &mut self.out);
                clear(&mut self.held);
                clear(&mut self.block);
                self.wanted = 0;
                return used;
            }
        }
    }
}

fn clear(buffer: &mut Vec<u8>) {
    if buffer.capacity() > KEPT {
        *buffer = Vec::new();
    } else {
        buffer.clear();
    }
}

#[cfg(test)]
mod tests;
