//! What request and response heads have in common: the field section, checked and indexed in one pass.

use crate::fields::{Fields, Span};
use crate::name::Known;
use torana_fault::Reason;

/// Bounds of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of the whole head, start line included.
    pub head_bytes: usize,
    /// Bytes of the request target.
    pub target_bytes: usize,
    /// Number of field lines; at most [`HeadLimits::MAX_FIELDS`].
    pub fields: usize,
}

impl HeadLimits {
    /// The hard bound on field lines, whatever the configuration says.
    pub const MAX_FIELDS: usize = 256;
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { head_bytes: 32 * 1024, target_bytes: 16 * 1024, fields: 100 }
    }
}

/// What is wrong with a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadErrorKind {
    /// It breaks the grammar.
    Malformed,
    /// Two readings of where the body ends.
    AmbiguousFraming,
    /// A transfer coding that is not `chunked`.
    UnknownTransferCoding,
    /// Host missing, repeated or invalid.
    InvalidHost,
    /// Not HTTP/1.0 or HTTP/1.1.
    UnsupportedVersion,
    /// Too many bytes or fields.
    TooLarge,
    /// The request target is too long.
    TargetTooLong,
    /// An expectation other than `100-continue`.
    Expectation,
}

/// Why a head was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct HeadError {
    /// The class of the error.
    pub kind: HeadErrorKind,
    /// What exactly, for the log.
    pub detail: &'static str,
}

impl HeadError {
    pub(crate) const fn new(kind: HeadErrorKind, detail: &'static str) -> Self {
        Self { kind, detail }
    }

    pub(crate) const fn malformed(detail: &'static str) -> Self {
        Self::new(HeadErrorKind::Malformed, detail)
    }

    /// The reason when a client sent it.
    #[must_use]
    pub const fn request_reason(self) -> Reason {
        match self.kind {
            HeadErrorKind::Malformed => Reason::MalformedRequest,
            HeadErrorKind::AmbiguousFraming => Reason::AmbiguousFraming,
            HeadErrorKind::UnknownTransferCoding => Reason::UnknownTransferCoding,
            HeadErrorKind::InvalidHost => Reason::InvalidHost,
            HeadErrorKind::UnsupportedVersion => Reason::UnsupportedVersion,
            HeadErrorKind::TooLarge => Reason::HeadTooLarge,
            HeadErrorKind::TargetTooLong => Reason::TargetTooLong,
            HeadErrorKind::Expectation => Reason::ExpectationFailed,
        }
    }

    /// The reason when an upstream sent it.
    #[must_use]
    pub const fn response_reason(self) -> Reason {
        match self.kind {
            HeadErrorKind::TooLarge | HeadErrorKind::TargetTooLong => Reason::UpstreamHeadTooLarge,
            _ => Reason::UpstreamMalformed,
        }
    }
}

/// What the `Connection` field said (RFC 9110 section 7.6.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionOptions {
    /// `close` was named.
    pub close: bool,
    /// `keep-alive` was named.
    pub keep_alive: bool,
    /// `upgrade` was named.
    pub upgrade: bool,
    /// Some other field was named and must not be forwarded.
    pub names_fields: bool,
}

impl ConnectionOptions {
    fn read(&mut self, value: &[u8]) {
        for option in list(value) {
            if option.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                self.upgrade = true;
            } else {
                self.names_fields = true;
            }
        }
    }
}

/// The elements of a comma-separated list (RFC 9110 section 5.6.1), white space trimmed, empty ones left out.
pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// What the field section said about framing, host and connection.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) length: Option<u64>,
    pub(crate) chunked: bool,
    pub(crate) host: Option<Span>,
    pub(crate) connection: ConnectionOptions,
    pub(crate) expects_continue: bool,
    /// Where the value of `Upgrade` lies, and whether there was more than one.
    pub(crate) upgrade: Option<Span>,
    upgrade_repeated: bool,
}

/// Which of the two kinds of message a head belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Request,
    Response,
}

