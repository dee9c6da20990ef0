//! Bodies as state machines: what is data, where it ends, and how to frame it again.

use super::chunked::{ChunkStep, ChunkedDecoder};
use super::scan::{HeadLimits, OF_TRAILERS};
use super::{BodyFraming, section};
use crate::fields::Fields;
use crate::name::{Known, Name};

/// Fields of a trailer section.
const MOST_TRAILERS: usize = 64;

/// Why a body was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It breaks its framing.
    #[error("{0}")]
    Malformed(&'static str),
    /// The connection ended before the body did.
    #[error("the body ended before its declared end")]
    Incomplete,
    /// More or fewer bytes than announced were to be written.
    #[error("the body does not have the announced length")]
    WrongLength,
}

/// What one step of decoding has found in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyStep {
    /// Data lies at `start..end`; the input is used up to `end`.
    Data {
        /// First byte of the data.
        start: usize,
        /// One past its last byte.
        end: usize,
    },
    /// All input is used up and the body goes on.
    NeedMore,
    /// The body is complete; the input is used up to `consumed`, what follows is the next message.
    End {
        /// One past the last byte of the body's framing.
        consumed: usize,
    },
}

/// Finds the data of a body in the bytes that follow a head.
#[derive(Debug)]
pub struct BodyDecoder {
    state: Decoder,
}

#[derive(Debug)]
enum Decoder {
    Length(u64),
    Chunked(Box<ChunkedDecoder>),
    UntilClose,
    Done,
    /// It is complete, and these trailers may be forwarded.
    Trailed(Box<Fields>),
    /// It broke its framing. Whoever asks again must not get another reading of the same bytes.
    Failed(BodyError),
}

impl BodyDecoder {
    /// A decoder for a body with this framing.
    #[must_use]
    pub fn new(framing: BodyFraming) -> Self {
        let state = match framing {
            BodyFraming::None | BodyFraming::Length(0) => Decoder::Done,
            BodyFraming::Length(length) => Decoder::Length(length),
            BodyFraming::Chunked => Decoder::Chunked(Box::default()),
            BodyFraming::UntilClose => Decoder::UntilClose,
        };
        Self { state }
    }

    /// Whether the body is complete.
    #[must_use]
    pub fn is_done(&self) -> bool {
        match &self.state {
            Decoder::Done | Decoder::Trailed(_) => true,
            Decoder::Chunked(chunked) => chunked.is_done(),
            Decoder::Length(_) | Decoder::UntilClose | Decoder::Failed(_) => false,
        }
    }

    /// Reads on from `input[from..]`.
    ///
    /// # Errors
    /// The body breaks its framing, or its trailer section is not valid; the connection cannot be used any more.
    pub fn step(&mut self, input: &[u8], from: usize) -> Result<BodyStep, BodyError> {
        let available = input.len().saturating_sub(from);
        match &mut self.state {
            Decoder::Done | Decoder::Trailed(_) => Ok(BodyStep::End { consumed: from }),
            Decoder::Failed(error) => Err(*error),
            Decoder::Chunked(chunked) => match chunked.step(input, from) {
                Ok(ChunkStep::Data { start, end }) => Ok(BodyStep::Data { start, end }),
                Ok(ChunkStep::NeedMore) => Ok(BodyStep::NeedMore),
                Ok(ChunkStep::End { consumed }) => {
                    // Here, and not when they are asked for: who has no use for trailers relies on the end too.
                    if !chunked.trailer().is_empty() {
                        let read = read_trailers(chunked.trailer());
                        let failed = read.as_ref().err().copied();
                        self.state = read.map_or_else(Decoder::Failed, Decoder::Trailed);
                        if let Some(error) = failed {
                            return Err(error);
                        }
                    }
                    Ok(BodyStep::End { consumed })
                }
                Err(error) => {
                    self.state = Decoder::Failed(error);
                    Err(error)
                }
            },
            _ if available == 0 => Ok(BodyStep::NeedMore),
            Decoder::UntilClose => Ok(BodyStep::Data { start: from, end: input.len() }),
            Decoder::Length(remaining) => {
                let take = usize::try_from(*remaining).unwrap_or(usize::MAX).min(available);
                *remaining = remaining.saturating_sub(take as u64);
                if *remaining == 0 {
                    self.state = Decoder::Done;
                }
                Ok(BodyStep::Data { start: from, end: from.wrapping_add(take) })
            }
        }
    }

