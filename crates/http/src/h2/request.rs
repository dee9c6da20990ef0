//! An HTTP/2 request's parts as a head (RFC 9113 section 8).

use super::edges::check_edges;
use crate::fields::Fields;
use crate::h1::{BodyFraming, HeadError, HeadErrorKind, HeadLimits};
use crate::h1::{check_host, is_look_alike, parse_length};
use crate::head::{RequestHead, TargetForm, Version};
use crate::method::Method;
use crate::name::{Known, Name};

/// What a request says outside of its fields.
#[derive(Clone, Copy, Debug)]
pub struct RequestParts<'a> {
    /// `:method`
    pub method: &'a str,
    /// `:authority`, when there is one.
    pub authority: Option<&'a str>,
    /// `:path`; the query belongs to it. Empty for CONNECT.
    pub target: &'a str,
    /// Whether the request ends with its fields.
    pub ends: bool,
}

/// Reads a request into `head`, whose former content is lost.
///
/// Stricter than RFC 9113 section 8.2 asks, as the HTTP/1 codec is: what could change its meaning when it
/// is written as HTTP/1.1 is refused. `Cookie` lines become one (section 8.2.3), and count as one. `:authority` becomes
/// `Host`; where both are there they must be equal.
///
/// # Errors
/// The request is malformed or beyond the limits. Nothing may be read from `head` then.
pub fn read_request<'f>(
    parts: &RequestParts<'_>,
    fields: impl Iterator<Item = (&'f str, &'f [u8])>,
    limits: &HeadLimits,
    head: &mut RequestHead,
) -> Result<(), HeadError> {
    head.clear();
    head.version = Version::Http2;
    if parts.target.len() > limits.target_bytes {
        return Err(HeadError::new(HeadErrorKind::TargetTooLong, "the target exceeds its limit"));
    }
    set_method(parts.method, head)?;
    let seen = read_fields(parts, fields, limits, head)?;
    set_target(parts.target, head)?;
    set_host(head)?;
    head.framing = match (parts.ends, seen.length) {
        (true, None | Some(0)) => BodyFraming::None,
        (true, Some(_)) => return Err(ambiguous("Content-Length announces a body that does not come")),
        (false, Some(length)) => BodyFraming::Length(length),
        (false, None) => BodyFraming::Chunked,
    };
    head.expects_continue = seen.expects_continue && !parts.ends;
    Ok(())
}

const fn ambiguous(detail: &'static str) -> HeadError {
    HeadError::new(HeadErrorKind::AmbiguousFraming, detail)
}

/// What the fields said about more than themselves.
#[derive(Debug, Default)]
struct Seen {
    length: Option<u64>,
    has_host: bool,
    has_cookie: bool,
    many_cookies: bool,
    expects_continue: bool,
}

fn set_method(method: &str, head: &mut RequestHead) -> Result<(), HeadError> {
    let (is_token, is_upper) = crate::bytes::method(method.as_bytes());
    if method.is_empty() || method.len() > 32 || !is_token {
        return Err(HeadError::malformed("the method is not valid"));
    }
    if !is_upper {
        return Err(HeadError::LOWER_CASE_METHOD);
    }
    head.method = Method::from_bytes(method.as_bytes());
    head.method_text = head.fields.store(method.as_bytes());
    Ok(())
}

fn set_target(target: &str, head: &mut RequestHead) -> Result<(), HeadError> {
    if head.method == Method::Connect {
        // Refused later for its method; it has no path.
        return Ok(());
    }
    if target == "*" {
        if head.method != Method::Options {
            return Err(HeadError::malformed("only OPTIONS may have the target *"));
        }
        head.form = TargetForm::Asterisk;
        head.path = head.fields.store(b"*");
        return Ok(());
    }
    if !target.starts_with('/') {
        return Err(HeadError::malformed("the path does not begin with a slash"));
    }
    if !target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Err(HeadError::malformed("the target holds a byte that is not allowed"));
    }
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    head.path = head.fields.store(path.as_bytes());
    head.query = query.map(|query| head.fields.store(query.as_bytes()));
    Ok(())
}

/// The host is the authority, or the `Host` field where there is none; `read_fields` has kept one of them.
fn set_host(head: &mut RequestHead) -> Result<(), HeadError> {
    let missing = HeadError::new(HeadErrorKind::InvalidHost, "there is neither :authority nor Host");
    let host = head.fields.span_of(Known::Host).filter(|host| host.len > 0).ok_or(missing)?;
    check_host(head.fields.slice(host))?;
    head.host = host;
    Ok(())
}

