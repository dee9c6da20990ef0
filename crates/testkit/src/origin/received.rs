//! What an origin received, exactly.

use std::net::SocketAddr;

use crate::wire::{Field, Framing, Malformed, is_token, lists, named_framing, parse_head, text, values};

/// One request as the origin received it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedRequest {
    /// The number of the connection, counted from 1 over all connections of the origin.
    pub connection: usize,
    /// The number of the request on its connection, counted from 1.
    pub number: usize,
    /// Who connected.
    pub peer: SocketAddr,
    /// The head byte for byte, with the empty line at its end.
    pub head: Vec<u8>,
    /// The method as written.
    pub method: String,
    /// The request target as written (RFC 9112, section 3.2).
    pub target: String,
    /// `HTTP/1.1` or `HTTP/1.0`.
    pub version: String,
    /// The header lines in order, names as written.
    pub headers: Vec<(String, String)>,
    /// The content, without chunk framing.
    pub body: Vec<u8>,
    /// The body byte for byte, with chunk framing and trailers.
    pub raw_body: Vec<u8>,
    /// The trailer lines in order.
    pub trailers: Vec<(String, String)>,
    /// Whether the whole body has arrived.
    pub complete: bool,
    /// Whether the peer ended the connection before the body was complete.
    pub abandoned: bool,
}

impl ReceivedRequest {
    /// The value of the first header called `name`, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        values(&self.headers, name).next()
    }

    /// The values of all headers called `name`, in any case, in order.
    #[must_use]
    pub fn header_all(&self, name: &str) -> Vec<&str> {
        values(&self.headers, name).collect()
    }

    /// The header names as written, in order.
    #[must_use]
    pub fn header_names(&self) -> Vec<&str> {
        self.headers.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// The head as text; bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn head_text(&self) -> String {
        text(&self.head)
    }

    /// The content as text; bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn body_text(&self) -> String {
        text(&self.body)
    }

    pub(super) fn parse(
        head: &[u8],
        peer: SocketAddr,
        connection: usize,
        number: usize,
    ) -> Result<(Self, Framing), Malformed> {
        let (line, headers) = parse_head(head)?;
        let parts: Vec<&str> = line.split(' ').collect();
        let [method, target, version] = parts.as_slice() else {
            return Err(format!("a request line that is not three words: {line:?}"));
        };
        if method.is_empty() || !method.bytes().all(is_token) || target.is_empty() {
            return Err(format!("a request line without method or target: {line:?}"));
        }
        let framing = request_framing(version, &headers)?;
        let request = Self {
            connection,
            number,
            peer,
            head: head.to_vec(),
            method: (*method).to_owned(),
            target: (*target).to_owned(),
            version: (*version).to_owned(),
            headers,
            body: Vec::new(),
            raw_body: Vec::new(),
            trailers: Vec::new(),
            complete: matches!(framing, Framing::Empty | Framing::Length(0)),
            abandoned: false,
        };
        Ok((request, framing))
    }

    pub(super) fn wants_continue(&self) -> bool {
        !self.complete && lists(&self.headers, "expect", "100-continue")
    }

    /// Whether the connection may carry another request (RFC 9112, section 9.3).
    pub(super) fn keeps_open(&self) -> bool {
        match self.version.as_str() {
            "HTTP/1.1" => !lists(&self.headers, "connection", "close"),
            _ => lists(&self.headers, "connection", "keep-alive"),
        }
    }
}

fn request_framing(version: &str, headers: &[Field]) -> Result<Framing, Malformed> {
    let framing = named_framing(headers)?;
    let hosts = values(headers, "host").count();
    match version {
        "HTTP/1.1" if hosts == 1 => Ok(framing.unwrap_or(Framing::Empty)),
        "HTTP/1.1" => Err(format!("{hosts} Host headers instead of one")),
        "HTTP/1.0" if framing == Some(Framing::Chunked) => Err("chunks in HTTP/1.0".to_owned()),
        "HTTP/1.0" => Ok(framing.unwrap_or(Framing::Empty)),
        _ => Err(format!("an unknown version: {version:?}")),
    }
}
