//! A response's head means the same however it is cut, and what is written of it is read back the same. What hyper's
//! client refuses we refuse, and what both take is the same response.

use super::hyper_reads::{self, Answer};
use super::split::{Body, read_body};
use torana_http::h1::{BodyFraming, HeadLimits, parse_response, remove_hop_by_hop, write_response_head};
use torana_http::{Method, ResponseHead};

type Read = Result<Option<usize>, torana_http::h1::HeadErrorKind>;

fn read(input: &[u8], method: Method, piece: usize, head: &mut ResponseHead) -> Read {
    let (mut seen, mut shown) = (0, piece.min(input.len()));
    loop {
        match parse_response(&input[..shown], seen, &HeadLimits::default(), method, head) {
            Ok(None) if shown < input.len() => {
                seen = shown;
                shown = shown.saturating_add(piece).min(input.len());
            }
            other => return other.map_err(|error| error.kind),
        }
    }
}

fn fields(head: &ResponseHead) -> Vec<(String, Vec<u8>)> {
    let lower = |name: &[u8]| String::from_utf8(name.to_ascii_lowercase()).unwrap();
    head.fields.iter().map(|(name, value)| (lower(name), value.to_vec())).collect()
}

/// The same bytes to hyper's client.
fn compare(input: &[u8], length: usize, method: Method, head: &ResponseHead) {
    // Interim responses are passed over there, and another protocol follows a 101.
    if head.status < 200 {
        return;
    }
    let asked = if method == Method::Head { "HEAD" } else { "GET" };
    let theirs = match hyper_reads::answer(asked, input) {
        Answer::Response(response) => response,
        Answer::Incomplete => panic!("hyper waits for more; we read {head:?}"),
        Answer::Refused(why) => panic!("hyper: {why}; we read {head:?}"),
    };
    assert_eq!(theirs.status, head.status);
    let mut ours = fields(head);
    // Look-alikes of well-known names are dropped here.
    let kept = |(name, _): &(String, Vec<u8>)| ours.iter().any(|(ours, _)| ours == name);
    let mut theirs_kept: Vec<_> = theirs.fields.into_iter().filter(kept).collect();
    ours.sort();
    theirs_kept.sort();
    assert_eq!(ours, theirs_kept);
    match (read_body(head.framing, &input[length..], usize::MAX), theirs.body) {
        (Body::Whole { data, .. }, Some(read)) => assert_eq!(data, read),
        (Body::Whole { .. }, None) => panic!("hyper found no end of the body of {head:?}"),
        // We are stricter, or bound extensions and trailers lower.
        (Body::Refused(_), _) | (Body::Incomplete, None) => {}
        (Body::Incomplete, Some(_)) => panic!("hyper found an end of the body of {head:?}"),
    }
}

/// The first byte says how large the pieces are and what was asked, the rest is the response.
pub fn check(input: &[u8]) {
    let Some((cut, input)) = input.split_first() else { return };
    let method = if cut & 0x80 == 0 { Method::Get } else { Method::Head };
    let (mut head, mut pieces) = (ResponseHead::default(), ResponseHead::default());
    let whole = read(input, method, usize::MAX, &mut head);
    let cut = read(input, method, usize::from(*cut & 0x1f).saturating_add(1), &mut pieces);
    match (&whole, &cut) {
        // Cut, another error may show first, or the end is waited for before anything is judged: looking at
        // every piece anew would cost a parse each.
        (Err(_), Err(_) | Ok(None)) => {}
        _ => assert_eq!(whole, cut),
    }
    let Ok(Some(length)) = whole else { return };
    assert!(input[..length].ends_with(b"\r\n\r\n"));
    assert_eq!(fields(&head), fields(&pieces));
    assert_eq!((head.status, head.framing, head.version), (pieces.status, pieces.framing, pieces.version));
    assert!((100..=999).contains(&head.status));
    compare(input, length, method, &head);

    // What is sent on is one head with the same meaning, and nothing behind it.
    remove_hop_by_hop(&mut head.fields, head.connection.names_fields);
    let framing = match head.framing {
        BodyFraming::UntilClose => BodyFraming::Chunked,
        framing => framing,
    };
    let mut written = Vec::new();
    write_response_head(&head, framing, None, &mut written);
    let mut again = ResponseHead::default();
    // The phrase is ours and the framing may stand on a line more, so the head may be longer than it came.
    let limits = HeadLimits { head_bytes: 1 << 20, fields: HeadLimits::MAX_FIELDS, ..HeadLimits::default() };
    let read = parse_response(&written, 0, &limits, method, &mut again);
    assert_eq!(read, Ok(Some(written.len())), "{:?}", String::from_utf8_lossy(&written));
    let mut sent = fields(&head);
    if framing == BodyFraming::Chunked {
        sent.push(("transfer-encoding".into(), b"chunked".to_vec()));
    }
    assert_eq!(fields(&again), sent);
    assert_eq!(again.status, head.status);
    if !(method == Method::Head
        || matches!(head.status, 100..=199 | 204 | 304)
        || framing == BodyFraming::None)
    {
        assert_eq!(again.framing, framing);
    }
}
