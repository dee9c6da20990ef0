//! Strict reading of HTTP/1 bytes (RFC 9112), for both the origin and the client.
//!
//! Everything that a careful sender never writes is an error with the reason in words: bare CR or LF, folded
//! lines, spaces before the colon, two lengths, a length beside chunks. No leniency: what passes here is what
//! a gateway is trusted to have written.

use bytes::{Buf, BytesMut};
use memchr::memmem;

/// One header or trailer line: name as written, value without the white space around it. Bytes that are not
/// UTF-8 become U+FFFD; the raw head has them exactly.
pub(crate) type Field = (String, String);

/// What is wrong, in words.
pub(crate) type Malformed = String;

const LARGEST_HEAD: usize = 1024 * 1024;

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Empty,
    Length(u64),
    Chunked,
    UntilClose,
}

/// The length of the head at the start of `buffer`, with its empty line; `None` when more bytes are needed.
pub(crate) fn head_length(buffer: &[u8]) -> Result<Option<usize>, Malformed> {
    let end = memmem::find(buffer, b"\r\n\r\n").map(|at| at + 4);
    let head = &buffer[..end.unwrap_or(buffer.len())];
    if let Some(at) = memchr::memchr_iter(b'\n', head).find(|&at| at == 0 || head[at - 1] != b'\r') {
        return Err(format!("a bare LF in the head, after {:?}", text(&head[..at])));
    }
    if head.len() > LARGEST_HEAD {
        return Err(format!("a head of more than {LARGEST_HEAD} bytes"));
    }
    Ok(end)
}

/// Splits a head into its start line and its fields.
pub(crate) fn parse_head(head: &[u8]) -> Result<(String, Vec<Field>), Malformed> {
    let Some(lines) = head.strip_suffix(b"\r\n\r\n") else { return Err("a head without an end".to_owned()) };
    let mut lines = split_lines(lines);
    let start = lines.next().unwrap_or_default();
    if start.iter().any(|&byte| byte < b' ' || byte == 0x7f) {
        return Err(format!("a control character in the start line {:?}", text(start)));
    }
    let fields = lines.map(parse_field).collect::<Result<_, _>>()?;
    Ok((text(start), fields))
}

fn split_lines(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut done = false;
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        let Some(at) = memmem::find(rest, b"\r\n") else {
            done = true;
            return Some(rest);
        };
        let line = &rest[..at];
        rest = &rest[at + 2..];
        Some(line)
    })
}

fn parse_field(line: &[u8]) -> Result<Field, Malformed> {
    let Some(colon) = memchr::memchr(b':', line) else {
        return Err(format!("a field line without a colon: {:?}", text(line)));
    };
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if name.is_empty() || !name.iter().all(|&byte| is_token(byte)) {
        return Err(format!("a field name that is not a token: {:?}", text(line)));
    }
    if value.iter().any(|&byte| (byte < b' ' && byte != b'\t') || byte == 0x7f) {
        return Err(format!("a control character in the field value {:?}", text(line)));
    }
    let value = text(value);
    Ok((text(name), value.trim_matches([' ', '\t']).to_owned()))
}

