//! Reading a head and a body as the driver does, from pieces of any size.

use torana_http::Fields;
use torana_http::h1::{BodyDecoder, BodyError, BodyFraming, BodyStep};

/// How a body was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// To its end: the data, the trailers in wire form, and how many bytes all of it took.
    Whole { data: Vec<u8>, trailers: Vec<(Vec<u8>, Vec<u8>)>, used: usize },
    /// There was not enough of it.
    Incomplete,
    /// It breaks its framing.
    Refused(BodyError),
}

/// Reads a body out of `input`, of which ever more is shown, `piece` bytes at a time.
pub fn read_body(framing: BodyFraming, input: &[u8], piece: usize) -> Body {
    let mut decoder = BodyDecoder::new(framing);
    let (mut data, mut from, mut shown) = (Vec::new(), 0, 0);
    loop {
        match decoder.step(&input[..shown], from) {
            Ok(BodyStep::Data { start, end }) => {
                assert!(start >= from && end > start && end <= shown, "data lies in what was shown");
                data.extend_from_slice(&input[start..end]);
                from = end;
            }
            Ok(BodyStep::NeedMore) if shown == input.len() => {
                return match decoder.close() {
                    Ok(()) => Body::Whole { data, trailers: Vec::new(), used: shown },
                    Err(_) => Body::Incomplete,
                };
            }
            Ok(BodyStep::NeedMore) => {
                from = shown;
                shown = shown.saturating_add(piece).min(input.len());
            }
            Ok(BodyStep::End { consumed }) => {
                assert!(decoder.is_done());
                let mut trailers = Fields::default();
                decoder.trailers(&mut trailers);
                let trailers = trailers.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
                return Body::Whole { data, trailers, used: consumed };
            }
            Err(error) => {
                assert!(!decoder.is_done());
                assert_eq!(decoder.step(&input[..shown], from), Err(error), "what has failed stays failed");
                return Body::Refused(error);
            }
        }
    }
}
