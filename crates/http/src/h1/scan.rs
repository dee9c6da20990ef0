//! What the fields of a head say of its message: framing, host and connection; and how a head is refused.

use crate::fields::Span;
use crate::name::{Known, KnownSet};
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
    /// A lower-case letter in the method: services take `delete` for DELETE, and no rule that names a method would be
    /// asked.
    LowerCaseMethod,
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
    /// A method that is not what it is taken for.
    pub(crate) const LOWER_CASE_METHOD: Self =
        Self::new(HeadErrorKind::LowerCaseMethod, "the method has a lower-case letter");

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
            HeadErrorKind::LowerCaseMethod => Reason::LowerCaseMethod,
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

/// The fields of a request that say something of it.
pub(super) const OF_REQUESTS: KnownSet = OF_RESPONSES.and(KnownSet::of(&[Known::Host, Known::Expect]));

/// The fields of a response that do. Host and Expect mean nothing there; an origin that echoes a request does no
/// harm.
pub(super) const OF_RESPONSES: KnownSet =
    KnownSet::of(&[Known::ContentLength, Known::TransferEncoding, Known::Connection, Known::Upgrade]);

/// The fields after a body say nothing of it.
pub(super) const OF_TRAILERS: KnownSet = KnownSet::of(&[]);

impl Scan {
    /// Notes what a field says of the message. Few do, so this stands apart from the loop over all of them.
    #[inline(never)]
    pub(super) fn note(&mut self, known: Known, value: &[u8], span: Span) -> Result<(), HeadError> {
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

/// `1*DIGIT` that fits 63 bits, so that adding to it cannot overflow. Without a zero in front, though the grammar has it:
/// it goes on as it came, and some read such a number as an octal one.
pub(crate) fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 18 || matches!(value, [b'0', _, ..]) {
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