/// Checks and indexes the parsed `headers` of the head that `fields` has adopted from `input`.
pub(crate) fn scan(
    message: Message,
    input: &[u8],
    headers: &[httparse::Header<'_>],
    head_len: usize,
    fields: &mut Fields,
) -> Result<Scan, HeadError> {
    let mut scan = Scan::default();
    let base = input.as_ptr().addr();
    if !input.get(..head_len).unwrap_or_default().ends_with(b"\r\n\r\n") {
        return Err(HeadError::malformed("the empty line ends in LF without CR"));
    }
    for (position, header) in headers.iter().enumerate() {
        let name_at = header.name.as_ptr().addr().wrapping_sub(base);
        let value_at = header.value.as_ptr().addr().wrapping_sub(base);
        let name_end = name_at.wrapping_add(header.name.len());
        let value_end = value_at.wrapping_add(header.value.len());
        let line_end = headers
            .get(position.wrapping_add(1))
            .map_or(head_len.wrapping_sub(2), |next| next.name.as_ptr().addr().wrapping_sub(base));
        if input.get(line_end.wrapping_sub(2)..line_end) != Some(b"\r\n") {
            return Err(HeadError::malformed("a line ends in LF without CR"));
        }
        if header.name.len() > usize::from(u16::MAX) {
            return Err(HeadError::new(HeadErrorKind::TooLarge, "a field name is too long"));
        }
        let canonical = value_end.wrapping_add(2) == line_end && value_at == name_end.wrapping_add(2);
        let known = Known::find(header.name.as_bytes());
        if known.is_none() && is_look_alike(header.name.as_bytes()) {
            continue;
        }
        let value = Span::new(value_at, header.value.len());
        // Host and Expect mean nothing in a response; an origin that echoes a request does no harm.
        let is_noted = message == Message::Request || !matches!(known, Some(Known::Host | Known::Expect));
        if let Some(known) = known.filter(|_| is_noted) {
            scan.note(known, header.value, value)?;
        }
        // httparse leaves an empty value's position wherever it likes; such a line is written anew.
        let canonical = canonical && !header.value.is_empty();
        fields.index(Span::new(name_at, header.name.len()), value, known, canonical);
    }
    Ok(scan)
}

/// Whether a name turns into a well-known one when its underscores are read as hyphens, as CGI-like
/// upstreams do (RFC 3875 section 4.1.18). Such a field could pose as one that the gateway controls, so it
/// is dropped; other names with underscores pass.
pub(crate) fn is_look_alike(name: &[u8]) -> bool {
    if memchr::memchr(b'_', name).is_none() {
        return false;
    }
    let mut mapped = [0_u8; 64];
    let Some(target) = mapped.get_mut(..name.len()) else { return false };
    for (to, from) in target.iter_mut().zip(name) {
        *to = if *from == b'_' { b'-' } else { *from };
    }
    Known::find(target).is_some()
}

impl Scan {
    fn note(&mut self, known: Known, value: &[u8], span: Span) -> Result<(), HeadError> {
        match known {
            Known::ContentLength => {
                let length = parse_length(value).ok_or(HeadError::new(
                    HeadErrorKind::AmbiguousFraming,
                    "Content-Length is not a number",
                ))?;
                if self.length.replace(length).is_some() {
                    return Err(HeadError::new(
                        HeadErrorKind::AmbiguousFraming,
                        "Content-Length is repeated",
                    ));
                }
            }
            Known::TransferEncoding => {
                if !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(HeadError::new(
                        HeadErrorKind::UnknownTransferCoding,
                        "Transfer-Encoding is not chunked",
                    ));
                }
                if std::mem::replace(&mut self.chunked, true) {
                    return Err(HeadError::new(
                        HeadErrorKind::AmbiguousFraming,
                        "Transfer-Encoding is repeated",
                    ));
                }
            }
            Known::Host if self.host.replace(span).is_some() => {
                return Err(HeadError::new(HeadErrorKind::InvalidHost, "Host is repeated"));
            }
            Known::Connection => self.connection.read(value),
            Known::Upgrade => self.upgrade_repeated = self.upgrade.replace(span).is_some(),
            Known::Expect => {
                if !value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(HeadError::new(HeadErrorKind::Expectation, "Expect is not 100-continue"));
                }
                self.expects_continue = true;
            }
            _ => {}
        }
        Ok(())
    }

    /// What `Upgrade` said, where it stands once and `Connection` names it.
    pub(crate) fn asked_upgrade(&self) -> Option<Span> {
        self.upgrade.filter(|_| self.connection.upgrade && !self.upgrade_repeated)
    }

    /// Refuses what could be read as two framings (RFC 9112 section 6.1).
    pub(crate) fn check_framing(&self, http11: bool) -> Result<(), HeadError> {
        if self.chunked && self.length.is_some() {
            let detail = "both Transfer-Encoding and Content-Length";
            return Err(HeadError::new(HeadErrorKind::AmbiguousFraming, detail));
        }
        if self.chunked && !http11 {
            let detail = "Transfer-Encoding in an HTTP/1.0 message";
            return Err(HeadError::new(HeadErrorKind::AmbiguousFraming, detail));
        }
        Ok(())
    }
}

/// `1*DIGIT` that fits 63 bits, so that adding to it cannot overflow.
pub(crate) fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 18 {
        return None;
    }
    value.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Whether a head can be complete: it is searched for its end only from where the last search stopped.
/// Without this, one byte a packet would cost a parse each.
pub(crate) fn may_be_complete(input: &[u8], already_seen: usize) -> bool {
    let from = already_seen.saturating_sub(3);
    input.get(from..).is_some_and(|tail| {
        memchr::memchr_iter(b'\n', tail).any(|at| {
            let rest = tail.get(at.wrapping_add(1)..).unwrap_or_default();
            rest.starts_with(b"\r\n") || rest.starts_with(b"\n")
        })
    })
}
