//! A response as the client received it.

use crate::wire::{Framing, Malformed, named_framing, parse_head, text, values};

/// One response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// `HTTP/1.1` or `HTTP/1.0`.
    pub version: String,
    /// The status code.
    pub status: u16,
    /// The reason phrase as written, often empty.
    pub reason: String,
    /// The header lines in order, names as written.
    pub headers: Vec<(String, String)>,
    /// The content, without chunk framing.
    pub body: Vec<u8>,
    /// The trailer lines in order.
    pub trailers: Vec<(String, String)>,
    /// Head and body byte for byte.
    pub raw: Vec<u8>,
    /// The interim responses (1xx) that came before.
    pub interim: Vec<Response>,
}

impl Response {
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

    /// The content as text; bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn text(&self) -> String {
        text(&self.body)
    }

    /// The whole response as text; bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn raw_text(&self) -> String {
        text(&self.raw)
    }

    pub(super) fn parse(head: &[u8], to_head_request: bool) -> Result<(Self, Framing), Malformed> {
        let (line, headers) = parse_head(head)?;
        let mut words = line.splitn(3, ' ');
        let version = words.next().unwrap_or_default();
        let status = words.next().unwrap_or_default();
        // RFC 9112, section 4: the space before an empty reason phrase is still sent.
        let Some(reason) = words.next() else { return Err(format!("a short status line: {line:?}")) };
        let three_digits = status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit());
        let code = status.parse().ok().filter(|code| three_digits && *code >= 100);
        let Some(code) = code.filter(|_| matches!(version, "HTTP/1.1" | "HTTP/1.0")) else {
            return Err(format!("a wrong status line: {line:?}"));
        };
        let named = named_framing(&headers)?;
        let bodiless = to_head_request || matches!(code, 100..=199 | 204 | 304);
        let framing = if bodiless { Framing::Empty } else { named.unwrap_or(Framing::UntilClose) };
        if matches!(code, 100..=199 | 204) && named.is_some() {
            return Err(format!("a length in a response that has no content: {line:?}"));
        }
        let response = Self {
            version: version.to_owned(),
            status: code,
            reason: reason.to_owned(),
            headers,
            body: Vec::new(),
            trailers: Vec::new(),
            raw: Vec::new(),
            interim: Vec::new(),
        };
        Ok((response, framing))
    }
}