fn read_fields<'f>(
    parts: &RequestParts<'_>,
    fields: impl Iterator<Item = (&'f str, &'f [u8])>,
    limits: &HeadLimits,
    head: &mut RequestHead,
) -> Result<Seen, HeadError> {
    let mut seen = Seen::default();
    let mut bytes = parts.method.len().saturating_add(parts.target.len());
    let mut count = 0_usize;
    if let Some(authority) = parts.authority {
        bytes = bytes.saturating_add(authority.len());
        add(&mut head.fields, Known::Host.into(), authority.as_bytes())?;
    }
    for (text, value) in fields {
        // Further crumbs are what they are in one line.
        let is_crumb = seen.has_cookie && text == "cookie";
        let (fields, around) = if is_crumb { (0, 2) } else { (1, text.len().saturating_add(4)) };
        count = count.saturating_add(fields);
        bytes = bytes.saturating_add(value.len()).saturating_add(around);
        if bytes > limits.head_bytes || count > limits.fields {
            return Err(HeadError::new(HeadErrorKind::TooLarge, "the head exceeds its limit"));
        }
        let Some(known) = read_field(text, value, &mut seen)? else {
            if !is_look_alike(text.as_bytes()) {
                add(&mut head.fields, Name::Other(text), value)?;
            }
            continue;
        };
        match known {
            Known::Host if parts.authority.is_some() => {
                // Compared here, because only one of the two is kept.
                if !value.eq_ignore_ascii_case(parts.authority.unwrap_or_default().as_bytes()) {
                    let detail = "Host and :authority differ";
                    return Err(HeadError::new(HeadErrorKind::InvalidHost, detail));
                }
            }
            known => add(&mut head.fields, known.into(), value)?,
        }
    }
    if seen.many_cookies {
        join_cookies(&mut head.fields)?;
    }
    Ok(seen)
}

/// Checks one field and notes what it says; its number, if it is a well-known one.
fn read_field(text: &str, value: &[u8], seen: &mut Seen) -> Result<Option<Known>, HeadError> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(HeadError::malformed("a field name is not in lower case"));
    }
    check_edges(value)?;
    let Some(known) = Known::find(text.as_bytes()) else { return Ok(None) };
    match known {
        Known::Connection
        | Known::KeepAlive
        | Known::ProxyConnection
        | Known::TransferEncoding
        | Known::Upgrade => {
            return Err(HeadError::malformed("a field belongs to an HTTP/1 connection"));
        }
        Known::Te if !value.eq_ignore_ascii_case(b"trailers") => {
            return Err(HeadError::malformed("TE holds something else than trailers"));
        }
        Known::ContentLength => {
            let length = parse_length(value).ok_or(ambiguous("Content-Length is not a number"))?;
            if seen.length.replace(length).is_some() {
                return Err(ambiguous("Content-Length is repeated"));
            }
        }
        Known::Host if std::mem::replace(&mut seen.has_host, true) => {
            return Err(HeadError::new(HeadErrorKind::InvalidHost, "Host is repeated"));
        }
        Known::Cookie => seen.many_cookies |= std::mem::replace(&mut seen.has_cookie, true),
        Known::Expect => {
            if !value.eq_ignore_ascii_case(b"100-continue") {
                return Err(HeadError::new(HeadErrorKind::Expectation, "Expect is not 100-continue"));
            }
            seen.expects_continue = true;
        }
        _ => {}
    }
    Ok(Some(known))
}

fn add(fields: &mut Fields, name: Name<'_>, value: &[u8]) -> Result<(), HeadError> {
    fields.append(name, value).map_err(|_| HeadError::malformed("a field holds a byte that is not allowed"))
}

