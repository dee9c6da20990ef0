//! Parsing a request head (RFC 9112 sections 3 and 5).

use super::scan::{HeadError, HeadErrorKind, HeadLimits, OF_REQUESTS, may_be_complete};
use super::{BodyFraming, section, seek};
use crate::bytes::is_of_host;
use crate::fields::Span;
use crate::head::{RequestHead, TargetForm, Version};
use crate::method::Method;

/// Bytes of a method.
const LONGEST_METHOD: usize = 32;

/// The request line, by what it consists of.
struct Line<'a> {
    method: Method,
    method_len: usize,
    target: &'a [u8],
    version: Version,
    /// One past its CR LF.
    end: usize,
}

/// Parses the head at the start of `input` into `head`, whose former content is lost.
///
/// `already_seen` is how many bytes of `input` an earlier call with the same start has seen.
/// Returns the head's length in bytes, or `None` if it is not complete yet.
///
/// # Errors
/// The head is malformed, ambiguous or beyond the limits. Nothing may be read from `head` then.
pub fn parse_request(
    input: &[u8],
    already_seen: usize,
    limits: &HeadLimits,
    head: &mut RequestHead,
) -> Result<Option<usize>, HeadError> {
    if already_seen > 0 && !may_be_complete(input, already_seen) {
        return incomplete(input, limits);
    }
    head.clear();
    let Some(line) = request_line(input, limits)? else { return incomplete(input, limits) };
    let fields = section::read(OF_REQUESTS, input, line.end, limits, &mut head.fields)?;
    let Some((head_len, scan)) = fields else { return incomplete(input, limits) };
    if head_len > limits.head_bytes {
        return Err(HeadError::new(HeadErrorKind::TooLarge, "the head exceeds its limit"));
    }
    head.fields.adopt(input.get(..head_len).unwrap_or_default());

    head.version = line.version;
    let http11 = head.version == Version::Http11;
    scan.check_framing(http11)?;
    head.framing = match (scan.chunked, scan.length) {
        (true, _) => BodyFraming::Chunked,
        (false, Some(length)) if length > 0 => BodyFraming::Length(length),
        _ => BodyFraming::None,
    };
    head.connection = scan.connection;
    // RFC 9110 section 10.1.1: an HTTP/1.0 client cannot mean it.
    head.expects_continue = scan.expects_continue && http11 && head.framing != BodyFraming::None;
    head.method = line.method;
    head.method_text = Span::new(0, line.method_len);
    let may_upgrade = http11 && head.method == Method::Get && head.framing == BodyFraming::None;
    head.upgrade = scan.asked_upgrade().filter(|_| may_upgrade);
    set_target(head, line.method_len.wrapping_add(1), line.target, scan.host)?;
    if http11 && scan.host.is_none() {
        return Err(HeadError::new(HeadErrorKind::InvalidHost, "Host is missing"));
    }
    check_host(head.host())?;
    Ok(Some(head_len))
}

fn incomplete(input: &[u8], limits: &HeadLimits) -> Result<Option<usize>, HeadError> {
    let line = memchr::memchr(b'\n', input).unwrap_or(input.len());
    if line > limits.target_bytes.saturating_add(64) {
        return Err(HeadError::new(HeadErrorKind::TargetTooLong, "the request line exceeds its limit"));
    }
    if input.len() >= limits.head_bytes {
        return Err(HeadError::new(HeadErrorKind::TooLarge, "the head exceeds its limit"));
    }
    Ok(None)
}

/// Reads the request line; what is not whole is `None`.
fn request_line<'a>(input: &'a [u8], limits: &HeadLimits) -> Result<Option<Line<'a>>, HeadError> {
    let invalid = HeadError::malformed("the request line is not valid");
    let method_len = seek::byte(input, b' ').unwrap_or(input.len());
    let (method, rest) = input.split_at(method_len);
    let known = Method::from_bytes(method);
    if known == Method::Extension {
        if input == b"\r" {
            // The half of an empty line, which the caller passes over when it is whole.
            return Ok(None);
        }
        let (is_token, is_upper) = crate::bytes::method(method);
        if !is_token || (method.is_empty() && !input.is_empty()) {
            // RFC 8446 section 5.1: a record of a handshake.
            let tls = input.starts_with(&[0x16, 3]);
            return Err(if tls {
                HeadError::malformed("a TLS handshake was sent to a plain port")
            } else {
                invalid
            });
        }
        if !is_upper && !rest.is_empty() {
            return Err(HeadError::LOWER_CASE_METHOD);
        }
        if method.len() > LONGEST_METHOD && !rest.is_empty() {
            return Err(HeadError::malformed("the method is too long"));
        }
    }
    let Some((_, rest)) = rest.split_first() else { return Ok(None) };
    let Some(target_len) = seek::end_of_target(rest) else { return Ok(None) };
    let (target, rest) = rest.split_at(target_len);
    if target.is_empty() {
        return Err(HeadError::malformed("the request line has extra white space"));
    }
    if target_len > limits.target_bytes {
        return Err(HeadError::new(HeadErrorKind::TargetTooLong, "the target exceeds its limit"));
    }
    let version = match rest.first_chunk() {
        Some(b" HTTP/1.1\r\n") => Version::Http11,
        Some(b" HTTP/1.0\r\n") => Version::Http10,
        _ => return other_version(rest),
    };
    let end = method_len.wrapping_add(target_len).wrapping_add(" ".len().wrapping_add(" HTTP/1.1\r\n".len()));
    Ok(Some(Line { method: known, method_len, target, version, end }))
}

