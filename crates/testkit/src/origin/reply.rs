//! What an origin answers, faults included.
//!
//! A reply is bytes, a pace and an end. The constructors write the bytes; the modifiers bend them.

use std::time::Duration;

use crate::Gate;

#[derive(Clone, Debug)]
enum Content {
    /// Neither body nor length: 204, 304 and interim responses.
    None,
    Length(Vec<u8>),
    Chunked {
        chunks: Vec<Vec<u8>>,
        trailers: Vec<(String, String)>,
    },
    UntilClose(Vec<u8>),
    /// Verbatim bytes in place of head and body.
    Raw(Vec<u8>),
}

/// What becomes of the connection after the reply's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It serves the next request, unless the request or the framing forbid it.
    KeepOpen,
    /// It is closed after this pause, though the reply did not say so.
    Close(Duration),
    /// It is reset (RST) at once.
    Reset,
    /// It stays open and silent until the peer closes it.
    Hang,
}

/// An answer of an [`Origin`](crate::Origin).
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    content: Content,
    interim: Vec<u8>,
    cut: Option<usize>,
    pub(super) gate: Option<Gate>,
    pub(super) delay: Duration,
    pub(super) pace: Option<(usize, Duration)>,
    pub(super) end: End,
}

impl Reply {
    /// `status` with an empty body; 1xx, 204 and 304 without a length, others with `Content-Length: 0`.
    #[must_use]
    pub fn status(status: u16) -> Self {
        let bodiless = matches!(status, 100..=199 | 204 | 304);
        let content = if bodiless { Content::None } else { Content::Length(Vec::new()) };
        Self {
            status,
            headers: Vec::new(),
            content,
            interim: Vec::new(),
            cut: None,
            gate: None,
            delay: Duration::ZERO,
            pace: None,
            end: End::KeepOpen,
        }
    }

