//! Frames by hand (RFC 9113 section 4). Fields are written as literals that no table remembers, and only the
//! status of a response is read: whoever needs more takes the client that behaves.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::DEADLINE;

/// The types of frames.
#[allow(missing_docs, reason = "each is the type it is called after")]
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// The flags of frames.
#[allow(missing_docs, reason = "each is the flag it is called after")]
pub mod flag {
    pub const ACK: u8 = 1;
    pub const END_STREAM: u8 = 1;
    pub const END_HEADERS: u8 = 4;
    pub const PADDED: u8 = 8;
    pub const PRIORITY: u8 = 0x20;
}

/// A frame that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream.
    pub stream: u32,
    /// Its payload.
    pub payload: Vec<u8>,
}

impl Frame {
    /// The error code of RST_STREAM and GOAWAY.
    #[must_use]
    pub fn code(&self) -> u32 {
        let from = if self.kind == kind::GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[from..from + 4].try_into().expect("four bytes"))
    }

    /// The status in the HEADERS of a response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        status(&self.payload)
    }
}

/// What became of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The status of the final response, zero when there was none.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// Whether the response came to its end.
    pub complete: bool,
    /// The code with which the stream was reset.
    pub reset: Option<u32>,
    /// The code with which the connection was ended.
    pub goaway: Option<u32>,
    /// Whether the connection was closed before an end.
    pub closed: bool,
}

/// A connection on which the test writes the frames.
#[derive(Debug)]
pub struct FrameClient {
    stream: TcpStream,
}

impl FrameClient {
    /// Connects, sends the preface and SETTINGS that ask for no table, so that every status can be read.
    #[must_use]
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        let mut client = Self::silent(address);
        client.bytes(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").frame(kind::SETTINGS, 0, 0, &[0, 1, 0, 0, 0, 0]);
        client
    }

    /// The server's side of a connection: reads the preface and sends SETTINGS.
    #[must_use]
    #[track_caller]
    pub fn accept(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a connected socket");
        stream.set_write_timeout(Some(DEADLINE)).expect("a deadline above zero");
        let mut peer = Self { stream };
        let mut preface = [0; 24];
        if peer.fill(&mut preface, Instant::now() + DEADLINE).is_ok_and(|whole| whole) {
            peer.try_frame(kind::SETTINGS, 0, 0, b"");
        }
        peer
    }

    /// Connects and says nothing.
    #[must_use]
    #[track_caller]
    pub fn silent(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, DEADLINE).expect("the gateway accepts");
        stream.set_nodelay(true).expect("a connected socket");
        stream.set_write_timeout(Some(DEADLINE)).expect("a deadline above zero");
        Self { stream }
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.stream.write_all(bytes).expect("the gateway reads");
        self
    }

    /// Sends a frame.
    #[track_caller]
    pub fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> &mut Self {
        self.bytes(&encode(kind, flags, stream, payload))
    }

    /// Sends a frame; false when the connection takes no more.
    pub fn try_frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        self.stream.write_all(&encode(kind, flags, stream, payload)).is_ok()
    }

    /// Sends a request's fields in one frame; `ends` says that no body follows.
    #[track_caller]
    pub fn headers(&mut self, stream: u32, fields: &[(&str, &str)], ends: bool) -> &mut Self {
        let flags = flag::END_HEADERS | if ends { flag::END_STREAM } else { 0 };
        self.frame(kind::HEADERS, flags, stream, &block(fields))
    }

    /// Sends a GET.
    #[track_caller]
    pub fn get(&mut self, stream: u32, path: &str) -> &mut Self {
        self.headers(stream, &request("GET", path), true)
    }

    /// Sends a piece of a body.
    #[track_caller]
    pub fn data(&mut self, stream: u32, data: &[u8], ends: bool) -> &mut Self {
        self.frame(kind::DATA, if ends { flag::END_STREAM } else { 0 }, stream, data)
    }

    /// Sends a request with its whole body in one write.
    #[track_caller]
    pub fn whole(&mut self, stream: u32, fields: &[(&str, &str)], body: &[u8]) -> &mut Self {
        let head = encode(kind::HEADERS, flag::END_HEADERS, stream, &block(fields));
        self.bytes(&[head, encode(kind::DATA, flag::END_STREAM, stream, body)].concat())
    }

    /// Cancels a stream.
    #[track_caller]
    pub fn reset(&mut self, stream: u32) -> &mut Self {
        self.frame(kind::RST_STREAM, 0, stream, &8_u32.to_be_bytes())
    }

    /// Reads a frame; `None` once the peer has closed.
    ///
    /// # Panics
    /// When none comes before the deadline.
    #[track_caller]
    pub fn read(&mut self) -> Option<Frame> {
        self.read_within(DEADLINE).expect("a frame or a close before the deadline")
    }

    /// Reads a frame; the inner `None` once the peer has closed.
    ///
    /// # Errors
    /// Neither came in time.
    pub fn read_within(&mut self, deadline: Duration) -> io::Result<Option<Frame>> {
        let end = Instant::now() + deadline;
        let mut header = [0; 9];
        if !self.fill(&mut header[..1], end)? {
            return Ok(None);
        }
        // What has begun comes whole; half of it would be lost.
        let end = end.max(Instant::now() + DEADLINE);
        if !self.fill(&mut header[1..], end)? {
            return Ok(None);
        }
        let [a, b, c, kind, flags, s0, s1, s2, s3] = header;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        if !self.fill(&mut payload, end)? {
            return Ok(None);
        }
        let stream = u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]);
        Ok(Some(Frame { kind, flags, stream, payload }))
    }

    /// False when the peer has closed or reset.
    fn fill(&mut self, target: &mut [u8], end: Instant) -> io::Result<bool> {
        let mut have = 0;
        while have < target.len() {
            let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut target[have..]) {
                Ok(0) => return Ok(false),
                Ok(count) => have += count,
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) =>
                {
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Reads until this stream, or the connection, has ended. SETTINGS and PING are answered.
    #[track_caller]
    pub fn outcome(&mut self, stream: u32) -> Outcome {
        let mut outcome = Outcome::default();
        loop {
            let Some(frame) = self.read() else {
                outcome.closed = true;
                return outcome;
            };
            self.answer(&frame);
            if frame.kind == kind::GOAWAY {
                outcome.goaway = Some(frame.code());
            }
            if frame.stream != stream {
                continue;
            }
            match frame.kind {
                kind::HEADERS => outcome.status = status(&frame.payload).unwrap_or(outcome.status),
                kind::DATA => outcome.body.extend_from_slice(&frame.payload),
                kind::RST_STREAM => {
                    outcome.reset = Some(frame.code());
                    return outcome;
                }
                _ => continue,
            }
            if frame.flags & flag::END_STREAM != 0 {
                outcome.complete = true;
                return outcome;
            }
        }
    }

    /// Reads until the connection has ended; the code of its GOAWAY, if there was one.
    #[track_caller]
    pub fn read_to_end(&mut self) -> Option<u32> {
        let mut code = None;
        while let Some(frame) = self.read() {
            if frame.kind == kind::GOAWAY {
                code = Some(frame.code());
            }
        }
        code
    }

    /// Answers SETTINGS and PING, as long as somebody listens.
    pub fn answer(&mut self, frame: &Frame) {
        if matches!(frame.kind, kind::SETTINGS | kind::PING) && frame.flags & flag::ACK == 0 {
            let payload = if frame.kind == kind::PING { &frame.payload[..] } else { b"" };
            self.try_frame(frame.kind, flag::ACK, 0, payload);
        }
    }
}

/// The pseudo-fields of a request to `a.test`.
#[must_use]
pub fn request<'a>(method: &'a str, path: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![(":method", method), (":scheme", "http"), (":authority", "a.test"), (":path", path)]
}

