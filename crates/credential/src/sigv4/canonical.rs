//! The canonical request: the one form that signer and verifier bring a request into.

use crate::request::{Refusal, SignedRequest, percent_decoded, percent_encode};

/// How the path was brought into its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PathForm {
    /// As clients of S3 send and sign it: segments and reserved characters stay as they are, escaped or not.
    Once,
    /// As every other service does: dot segments and empty segments go, and what was sent encoded is encoded once
    /// more.
    Twice,
}

/// What stays as it is.
const UNRESERVED: &[u8] = b"-._~";
/// What stays as it is in a path that is encoded once (RFC 3986 section 3.3).
const RESERVED: &[u8] = b"-._~/!$&'()*+,;=:@";

/// The canonical request, with the payload's hash or the word in its place.
///
/// # Errors
/// Percent-encoding is broken, or what was sent could be read in two ways.
pub(super) fn request(
    request: &SignedRequest<'_>,
    signed_headers: &[String],
    payload: &str,
    form: PathForm,
    presigned: bool,
) -> Result<Vec<u8>, Refusal> {
    if request.query.is_some_and(|query| query.contains(&b'+')) {
        return Err(Refusal::Invalid(
            "a `+` in a signed query is a plus for one reader and a space for another",
        ));
    }
    if request.query.is_some_and(|query| query.contains(&b';')) {
        return Err(Refusal::Invalid(
            "a `;` in a signed query is data for one reader and another `&` for the next; signers write `%3B`",
        ));
    }
    let mut text = request.method.to_vec();
    text.push(b'\n');
    text.extend(
        path(request.path, form)
            .ok_or(Refusal::Invalid("the encoding of the path is broken or ambiguous"))?,
    );
    text.push(b'\n');
    text.extend(
        query(request.query, presigned).ok_or(Refusal::Invalid("the encoding of the query is broken"))?,
    );
    text.push(b'\n');
    for name in signed_headers {
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        for (place, value) in request.values(name).enumerate() {
            if place > 0 {
                text.push(b',');
            }
            squeeze(value, &mut text);
        }
        text.push(b'\n');
    }
    text.push(b'\n');
    text.extend_from_slice(signed_headers.join(";").as_bytes());
    text.push(b'\n');
    text.extend_from_slice(payload.as_bytes());
    Ok(text)
}

/// Runs of spaces become one.
fn squeeze(value: &[u8], out: &mut Vec<u8>) {
    let mut before = 0;
    for byte in value {
        if !(*byte == b' ' && before == b' ') {
            out.push(*byte);
        }
        before = *byte;
    }
}

fn path(path: &[u8], form: PathForm) -> Option<Vec<u8>> {
    match form {
        PathForm::Once => as_sent(path),
        PathForm::Twice => {
            let mut out = Vec::with_capacity(path.len());
            percent_encode(&without_dots(path), b"-._~/", &mut out);
            Some(out)
        }
    }
}

/// Escapes of unreserved characters are undone, the others keep apart from what they stand for: services tell
/// `%2B` from `+`. An escaped slash could be a separator or not, so it is neither.
fn as_sent(path: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        let (piece, after) =
            if *first == b'%' { rest.split_at_checked(3)? } else { (std::slice::from_ref(first), after) };
        rest = after;
        if *first != b'%' {
            percent_encode(piece, RESERVED, &mut out);
            continue;
        }
        match *percent_decoded(piece, false)? {
            [b'/'] => return None,
            [byte] if byte.is_ascii_alphanumeric() || UNRESERVED.contains(&byte) => out.push(byte),
            [byte] => percent_encode(&[byte], &[], &mut out),
            _ => return None,
        }
    }
    Some(out)
}

/// RFC 3986 section 5.2.4, and no empty segments; a slash at the end stays, and a dot segment at the end leaves one.
fn without_dots(path: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    for segment in path.split(|byte| *byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    let mut out = vec![b'/'];
    out.extend(kept.join(&b"/"[..]));
    let is_open = [&b"/"[..], b"/.", b"/.."].iter().any(|end| path.ends_with(end));
    if is_open && !kept.is_empty() {
        out.push(b'/');
    }
    out
}

/// Every parameter but the signature itself, encoded anew, in the order of the encoded bytes.
fn query(query: Option<&[u8]>, presigned: bool) -> Option<Vec<u8>> {
    let mut pairs = Vec::new();
    for pair in query.unwrap_or_default().split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let mut anew = || {
            let mut out = Vec::new();
            percent_encode(&percent_decoded(halves.next().unwrap_or_default(), false)?, UNRESERVED, &mut out);
            Some(out)
        };
        let (name, value) = (anew()?, anew()?);
        if !(presigned && name == b"X-Amz-Signature") {
            pairs.push((name, value));
        }
    }
    pairs.sort_unstable();
    let pairs: Vec<Vec<u8>> =
        pairs.into_iter().map(|(name, value)| [&name[..], b"=", &value].concat()).collect();
    Some(pairs.join(&b"&"[..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Option<Vec<u8>>) -> Option<String> {
        bytes.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn paths_are_encoded_once_or_twice() {
        for (sent, once, twice) in [
            ("/", "/", "/"),
            ("/a%20b", "/a%20b", "/a%2520b"),
            ("/a/./b/../c", "/a/./b/../c", "/a/c"),
            ("//a//b/", "//a//b/", "/a/b/"),
            ("/%7ea", "/~a", "/%257ea"),
            ("/a+b", "/a+b", "/a%2Bb"),
            ("/a%2bb", "/a%2Bb", "/a%252bb"),
            ("/a/.", "/a/.", "/a/"),
            ("/a/b/..", "/a/b/..", "/a/"),
            ("/a/..", "/a/..", "/"),
            ("/a/b..", "/a/b..", "/a/b.."),
            ("/$a", "/$a", "/%24a"),
            ("/\u{e9}", "/%C3%A9", "/%C3%A9"),
            ("/../..", "/../..", "/"),
        ] {
            assert_eq!(text(path(sent.as_bytes(), PathForm::Once)).as_deref(), Some(once), "{sent}");
            assert_eq!(text(path(sent.as_bytes(), PathForm::Twice)).as_deref(), Some(twice), "{sent}");
        }
        for refused in ["/%2", "/%", "/%zz", "/a%2Fb", "/a%2fb"] {
            assert_eq!(path(refused.as_bytes(), PathForm::Once), None, "{refused}");
        }
        assert_eq!(text(path(b"/a%2Fb", PathForm::Twice)).as_deref(), Some("/a%252Fb"));
    }

    #[test]
    fn queries_are_encoded_anew_and_sorted() {
        for (sent, canonical) in [
            ("b=2&a=1", "a=1&b=2"),
            ("a=2&a=1", "a=1&a=2"),
            ("a", "a="),
            ("a=%2f&&b=x=y", "a=%2F&b=x%3Dy"),
            ("a=1%2b2", "a=1%2B2"),
            ("a=%7e", "a=~"),
            ("X-Amz-Signature=x&a=", "a="),
        ] {
            assert_eq!(text(query(Some(sent.as_bytes()), true)).as_deref(), Some(canonical), "{sent}");
        }
        assert_eq!(query(Some(b"a=%zz"), false), None);
        for ambiguous in ["a=1+2", "a=1;b=2", "X-Amz-SignedHeaders=a;host"] {
            let read = SignedRequest { query: Some(ambiguous.as_bytes()), ..SignedRequest::default() };
            assert!(request(&read, &[], "", PathForm::Twice, false).is_err(), "{ambiguous}");
        }
    }
}