/// RFC 9110, section 5.6.2.
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The values of every field called `name`, in any case.
pub(crate) fn values<'f>(fields: &'f [Field], name: &str) -> impl Iterator<Item = &'f str> {
    fields.iter().filter(move |(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// Whether a comma-separated field lists `token`, in any case.
pub(crate) fn lists(fields: &[Field], name: &str, token: &str) -> bool {
    values(fields, name)
        .flat_map(|value| value.split(','))
        .any(|item| item.trim().eq_ignore_ascii_case(token))
}

/// The framing that the fields name, or `None` when they name none (RFC 9112, section 6.3).
pub(crate) fn named_framing(fields: &[Field]) -> Result<Option<Framing>, Malformed> {
    let lengths: Vec<&str> = values(fields, "content-length").collect();
    let codings: Vec<&str> = values(fields, "transfer-encoding").collect();
    match (lengths.as_slice(), codings.as_slice()) {
        ([], []) => Ok(None),
        ([length], []) => parse_length(length).map(|length| Some(Framing::Length(length))),
        ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => Ok(Some(Framing::Chunked)),
        ([], codings) => Err(format!("transfer codings other than one \"chunked\": {codings:?}")),
        (lengths, []) => Err(format!("more than one Content-Length: {lengths:?}")),
        _ => Err(format!("both Content-Length {lengths:?} and Transfer-Encoding {codings:?}")),
    }
}

fn parse_length(written: &str) -> Result<u64, Malformed> {
    let digits = !written.is_empty() && written.bytes().all(|byte| byte.is_ascii_digit());
    written
        .parse()
        .ok()
        .filter(|_| digits)
        .ok_or_else(|| format!("a Content-Length that is not a number: {written:?}"))
}

#[derive(Debug)]
enum State {
    Length(u64),
    UntilClose,
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailers,
    Done,
}

/// Takes a body from received bytes, whatever pieces they come in.
#[derive(Debug)]
pub(crate) struct BodyReader {
    state: State,
    /// The content, without chunk framing.
    pub(crate) body: Vec<u8>,
    /// The bytes as received, with chunk framing and trailers.
    pub(crate) raw: Vec<u8>,
    pub(crate) trailers: Vec<Field>,
}

impl BodyReader {
    pub(crate) fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::Empty | Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::ChunkSize,
            Framing::UntilClose => State::UntilClose,
        };
        Self { state, body: Vec::new(), raw: Vec::new(), trailers: Vec::new() }
    }

    /// Takes what belongs to the body from the front of `buffer`; true when the body is complete.
    pub(crate) fn feed(&mut self, buffer: &mut BytesMut) -> Result<bool, Malformed> {
        while self.step(buffer)? {}
        Ok(matches!(self.state, State::Done))
    }

    /// The peer ended its sending; true when that completes the body.
    pub(crate) fn end(&mut self) -> bool {
        if matches!(self.state, State::UntilClose) {
            self.state = State::Done;
        }
        matches!(self.state, State::Done)
    }

    /// One transition; false when more bytes are needed or the body is complete.
    fn step(&mut self, buffer: &mut BytesMut) -> Result<bool, Malformed> {
        match self.state {
            State::Done => return Ok(false),
            State::UntilClose => return Ok(self.take_content(buffer, u64::MAX) > 0),
            State::Length(left) => {
                let taken = self.take_content(buffer, left);
                self.state = if taken == left { State::Done } else { State::Length(left - taken) };
                return Ok(taken > 0);
            }
            State::ChunkData(left) => {
                let taken = self.take_content(buffer, left);
                self.state = if taken == left { State::ChunkEnd } else { State::ChunkData(left - taken) };
                return Ok(taken > 0);
            }
            State::ChunkSize | State::ChunkEnd | State::Trailers => {}
        }
        let Some(line) = self.take_line(buffer)? else { return Ok(false) };
        self.state = match self.state {
            State::ChunkSize => match parse_chunk_size(&line)? {
                0 => State::Trailers,
                size => State::ChunkData(size),
            },
            State::ChunkEnd if line.is_empty() => State::ChunkSize,
            State::ChunkEnd => return Err(format!("a chunk longer than its size: {:?}", text(&line))),
            _ if line.is_empty() => State::Done,
            _ => {
                self.trailers.push(parse_field(&line)?);
                State::Trailers
            }
        };
        Ok(true)
    }

    fn take_content(&mut self, buffer: &mut BytesMut, most: u64) -> u64 {
        let taken = buffer.len().min(usize::try_from(most).unwrap_or(usize::MAX));
        self.body.extend_from_slice(&buffer[..taken]);
        self.raw.extend_from_slice(&buffer[..taken]);
        buffer.advance(taken);
        taken as u64
    }

    fn take_line(&mut self, buffer: &mut BytesMut) -> Result<Option<Vec<u8>>, Malformed> {
        let Some(at) = memchr::memchr(b'\n', buffer) else {
            if buffer.len() > LARGEST_HEAD {
                return Err("an endless line in a chunked body".to_owned());
            }
            return Ok(None);
        };
        let Some(line) = buffer[..at].strip_suffix(b"\r").map(<[u8]>::to_vec) else {
            return Err(format!("a bare LF in a chunked body, after {:?}", text(&buffer[..at])));
        };
        self.raw.extend_from_slice(&buffer[..=at]);
        buffer.advance(at + 1);
        Ok(Some(line))
    }
}

