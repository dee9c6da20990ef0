//! A chunked body means the same however it is cut, and what is written of it is read back the same.

use super::split::{Body, read_body};
use torana_http::Fields;
use torana_http::h1::{BodyEncoder, BodyFraming};

/// The first byte says how large the pieces are, the rest is the body.
pub fn check(input: &[u8]) {
    let Some((cut, input)) = input.split_first() else { return };
    let whole = read_body(BodyFraming::Chunked, input, usize::MAX);
    for piece in [usize::from(*cut % 32).saturating_add(1), 1] {
        assert_eq!(read_body(BodyFraming::Chunked, input, piece), whole);
    }
    let Body::Whole { data, trailers, used } = whole else { return };
    // Nothing of what follows belongs to it.
    assert_eq!(
        read_body(BodyFraming::Chunked, &input[..used], usize::MAX),
        Body::Whole { data: data.clone(), trailers: trailers.clone(), used }
    );
    assert_ne!(
        read_body(BodyFraming::Chunked, &input[..used - 1], usize::MAX),
        Body::Whole { data: data.clone(), trailers: trailers.clone(), used: used - 1 },
        "one byte less is not whole"
    );
    let mut fields = Fields::default();
    for (name, value) in &trailers {
        fields.append(std::str::from_utf8(name).unwrap(), value).unwrap();
    }
    let mut written = Vec::new();
    let mut encoder = BodyEncoder::new(BodyFraming::Chunked);
    for piece in data.chunks(usize::from(*cut).saturating_add(1)) {
        encoder.prefix(piece.len(), &mut written).unwrap();
        written.extend_from_slice(piece);
        written.extend_from_slice(encoder.suffix());
    }
    encoder.finish(&fields, &mut written).unwrap();
    let used = written.len();
    assert_eq!(read_body(BodyFraming::Chunked, &written, usize::MAX), Body::Whole { data, trailers, used });
}