    /// 200 with this body.
    #[must_use]
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::status(200).body(body)
    }

    /// These bytes verbatim, in place of a response; the connection stays open.
    #[must_use]
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { content: Content::Raw(bytes.into()), ..Self::status(200) }
    }

    /// No answer, ever; the connection stays open until the peer closes it.
    #[must_use]
    pub fn hang() -> Self {
        Self::raw("").then_hang()
    }

    /// Closes the connection before the head.
    #[must_use]
    pub fn close() -> Self {
        Self::raw("").then_close()
    }

    /// Resets the connection (RST) before the head.
    #[must_use]
    pub fn reset() -> Self {
        Self::raw("").then_reset()
    }

    /// Adds a header line, written as given, after the others and before the framing's own.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A body with its `Content-Length`.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.content = Content::Length(body.into());
        self
    }

    /// A chunked body of exactly these chunks; empty ones are left out, as they would end the body.
    #[must_use]
    pub fn chunked<T: Into<Vec<u8>>>(mut self, chunks: impl IntoIterator<Item = T>) -> Self {
        let chunks = chunks.into_iter().map(Into::into).filter(|chunk: &Vec<u8>| !chunk.is_empty()).collect();
        self.content = Content::Chunked { chunks, trailers: Vec::new() };
        self
    }

    /// Adds a trailer line to a chunked body.
    ///
    /// # Panics
    /// When the body is not chunked.
    #[must_use]
    #[track_caller]
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        let Content::Chunked { trailers, .. } = &mut self.content else {
            panic!("trailers need a chunked body")
        };
        trailers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A body that ends with the connection, without a length.
    #[must_use]
    pub fn until_close(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.content = Content::UntilClose(body.into());
        self
    }

    /// Neither body nor length, whatever the status.
    #[must_use]
    pub fn without_length(mut self) -> Self {
        self.content = Content::None;
        self
    }

    /// Sends these bytes verbatim before the head (interim responses such as 103).
    #[must_use]
    pub fn interim(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.interim = bytes.into();
        self
    }

    /// Waits before the first byte, while watching whether the peer goes away.
    #[must_use]
    pub fn delay(mut self, pause: Duration) -> Self {
        self.delay = pause;
        self
    }

    /// Sends nothing until the test opens the gate.
    #[must_use]
    pub fn after(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// Sends `bytes` at a time, with a pause between.
    ///
    /// # Panics
    /// When `bytes` is 0.
    #[must_use]
    #[track_caller]
    pub fn drip(mut self, bytes: usize, pause: Duration) -> Self {
        assert!(bytes > 0, "a drip of no bytes never ends");
        self.pace = Some((bytes, pause));
        self
    }

    /// Sends only the first `bytes` of the whole answer (head and body), then closes.
    #[must_use]
    pub fn close_after_bytes(mut self, bytes: usize) -> Self {
        self.cut = Some(bytes);
        self.then_close()
    }

    /// Sends only the first `bytes` of the whole answer, then resets the connection.
    #[must_use]
    pub fn reset_after_bytes(mut self, bytes: usize) -> Self {
        self.cut = Some(bytes);
        self.then_reset()
    }

    /// Sends only the first `bytes` of the whole answer, then stays silent.
    #[must_use]
    pub fn hang_after_bytes(mut self, bytes: usize) -> Self {
        self.cut = Some(bytes);
        self.then_hang()
    }

    /// Closes after the answer without having said so: the peer's pooled connection is stale.
    #[must_use]
    pub fn then_close(self) -> Self {
        self.then_close_after(Duration::ZERO)
    }

    /// As [`then_close`](Self::then_close), after a pause.
    #[must_use]
    pub fn then_close_after(mut self, pause: Duration) -> Self {
        self.end = End::Close(pause);
        self
    }

    /// Resets the connection after the answer.
    #[must_use]
    pub fn then_reset(mut self) -> Self {
        self.end = End::Reset;
        self
    }

    /// Leaves the connection open and silent after the answer: the next request on it is never answered.
    #[must_use]
    pub fn then_hang(mut self) -> Self {
        self.end = End::Hang;
        self
    }

    /// The bytes of the answer; to a HEAD request without the body (RFC 9110, section 9.3.2).
    pub(super) fn bytes(&self, to_head_request: bool) -> Vec<u8> {
        let mut bytes = self.interim.clone();
        if let Content::Raw(raw) = &self.content {
            bytes.extend_from_slice(raw);
        } else {
            self.write_head(&mut bytes);
            if !to_head_request {
                self.write_body(&mut bytes);
            }
        }
        bytes.truncate(self.cut.unwrap_or(usize::MAX));
        bytes
    }

    fn write_head(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status)).as_bytes());
        write_fields(bytes, &self.headers);
        match &self.content {
            Content::Length(body) => {
                bytes.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
            }
            Content::Chunked { .. } => bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            Content::None | Content::UntilClose(_) | Content::Raw(_) => {}
        }
        bytes.extend_from_slice(b"\r\n");
    }

    fn write_body(&self, bytes: &mut Vec<u8>) {
        match &self.content {
            Content::Length(body) | Content::UntilClose(body) => bytes.extend_from_slice(body),
            Content::Chunked { chunks, trailers } => {
                for chunk in chunks {
                    bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    bytes.extend_from_slice(chunk);
                    bytes.extend_from_slice(b"\r\n");
                }
                bytes.extend_from_slice(b"0\r\n");
                write_fields(bytes, trailers);
                bytes.extend_from_slice(b"\r\n");
            }
            Content::None | Content::Raw(_) => {}
        }
    }

    /// What becomes of the connection when the request allows keep-alive or not.
    pub(super) fn end_for(&self, request_keeps_open: bool) -> End {
        let until_close = matches!(self.content, Content::UntilClose(_));
        match self.end {
            End::KeepOpen if until_close || !request_keeps_open => End::Close(Duration::ZERO),
            end => end,
        }
    }
}

fn write_fields(bytes: &mut Vec<u8>, fields: &[(String, String)]) {
    for (name, value) in fields {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
}

/// The usual phrase; any status may be sent, and the phrase means nothing (RFC 9112, section 4).
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        409 => "Conflict",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}
