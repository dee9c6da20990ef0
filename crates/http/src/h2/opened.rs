//! Which field sections are to be rewritten: those that are trailers, and those that come in pieces.

use super::frames::{DATA, END_HEADERS, END_STREAM, FrameHeader, HEADERS, PADDED, PRIORITY, RST_STREAM};
use super::representations::begins_final;
use std::collections::VecDeque;

/// More streams than any connection has at once; a backstop.
const MOST: usize = 16 * 1024;

/// Of so many requests that were answered before their end it is known, the last ones.
const ANSWERED: usize = 256;

/// A field section that is to be rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// Where the header of its first frame ends in the bytes that were received.
    pub(super) at: usize,
    pub(super) is_trailers: bool,
}

#[derive(Clone, Copy, Debug)]
struct Stream {
    number: u32,
    /// Whether a head has come that is no interim one.
    has_head: bool,
}

/// Messages whose end has not come, by their streams.
#[derive(Debug)]
pub(super) struct Opened {
    /// Whether they answer what is sent.
    answers: bool,
    /// In the order of their numbers.
    streams: Vec<Stream>,
    newest_sent: u32,
    /// Requests whose answers have ended first.
    answered: VecDeque<u32>,
    start: Start,
    /// Those that begin in the bytes at hand.
    sections: Vec<Section>,
}

impl Opened {
    pub(super) const fn new(answers: bool) -> Self {
        Self {
            answers,
            streams: Vec::new(),
            newest_sent: 0,
            answered: VecDeque::new(),
            start: Start::NONE,
            sections: Vec::new(),
        }
    }

    /// Whether the next frame may begin one that is to be rewritten.
    pub(super) const fn may_find(&self) -> bool {
        !self.answers || !self.streams.is_empty()
    }

    /// Those that begin in the bytes at hand.
    pub(super) fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// Begins with bytes that were received.
    pub(super) fn begin(&mut self, bytes: &[u8]) {
        self.sections.clear();
        if self.start.lacks > 0 {
            self.look(bytes);
        }
    }

    /// A frame whose header ends at `at`, before these bytes; whether its stream is a new one.
    pub(super) fn received(&mut self, frame: FrameHeader, is_new: bool, at: usize, behind: &[u8]) {
        let ends = frame.flags & END_STREAM != 0;
        let is_cut = frame.flags & END_HEADERS == 0;
        if is_new && !self.answers {
            if frame.kind == HEADERS && is_cut {
                self.sections.push(Section { at, is_trailers: false });
            }
            if frame.kind == HEADERS && !ends {
                self.add(frame.stream, true);
            }
            return;
        }
        if self.streams.is_empty() || !matches!(frame.kind, DATA | HEADERS | RST_STREAM) {
            return;
        }
        if frame.kind == DATA && !ends && !self.answers {
            return;
        }
        let Some(place) = self.place(frame.stream) else { return };
        let Some(stream) = self.streams.get_mut(place) else { return };
        match frame.kind {
            HEADERS => {
                let is_trailers = stream.has_head;
                if is_trailers || is_cut {
                    self.sections.push(Section { at, is_trailers });
                }
                if !is_trailers && !ends {
                    self.start = Start::of(frame);
                    self.look(behind);
                }
            }
            DATA => stream.has_head = true,
            _ => {}
        }
        if ends || frame.kind == RST_STREAM {
            self.streams.remove(place);
        }
    }

    /// A frame that is sent.
    pub(super) fn sent(&mut self, frame: FrameHeader) {
        match frame.kind {
            HEADERS if self.answers && frame.stream > self.newest_sent => {
                self.newest_sent = frame.stream;
                self.add(frame.stream, false);
            }
            HEADERS | DATA
                if frame.flags & END_STREAM != 0 && !self.answers && self.place(frame.stream).is_some() =>
            {
                self.answered.truncate(ANSWERED.saturating_sub(1));
                self.answered.push_front(frame.stream);
            }
            RST_STREAM => {
                if let Some(place) = self.place(frame.stream) {
                    self.streams.remove(place);
                }
            }
            _ => {}
        }
    }

    /// Whether a request that its peer gives up was answered before it: asked once of each.
    pub(super) fn takes_back_answered(&mut self, number: u32) -> bool {
        let place = self.answered.iter().position(|answered| *answered == number);
        place.and_then(|place| self.answered.remove(place)).is_some()
    }

    /// Without its place the trailers of a stream are not sealed: those of a request are refused then.
    fn add(&mut self, number: u32, has_head: bool) {
        if self.streams.len() < MOST {
            self.streams.push(Stream { number, has_head });
        }
    }

    fn place(&self, number: u32) -> Option<usize> {
        self.streams.binary_search_by_key(&number, |stream| stream.number).ok()
    }

    fn look(&mut self, bytes: &[u8]) {
        if self.start.take(bytes)
            && let Some(place) = self.place(self.start.stream)
            && let Some(stream) = self.streams.get_mut(place)
        {
            stream.has_head = true;
        }
    }
}

/// Enough of a head for padding, priority, changes of the table and a status.
const ENOUGH: usize = 24;

/// The first bytes of a head.
#[derive(Debug)]
struct Start {
    stream: u32,
    flags: u8,
    length: u32,
    bytes: [u8; ENOUGH],
    have: usize,
    lacks: usize,
}

impl Start {
    const NONE: Self = Self { stream: 0, flags: 0, length: 0, bytes: [0; ENOUGH], have: 0, lacks: 0 };

    fn of(frame: FrameHeader) -> Self {
        let FrameHeader { stream, flags, length, .. } = frame;
        Self { stream, flags, length, lacks: ENOUGH.min(length as usize), ..Self::NONE }
    }

    /// Takes what is lacking; whether it is a final response's, once nothing is.
    fn take(&mut self, bytes: &[u8]) -> bool {
        let count = self.lacks.min(bytes.len());
        for (to, from) in self.bytes.iter_mut().skip(self.have).zip(bytes.iter().take(count)) {
            *to = *from;
        }
        self.have = self.have.saturating_add(count);
        self.lacks = self.lacks.saturating_sub(count);
        self.lacks == 0 && count > 0 && self.is_final().unwrap_or(false)
    }

    fn is_final(&self) -> Option<bool> {
        let start = self.bytes.get(..self.have)?;
        let (padding, mut skipped) =
            if self.flags & PADDED == 0 { (0, 0) } else { (usize::from(*start.first()?), 1) };
        if self.flags & PRIORITY != 0 {
            skipped = usize::saturating_add(skipped, 5);
        }
        let end = (self.length as usize).checked_sub(padding)?.min(start.len());
        Some(begins_final(start.get(skipped..end)?))
    }
}