fn join_cookies(fields: &mut Fields) -> Result<(), HeadError> {
    let mut joined = Vec::new();
    for crumb in fields.get_all(Known::Cookie) {
        if !joined.is_empty() {
            joined.extend_from_slice(b"; ");
        }
        joined.extend_from_slice(crumb);
    }
    fields.insert(Known::Cookie, &joined).map_err(|_| HeadError::malformed("a cookie is not a field value"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: RequestParts<'_> =
        RequestParts { method: "GET", authority: Some("a.test"), target: "/x?y=1", ends: true };

    fn read(parts: RequestParts<'_>, fields: &[(&str, &str)]) -> Result<RequestHead, HeadErrorKind> {
        let mut head = RequestHead::default();
        let fields = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
        read_request(&parts, fields, &HeadLimits::default(), &mut head).map_err(|error| error.kind)?;
        Ok(head)
    }

    fn written(head: &RequestHead) -> String {
        let mut out = Vec::new();
        crate::h1::write_request_head(head, head.framing, None, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_request_is_written_as_http_1_without_a_second_meaning() {
        let fields = [("cookie", "a=1"), ("x-b", "2"), ("cookie", "c=3"), ("content_length", "7")];
        let head = read(GET, &fields).unwrap();
        let expected = "GET /x?y=1 HTTP/1.1\r\nHost: a.test\r\nx-b: 2\r\nCookie: a=1; c=3\r\n\r\n";
        assert_eq!(written(&head), expected);
        assert_eq!((head.host(), head.path(), head.query()), (&b"a.test"[..], &b"/x"[..], Some(&b"y=1"[..])));
    }

    #[test]
    fn a_body_is_framed_by_its_length_or_by_its_end() {
        let open = RequestParts { method: "POST", ends: false, ..GET };
        assert_eq!(read(open, &[("content-length", "3")]).unwrap().framing, BodyFraming::Length(3));
        assert_eq!(read(open, &[]).unwrap().framing, BodyFraming::Chunked);
        assert_eq!(read(GET, &[("content-length", "0")]).unwrap().framing, BodyFraming::None);
        assert_eq!(read(GET, &[("content-length", "1")]).unwrap_err(), HeadErrorKind::AmbiguousFraming);
        for value in ["", "+1", "1,1", "0x1", "9999999999999999999"] {
            assert_eq!(
                read(open, &[("content-length", value)]).unwrap_err(),
                HeadErrorKind::AmbiguousFraming,
                "{value}"
            );
        }
        let twice = [("content-length", "1"), ("content-length", "1")];
        assert_eq!(read(open, &twice).unwrap_err(), HeadErrorKind::AmbiguousFraming);
    }

    #[test]
    fn what_smuggles_is_malformed() {
        for (name, value) in [
            ("transfer-encoding", "chunked"),
            ("connection", "close"),
            ("keep-alive", "1"),
            ("proxy-connection", "x"),
            ("upgrade", "h2c"),
            ("te", "gzip"),
            ("x-a", "a\r\nb: c"),
            ("x-a", "a\nb"),
            ("x-a", "a\0b"),
            ("x-a", " a"),
            ("x-a", "a\t"),
            ("X-A", "a"),
            ("x a", "a"),
            ("x-a\r\ny", "a"),
            ("", "a"),
        ] {
            assert_eq!(read(GET, &[(name, value)]).unwrap_err(), HeadErrorKind::Malformed, "{name}: {value}");
        }
        for target in ["", "x", "//x y", "/a b", "/a\r\nb", "http://a/", "*"] {
            assert_eq!(
                read(RequestParts { target, ..GET }, &[]).unwrap_err(),
                HeadErrorKind::Malformed,
                "{target:?}"
            );
        }
        for method in ["", "G ET", "GET / HTTP/1.1\r\n"] {
            assert_eq!(
                read(RequestParts { method, ..GET }, &[]).unwrap_err(),
                HeadErrorKind::Malformed,
                "{method:?}"
            );
        }
        for method in ["get", "Delete", "M-SEARCh"] {
            let refused = read(RequestParts { method, ..GET }, &[]).unwrap_err();
            assert_eq!(refused, HeadErrorKind::LowerCaseMethod, "{method}");
        }
    }

    #[test]
    fn the_host_has_one_meaning() {
        assert!(read(GET, &[("host", "A.test")]).is_ok());
        assert_eq!(read(RequestParts { authority: None, ..GET }, &[("host", "b")]).unwrap().host(), b"b");
        for (authority, hosts) in [
            (Some("a.test"), &[("host", "b.test")][..]),
            (Some("a.test"), &[("host", "a.test"), ("host", "a.test")]),
            (None, &[]),
            (None, &[("host", "")]),
            (Some(""), &[]),
            (Some("user@a.test"), &[]),
            (Some("a.test/x"), &[]),
        ] {
            let refused = read(RequestParts { authority, ..GET }, hosts);
            assert_eq!(refused.unwrap_err(), HeadErrorKind::InvalidHost, "{authority:?} {hosts:?}");
        }
    }

    #[test]
    fn limits_are_those_of_http_1() {
        let many: Vec<(&str, &str)> = (0..101).map(|_| ("x-a", "b")).collect();
        assert_eq!(read(GET, &many).unwrap_err(), HeadErrorKind::TooLarge);
        let mut crumbs: Vec<(&str, &str)> = vec![("cookie", "name=value"); 300];
        crumbs.extend(&many[..99]);
        assert_eq!(read(GET, &crumbs).unwrap().fields.get(Known::Cookie).unwrap().len(), 300 * 12 - 2);
        crumbs.push(("x-a", "b"));
        assert_eq!(read(GET, &crumbs).unwrap_err(), HeadErrorKind::TooLarge);
        let crumbs = vec![("cookie", "name=value"); 3_000];
        assert_eq!(read(GET, &crumbs).unwrap_err(), HeadErrorKind::TooLarge, "bytes count");
        let long = "v".repeat(33 * 1024);
        assert_eq!(read(GET, &[("x-a", &long)]).unwrap_err(), HeadErrorKind::TooLarge);
        let target = format!("/{long}");
        let refused = read(RequestParts { target: &target, ..GET }, &[]);
        assert_eq!(refused.unwrap_err(), HeadErrorKind::TargetTooLong);
    }
}