/// What is wrong with the end of a request line; it may only be too short.
fn other_version<'a>(rest: &[u8]) -> Result<Option<Line<'a>>, HeadError> {
    let Some(rest) = rest.strip_prefix(b" ") else {
        return Err(HeadError::malformed("the target holds a byte that is not allowed"));
    };
    let end = seek::control(rest).unwrap_or(rest.len());
    let (version, after) = rest.split_at(end);
    if matches!(after, [] | [b'\r']) && version.iter().all(u8::is_ascii_graphic) {
        return Ok(None);
    }
    let digits = version.strip_prefix(b"HTTP/").unwrap_or_default();
    let is_version = matches!(after.first(), Some(b'\r' | b'\n'))
        && digits.first().is_some_and(u8::is_ascii_digit)
        && digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    match digits {
        [b'1', b'.', b'0' | b'1', ..] => {
            Err(HeadError::malformed("the request line does not end in CR LF after its version"))
        }
        _ if is_version => {
            Err(HeadError::new(HeadErrorKind::UnsupportedVersion, "the version is not HTTP/1.x"))
        }
        _ => Err(HeadError::malformed("the request line is not valid")),
    }
}

/// Splits the target; an absolute form's authority becomes the host (RFC 9112 section 3.2.2).
fn set_target(
    head: &mut RequestHead,
    target_at: usize,
    target: &[u8],
    host: Option<Span>,
) -> Result<(), HeadError> {
    head.host = host.unwrap_or_default();
    let mut path_at = target_at;
    let mut rest = target;
    if target == b"*" {
        if head.method != Method::Options {
            return Err(HeadError::malformed("only OPTIONS may have the target *"));
        }
        head.form = TargetForm::Asterisk;
    } else if target.first() != Some(&b'/') {
        if head.method == Method::Connect {
            return Ok(());
        }
        let scheme = length_of_scheme(target);
        let scheme = scheme.ok_or(HeadError::malformed("the target is neither path nor URL"))?;
        let after = target.get(scheme..).unwrap_or_default();
        let authority_at = target_at.wrapping_add(scheme);
        let authority_len = memchr::memchr2(b'/', b'?', after).unwrap_or(after.len());
        rest = after.get(authority_len..).unwrap_or_default();
        path_at = authority_at.wrapping_add(authority_len);
        // It is not asked, but has to be one all the same (RFC 9112 section 3.2): who stood before may have gone by it.
        check_host(head.host())?;
        if authority_len == 0 {
            return Err(HeadError::new(HeadErrorKind::InvalidHost, "the target's authority is empty"));
        }
        // RFC 9112 section 3.2.4: it is about the whole server.
        if rest.is_empty() && head.method == Method::Options {
            head.form = TargetForm::Asterisk;
        }
        head.host = Span::new(authority_at, authority_len);
        let authority = head.host().to_vec();
        if head.fields.insert(crate::Known::Host, &authority).is_err() {
            return Err(HeadError::new(HeadErrorKind::InvalidHost, "the target's authority is not valid"));
        }
    }
    let path_len = seek::byte(rest, b'?').unwrap_or(rest.len());
    head.path = Span::new(path_at, path_len);
    if path_len == 0 {
        let path: &[u8] = if head.form == TargetForm::Asterisk { b"*" } else { b"/" };
        head.path = head.fields.store(path);
    }
    let query_at = path_at.wrapping_add(path_len).wrapping_add(1);
    head.query = rest.get(path_len.wrapping_add(1)..).map(|query| Span::new(query_at, query.len()));
    Ok(())
}

/// How many bytes of an absolute target come before its authority.
fn length_of_scheme(target: &[u8]) -> Option<usize> {
    let starts = |with: &[u8]| target.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    [&b"http://"[..], b"https://"].into_iter().find(|scheme| starts(scheme)).map(<[u8]>::len)
}

/// `uri-host [ ":" port ]` without user information (RFC 9110 section 7.2). Empty is allowed by the
/// grammar for authorities that have none; HTTP/1.0 clients may also send none at all.
pub(crate) fn check_host(host: &[u8]) -> Result<(), HeadError> {
    let invalid = HeadError::new(HeadErrorKind::InvalidHost, "Host is not a host and port");
    let port = if host.first() == Some(&b'[') {
        let end = memchr::memchr(b']', host).ok_or(invalid)?;
        let (literal, port) = host.split_at_checked(end.wrapping_add(1)).ok_or(invalid)?;
        let inner = std::str::from_utf8(literal.get(1..end).unwrap_or_default()).map_err(|_| invalid)?;
        let _: std::net::Ipv6Addr = inner.parse().map_err(|_| invalid)?;
        port
    } else {
        let name = host.iter().position(|byte| !is_of_host(*byte)).unwrap_or(host.len());
        // A port of no host: RFC 9110 section 4.2.1 calls it invalid.
        let (_, port) = host
            .split_at_checked(name)
            .filter(|(name, port)| !name.is_empty() || port.is_empty())
            .ok_or(invalid)?;
        port
    };
    let port_valid = match port.split_first() {
        None => true,
        Some((b':', digits)) => is_port(digits),
        Some(_) => false,
    };
    if port_valid && host.len() <= 260 { Ok(()) } else { Err(invalid) }
}

/// `port = *DIGIT` (RFC 3986 section 3.2.3) that a connection can be made to; none is the scheme's own.
fn is_port(digits: &[u8]) -> bool {
    let number = digits.iter().try_fold(0_u16, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        number.checked_mul(10)?.checked_add(u16::from(digit))
    });
    number.is_some() && digits.len() <= 5
}
