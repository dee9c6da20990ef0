//! The same bytes to our codec and to hyper's: what hyper refuses we refuse, and what we send on hyper reads
//! as we did. Each deliberate difference has its reason in [`is_deliberate`].

use super::hyper_reads::{self, Read};
use super::split::{Body, read_body};
use torana_http::h1::{
    BodyEncoder, BodyFraming, HeadLimits, parse_request, remove_hop_by_hop, write_request_head,
};
use torana_http::{Fields, Method, RequestHead, TargetForm};

/// A request as both codecs can show it.
#[derive(Debug, PartialEq, Eq)]
struct Plain {
    method: Vec<u8>,
    fields: Vec<(String, Vec<u8>)>,
}

fn fields(fields: &Fields) -> Vec<(String, Vec<u8>)> {
    let lower = |name: &[u8]| String::from_utf8(name.to_ascii_lowercase()).unwrap();
    fields.iter().map(|(name, value)| (lower(name), value.to_vec())).collect()
}

/// hyper groups fields of one name; so must we to compare.
fn grouped(mut fields: Vec<(String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    fields.sort_by(|left, right| left.0.cmp(&right.0));
    fields
}

/// Where hyper refuses a request that we take, and why that is right.
fn is_deliberate(refusal: &str, head: &RequestHead) -> bool {
    // hyper's URI type holds targets to RFC 3986. We take any visible ASCII but `#`: queries in the wild hold
    // `|`, `^` and quotes, servers take them, and they cannot end a line. Paths are judged by the router's
    // normalisation.
    refusal.contains("URI")
        // The method of a tunnel is refused by the driver, whatever its target is.
        || head.method() == Method::Connect
}

/// Any bytes.
pub fn check(input: &[u8]) {
    // An empty line before a request is passed over by the driver (RFC 9112 section 2.2); hyper passes over
    // several.
    let input = input.strip_prefix(b"\r\n").unwrap_or(input);
    let mut head = RequestHead::default();
    let limits = HeadLimits { fields: HeadLimits::MAX_FIELDS, ..HeadLimits::default() };
    let Ok(Some(length)) = parse_request(input, 0, &limits, &mut head) else { return };
    let body = read_body(head.framing, &input[length..], usize::MAX);
    let theirs = hyper_reads::first(input);
    match &theirs {
        Read::Refused(why) => {
            // When hyper refuses a head and the next message begins as HTTP/2 does, it tells of that instead.
            let hidden = why.contains("HTTP2 preface").then(|| hyper_reads::first(&input[..length]));
            let why = if let Some(Read::Refused(alone)) = &hidden { alone } else { why };
            assert!(is_deliberate(why, &head), "hyper: {why}; we read {head:?}");
            return;
        }
        Read::Incomplete => panic!("hyper waits for more; we read {head:?}"),
        Read::Request(request) => {
            let ours = Plain { method: head.method_bytes().to_vec(), fields: grouped(fields(&head.fields)) };
            assert_eq!(ours.method, request.method);
            let kept = |(name, _): &&(String, Vec<u8>)| ours.fields.iter().any(|(ours, _)| ours == name);
            // Look-alikes of well-known names are dropped here; and the target's authority replaces Host.
            let theirs: Vec<_> =
                request.fields.iter().filter(kept).filter(|(name, _)| name != "host").cloned().collect();
            let without_host: Vec<_> =
                ours.fields.iter().filter(|(name, _)| name != "host").cloned().collect();
            assert_eq!(without_host, grouped(theirs));
            if head.method() == Method::Connect {
                return;
            }
            match (&body, &request.body) {
                (Body::Whole { data, .. }, Some(read)) => assert_eq!(data, read),
                (Body::Whole { .. }, None) => panic!("hyper found no end of the body of {head:?}"),
                // We are stricter, or bound extensions and trailers lower.
                (Body::Refused(_), _) => {}
                (Body::Incomplete, None) => {}
                (Body::Incomplete, Some(_)) => panic!("hyper found an end of the body of {head:?}"),
            }
        }
    }
    if let Body::Whole { data, .. } = body
        && head.target_form() == TargetForm::Origin
    {
        forwarded(&mut head, &data);
    }
}

/// What an upstream reads of what we send on is that one request.
fn forwarded(head: &mut RequestHead, data: &[u8]) {
    remove_hop_by_hop(&mut head.fields, head.connection.names_fields);
    if !head.fields.contains("Host") {
        head.fields.insert("Host", b"endpoint").unwrap();
    }
    let mut sent = Vec::new();
    write_request_head(head, head.framing, None, &mut sent);
    let mut encoder = BodyEncoder::new(head.framing);
    if !data.is_empty() {
        encoder.prefix(data.len(), &mut sent).unwrap();
        sent.extend_from_slice(data);
        sent.extend_from_slice(encoder.suffix());
    }
    encoder.finish(&Fields::default(), &mut sent).unwrap();
    match hyper_reads::first(&sent) {
        Read::Request(read) => {
            assert_eq!(read.requests, 1, "more than one request was sent on");
            assert_eq!(read.method, head.method_bytes());
            assert_eq!(read.body.as_deref(), Some(data));
            let mut ours = fields(&head.fields);
            if head.framing == BodyFraming::Chunked {
                ours.push(("transfer-encoding".into(), b"chunked".to_vec()));
            }
            assert_eq!(grouped(ours), grouped(read.fields));
        }
        Read::Refused(why) => assert!(is_deliberate(&why, head), "hyper refuses what is sent on: {why}"),
        Read::Incomplete => panic!("hyper waits for more of what was sent on"),
    }
}
