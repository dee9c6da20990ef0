//! However a message is cut into pieces on its way, it is read as the same message.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

use proptest::prelude::*;
use torana_http::h1::{BodyDecoder, BodyEncoder, BodyFraming, BodyStep, HeadLimits, parse_request};
use torana_http::{Fields, RequestHead};

const HEADS: &[&str] = &[
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /a?b=c HTTP/1.1\r\nHost: a.test:81\r\nContent-Length: 5\r\n\r\n",
    "PUT http://b.test/x HTTP/1.1\r\nHost: b.test\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nX-Spaces: \t a b \t\r\n\r\n",
    // Not valid: refused in whole and, at some piece, in parts.
    "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
    "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "post / HTTP/1.1\r\nHost: a\r\n\r\n",
    "po,st / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
];

fn shown(head: &RequestHead) -> String {
    let fields: Vec<_> = head.fields.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?}",
        head.method(),
        head.path(),
        head.query(),
        head.host(),
        head.framing,
        fields
    )
}

fn parse(input: &[u8], seen: usize) -> Result<Option<(usize, String)>, String> {
    let mut head = RequestHead::default();
    parse_request(input, seen, &HeadLimits::default(), &mut head)
        .map(|length| length.map(|length| (length, shown(&head))))
        .map_err(|error| format!("{:?}", error.request_reason()))
}

#[test]
fn a_head_is_the_same_however_it_arrives() {
    for text in HEADS {
        let whole = parse(text.as_bytes(), 0);
        assert_ne!(whole, Ok(None), "{text}");
        for cut in 1..text.len() {
            match parse(&text.as_bytes()[..cut], 0) {
                // More is needed: with the rest it is what it would have been at once.
                Ok(None) => assert_eq!(parse(text.as_bytes(), cut), whole, "{text} cut at {cut}"),
                Ok(Some(_)) => panic!("a part of a head was taken for a head: {text} cut at {cut}"),
                Err(early) => assert_eq!(Err(early), whole, "{text} cut at {cut}"),
            }
        }
    }
}

#[test]
fn what_follows_a_head_is_left_alone() {
    let text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let twice = format!("{text}{text}");
    let (length, _) = parse(twice.as_bytes(), 0).unwrap().unwrap();
    assert_eq!(length, text.len());
}

/// Decodes pieces as a driver does: what is not used up stays in front of the next piece.
fn decode(pieces: &[Vec<u8>], framing: BodyFraming) -> (Vec<u8>, usize) {
    let mut decoder = BodyDecoder::new(framing);
    let (mut data, mut used) = (Vec::new(), 0);
    for piece in pieces {
        let mut from = 0;
        loop {
            match decoder.step(piece, from).unwrap() {
                BodyStep::Data { start, end } => {
                    data.extend_from_slice(&piece[start..end]);
                    from = end;
                }
                BodyStep::NeedMore => {
                    used += piece.len();
                    break;
                }
                BodyStep::End { consumed } => return (data, used + consumed),
            }
        }
    }
    panic!("the body does not end");
}

proptest! {
    #[test]
    fn a_chunked_body_survives_every_cut(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..200), 0..8),
        cuts in prop::collection::vec(1_usize..40, 1..60),
    ) {
        let mut encoder = BodyEncoder::new(BodyFraming::Chunked);
        let mut wire = Vec::new();
        for chunk in &chunks {
            encoder.prefix(chunk.len(), &mut wire).unwrap();
            wire.extend_from_slice(chunk);
            wire.extend_from_slice(encoder.suffix());
        }
        encoder.finish(&Fields::default(), &mut wire).unwrap();
        let length = wire.len();
        wire.extend_from_slice(b"GET /next");
        let mut pieces = Vec::new();
        let mut rest = wire.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece.to_vec());
            rest = after;
        }
        let (data, used) = decode(&pieces, BodyFraming::Chunked);
        prop_assert_eq!(data, chunks.concat());
        prop_assert_eq!(used, length);
    }

    #[test]
    fn no_input_makes_the_parser_panic(input in prop::collection::vec(any::<u8>(), 0..300), seen in 0_usize..300) {
        let _ = parse(&input, seen.min(input.len()));
        let mut decoder = BodyDecoder::new(BodyFraming::Chunked);
        let mut from = 0;
        while let Ok(BodyStep::Data { end, .. }) = decoder.step(&input, from) {
            prop_assert!(end > from);
            from = end;
        }
    }
}
