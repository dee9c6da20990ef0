//! The chunked coding (RFC 9112 section 7.1), strictly.
//!
//! Sizes are hexadecimal digits and nothing else; every line ends in CR LF; extensions are skipped but
//! bounded in sum; trailers are collected, bounded, for the end of the body.

use super::body::BodyError;

/// Bytes of chunk extensions that one message may carry in all.
const MAX_EXTENSION_BYTES: u32 = 16 * 1024;
/// Bytes of the trailer section.
const MAX_TRAILER_BYTES: usize = 16 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first digit of a size.
    SizeStart,
    /// Within the digits of a size.
    Size,
    /// White space after the size; only an extension may follow.
    SizeSpace,
    /// Within an extension.
    Extension,
    /// After the CR of a size line.
    SizeLf,
    /// Within the data.
    Data,
    /// Before the CR after the data.
    DataCr,
    /// After the CR after the data.
    DataLf,
    /// At the start of a trailer line.
    TrailerStart,
    /// Within a trailer line.
    Trailer,
    /// After the CR of a trailer line.
    TrailerLf,
    /// After the CR of the last, empty line.
    EndLf,
    /// Done.
    End,
}

/// What one step has found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ChunkStep {
    /// Data lies at `start..end` of the input.
    Data { start: usize, end: usize },
    /// The input is used up.
    NeedMore,
    /// The body and its trailers are complete; the input is used up to this position.
    End { consumed: usize },
}

/// Where in a chunked body the reader is.
#[derive(Debug)]
pub(crate) struct ChunkedDecoder {
    state: State,
    remaining: u64,
    digits: u8,
    extension_bytes: u32,
    trailer: Vec<u8>,
}

impl Default for ChunkedDecoder {
    fn default() -> Self {
        Self { state: State::SizeStart, remaining: 0, digits: 0, extension_bytes: 0, trailer: Vec::new() }
    }
}

impl ChunkedDecoder {
    /// The trailer section as received, without its last empty line.
    pub(crate) fn trailer(&self) -> &[u8] {
        &self.trailer
    }

    pub(crate) fn is_done(&self) -> bool {
        self.state == State::End
    }

    /// Reads on from `input[from..]` until there is data to give, the end, or no more input.
    pub(crate) fn step(&mut self, input: &[u8], from: usize) -> Result<ChunkStep, BodyError> {
        let mut position = from;
        loop {
            if self.state == State::Data {
                return Ok(self.data(input, position));
            }
            if self.state == State::End {
                return Ok(ChunkStep::End { consumed: position });
            }
            let Some(byte) = input.get(position) else { return Ok(ChunkStep::NeedMore) };
            self.byte(*byte)?;
            position = position.wrapping_add(1);
        }
    }

    fn data(&mut self, input: &[u8], start: usize) -> ChunkStep {
        let available = input.len().saturating_sub(start);
        if available == 0 {
            return ChunkStep::NeedMore;
        }
        let take = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(available);
        self.remaining = self.remaining.saturating_sub(take as u64);
        if self.remaining == 0 {
            self.state = State::DataCr;
        }
        ChunkStep::Data { start, end: start.wrapping_add(take) }
    }

    fn byte(&mut self, byte: u8) -> Result<(), BodyError> {
        self.state = match (self.state, byte) {
            (State::SizeStart | State::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => self.digit(byte)?,
            (State::Size | State::SizeSpace, b';') => State::Extension,
            (State::Size | State::SizeSpace, b' ' | b'\t') => {
                self.count_extension()?;
                State::SizeSpace
            }
            (State::Size | State::Extension, b'\r') => State::SizeLf,
            (State::Extension, byte) if byte >= 0x20 && byte != 0x7f || byte == b'\t' => {
                self.count_extension()?;
                State::Extension
            }
            (State::SizeLf, b'\n') if self.remaining == 0 => State::TrailerStart,
            (State::SizeLf, b'\n') => State::Data,
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => {
                self.digits = 0;
                State::SizeStart
            }
            (State::TrailerStart, b'\r') => State::EndLf,
            (State::TrailerStart | State::Trailer, byte) if byte != b'\r' && byte != b'\n' => {
                self.keep(byte)?;
                State::Trailer
            }
            (State::Trailer, b'\r') => {
                self.keep(byte)?;
                State::TrailerLf
            }
            (State::TrailerLf, b'\n') => {
                self.keep(byte)?;
                State::TrailerStart
            }
            (State::EndLf, b'\n') => State::End,
            _ => return Err(BodyError::Malformed("the chunked coding is not valid")),
        };
        Ok(())
    }

    fn digit(&mut self, byte: u8) -> Result<State, BodyError> {
        let value = (byte as char).to_digit(16).unwrap_or_default();
        self.digits = self.digits.saturating_add(1);
        let size = self.remaining.checked_mul(16).and_then(|size| size.checked_add(u64::from(value)));
        // Sixteen digits and 63 bits: more is an attack on whoever multiplies less carefully.
        match size {
            Some(size) if self.digits <= 16 && size <= i64::MAX as u64 => {
                self.remaining = size;
                Ok(State::Size)
            }
            _ => Err(BodyError::Malformed("a chunk size is too large")),
        }
    }

    fn count_extension(&mut self) -> Result<(), BodyError> {
        self.extension_bytes = self.extension_bytes.saturating_add(1);
        if self.extension_bytes > MAX_EXTENSION_BYTES {
            return Err(BodyError::Malformed("the chunk extensions are too long"));
        }
        Ok(())
    }

    fn keep(&mut self, byte: u8) -> Result<(), BodyError> {
        if self.trailer.len() >= MAX_TRAILER_BYTES {
            return Err(BodyError::Malformed("the trailer section is too long"));
        }
        self.trailer.push(byte);
        Ok(())
    }
}