fn encode(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame of a test is short");
    let mut bytes = length.to_be_bytes()[1..].to_vec();
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Fields as literals without indexing (RFC 7541 section 6.2.2).
#[must_use]
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        for text in [name, value] {
            write_length(text.len(), &mut bytes);
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    bytes
}

/// An integer with a prefix of seven bits (RFC 7541 section 5.1).
fn write_length(length: usize, out: &mut Vec<u8>) {
    if length < 127 {
        return out.push(u8::try_from(length).expect("below 127"));
    }
    out.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        out.push(u8::try_from(rest % 128 + 128).expect("a byte"));
        rest /= 128;
    }
    out.push(u8::try_from(rest).expect("below 128"));
}

/// The status, which stands first: from the static table, or with its name from there.
fn status(block: &[u8]) -> Option<u16> {
    // The new size of a table comes before everything.
    let block = block.strip_prefix(&[0x20]).unwrap_or(block);
    const KNOWN: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    match *block.first()? {
        indexed @ 0x88..=0x8e => Some(KNOWN[usize::from(indexed - 0x88)]),
        // A new entry, or none, whose name is that of an entry for `:status`.
        0x48..=0x4e | 0x08..=0x0e => match *block.get(1)? {
            3 => std::str::from_utf8(block.get(2..5)?).ok()?.parse().ok(),
            // Three digits in the code of Huffman: five bits each for 0, 1, 2 and six for the others.
            length if length & 0x80 != 0 => huffman_digits(block.get(2..2 + usize::from(length & 0x7f))?),
            _ => None,
        },
        _ => None,
    }
}

/// Three digits (RFC 7541 appendix B): `0`, `1` and `2` are 0 to 2 in five bits, the others follow from 0x19
/// in six.
fn huffman_digits(bytes: &[u8]) -> Option<u16> {
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let mut rest = bits.as_str();
    let mut number = 0;
    for _ in 0..3 {
        let short = u16::from_str_radix(rest.get(..5)?, 2).ok()?;
        let (digit, used) = if short <= 2 {
            (short, 5)
        } else {
            (u16::from_str_radix(rest.get(..6)?, 2).ok()?.checked_sub(0x19 - 3)?, 6)
        };
        number = number * 10 + digit;
        rest = rest.get(used..)?;
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_from_every_form_it_is_written_in() {
        assert_eq!(status(&[0x88]), Some(200));
        assert_eq!(status(&[0x20, 0x8c]), Some(400));
        assert_eq!(status(b"\x48\x03502"), Some(502));
        // RFC 7541 appendix C.6: 302 and 307.
        assert_eq!(status(&[0x48, 0x82, 0x64, 0x02]), Some(302));
        assert_eq!(status(&[0x48, 0x83, 0x64, 0x0e, 0xff]), Some(307));
    }
}