    /// Tells the decoder that the peer has closed its side.
    ///
    /// # Errors
    /// The body was not complete.
    pub fn close(&mut self) -> Result<(), BodyError> {
        match self.state {
            Decoder::UntilClose => {
                self.state = Decoder::Done;
                Ok(())
            }
            _ if self.is_done() => Ok(()),
            _ => Err(BodyError::Incomplete),
        }
    }

    /// The trailers of a complete chunked body that may be forwarded (RFC 9110 section 6.5.1): those that
    /// do not decide routing, framing, authentication or how the message is processed.
    pub fn trailers(&self, into: &mut Fields) {
        if let Decoder::Trailed(trailers) = &self.state {
            into.extend(trailers);
        }
    }
}

/// What may be forwarded of a trailer section without its last empty line.
fn read_trailers(section: &[u8]) -> Result<Box<Fields>, BodyError> {
    let malformed = BodyError::Malformed("the trailer section is not valid");
    let mut section = section.to_vec();
    section.extend_from_slice(b"\r\n");
    let limits = HeadLimits { fields: MOST_TRAILERS, ..HeadLimits::default() };
    let mut received = Fields::default();
    match section::read(OF_TRAILERS, &section, 0, &limits, &mut received) {
        Ok(Some(_)) => received.adopt(&section),
        Ok(None) | Err(_) => return Err(malformed),
    }
    let mut kept = Box::<Fields>::default();
    for (name, value) in received.named() {
        if may_be_trailer(name) {
            kept.append(name, value).map_err(|_| malformed)?;
        }
    }
    Ok(kept)
}

/// Fields that a recipient may merge from trailers without harm. Every well-known field that Torana knows
/// is about routing, framing, authentication, caching or conditions (RFC 9110 section 6.5.1), but for the one that can
/// only be known at the end (section 8.8.3).
pub(crate) fn may_be_trailer(name: Name<'_>) -> bool {
    match name {
        Name::Known(known) => matches!(known, Known::Etag),
        Name::Other(text) => !text.contains('_'),
    }
}

/// Frames data for the wire.
#[derive(Debug)]
pub struct BodyEncoder {
    framing: BodyFraming,
    remaining: u64,
}

impl BodyEncoder {
    /// An encoder for this framing.
    #[must_use]
    pub const fn new(framing: BodyFraming) -> Self {
        let remaining = match framing {
            BodyFraming::Length(length) => length,
            _ => 0,
        };
        Self { framing, remaining }
    }

    /// Writes what goes before `length` bytes of data into `out`.
    ///
    /// # Errors
    /// The data exceeds the announced length, or there is to be no body.
    pub fn prefix(&mut self, length: usize, out: &mut Vec<u8>) -> Result<(), BodyError> {
        match self.framing {
            BodyFraming::Chunked => {
                use std::io::Write;
                // Writing to a Vec cannot fail.
                let _ = write!(out, "{length:x}\r\n");
            }
            BodyFraming::UntilClose => {}
            BodyFraming::Length(_) => {
                self.remaining = self.remaining.checked_sub(length as u64).ok_or(BodyError::WrongLength)?;
            }
            BodyFraming::None if length == 0 => {}
            BodyFraming::None => return Err(BodyError::WrongLength),
        }
        Ok(())
    }

    /// What goes after the data.
    #[must_use]
    pub const fn suffix(&self) -> &'static [u8] {
        match self.framing {
            BodyFraming::Chunked => b"\r\n",
            _ => b"",
        }
    }

    /// Writes the end of the body, trailers included where the framing has room for them.
    ///
    /// # Errors
    /// Fewer bytes than announced were written; the peer must not take the message for complete.
    pub fn finish(&self, trailers: &Fields, out: &mut Vec<u8>) -> Result<(), BodyError> {
        if self.remaining > 0 {
            return Err(BodyError::WrongLength);
        }
        if self.framing == BodyFraming::Chunked {
            out.extend_from_slice(b"0\r\n");
            trailers.write(out);
            out.extend_from_slice(b"\r\n");
        }
        Ok(())
    }
}