/// RFC 9112, section 7.1; extensions are accepted and ignored.
fn parse_chunk_size(line: &[u8]) -> Result<u64, Malformed> {
    let line = text(line);
    let digits = line.split(';').next().unwrap_or_default();
    let valid = (1..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(digits, 16)
        .ok()
        .filter(|_| valid)
        .ok_or_else(|| format!("a chunk size that is not hexadecimal: {line:?}"))
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head_error(head: &str) -> String {
        match head_length(head.as_bytes()) {
            Err(reason) => reason,
            Ok(None) => "incomplete".to_owned(),
            Ok(Some(length)) => match parse_head(&head.as_bytes()[..length]) {
                Err(reason) => reason,
                Ok((_, fields)) => named_framing(&fields).expect_err("the head is malformed"),
            },
        }
    }

    #[test]
    fn what_a_careful_sender_never_writes_is_refused_with_its_reason() {
        for (head, reason) in [
            ("GET / HTTP/1.1\nHost: a\r\n\r\n", "bare LF"),
            ("GET / HTTP/1.1\r\nHost: a\n\n", "bare LF"),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", "not a token"),
            ("GET / HTTP/1.1\r\n: a\r\n\r\n", "not a token"),
            ("GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n", "not a token"),
            ("GET / HTTP/1.1\r\nHost\r\n\r\n", "without a colon"),
            ("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", "control character"),
            ("GET / HTTP/1.1\r\nHost: a\0\r\n\r\n", "control character"),
            ("GET /\t HTTP/1.1\r\nHost: a\r\n\r\n", "control character"),
            ("P\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", "more than one"),
            ("P\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "both"),
            ("P\r\nContent-Length: +1\r\n\r\n", "not a number"),
            ("P\r\nContent-Length: 1, 1\r\n\r\n", "not a number"),
            ("P\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "transfer codings"),
            ("P\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "transfer codings"),
        ] {
            assert!(head_error(head).contains(reason), "{head:?}: {}", head_error(head));
        }
    }

    #[test]
    fn a_chunked_body_reads_the_same_in_any_pieces() {
        let whole =
            b"5;name=value\r\nhello\r\n1\r\n \r\nA\r\n0123456789\r\n0\r\nX-Sum: 7\r\n\r\nGET".as_slice();
        for piece in 1..whole.len() {
            let mut reader = BodyReader::new(Framing::Chunked);
            let mut buffer = BytesMut::new();
            let mut done = false;
            for bytes in whole.chunks(piece) {
                buffer.extend_from_slice(bytes);
                done = reader.feed(&mut buffer).unwrap();
            }
            assert!(done);
            assert_eq!(reader.body, b"hello 0123456789");
            assert_eq!(reader.trailers, [("X-Sum".to_owned(), "7".to_owned())]);
            assert_eq!(reader.raw, whole[..whole.len() - 3]);
            assert_eq!(buffer.as_ref(), b"GET");
        }
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for body in ["5\nhello", "0x5\r\n", "\r\n", " 5\r\n", "-1\r\n", "5\r\nhelloo\r\n", "0\r\nbad\r\n"] {
            let refused = BodyReader::new(Framing::Chunked).feed(&mut BytesMut::from(body));
            assert!(refused.is_err(), "{body:?}");
        }
    }

    #[test]
    fn a_length_takes_its_bytes_and_no_more() {
        let mut reader = BodyReader::new(Framing::Length(4));
        let mut buffer = BytesMut::from("ab");
        assert!(!reader.feed(&mut buffer).unwrap());
        assert!(!reader.end());
        buffer.extend_from_slice(b"cdef");
        assert!(reader.feed(&mut buffer).unwrap());
        assert_eq!((reader.body.as_slice(), buffer.as_ref()), (b"abcd".as_slice(), b"ef".as_slice()));
    }
}
