//! `grpc.health.v1.Health/Check` in bytes: one message there, one back, and the status of the call.
//!
//! Source: gRPC's "GRPC Health Checking Protocol" and "gRPC over HTTP2"; the two messages have one field each,
//! so that no library for protocol buffers is needed.

use torana_http::Fields;

pub(super) const PATH: &[u8] = b"/grpc.health.v1.Health/Check";

/// `HealthCheckResponse.ServingStatus`, by its numbers.
const STATUSES: [&str; 4] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
const SERVING: u64 = 1;

/// A `HealthCheckRequest` in its frame: not compressed, its length, then field 1 with the name. Names are at most
/// 255 bytes long, which the plan has checked; what is longer is cut.
pub(super) fn question(service: &str) -> Vec<u8> {
    let name = service.as_bytes().get(..service.len().min(255)).unwrap_or_default();
    let mut message = Vec::new();
    if !name.is_empty() {
        message.push(0x0a);
        let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
        // A varint of one byte, or of two.
        if length < 0x80 {
            message.push(length);
        } else {
            message.extend_from_slice(&[length, 1]);
        }
        message.extend_from_slice(name);
    }
    let mut framed = vec![0];
    framed.extend_from_slice(&u32::try_from(message.len()).unwrap_or_default().to_be_bytes());
    framed.extend_from_slice(&message);
    framed
}

/// Whether the answer says that the service serves; else what it says.
pub(super) fn verdict(status: u16, head: &Fields, trailers: &Fields, body: &[u8]) -> Result<(), String> {
    if status != 200 {
        return Err(format!("status {status}"));
    }
    // A call that fails at once may say so in its head.
    let code = trailers.get_str("grpc-status").or_else(|| head.get_str("grpc-status"));
    match code {
        Some("0") => {}
        Some("5") => return Err("the server does not know the service (gRPC status 5)".into()),
        Some("12") => return Err("the server has no grpc.health.v1.Health (gRPC status 12)".into()),
        Some(code) => return Err(format!("gRPC status {}", code.chars().take(10).collect::<String>())),
        None => return Err("an answer without a gRPC status".into()),
    }
    match serving_status(body) {
        Some(SERVING) => Ok(()),
        Some(number) => {
            let name = usize::try_from(number).ok().and_then(|number| STATUSES.get(number));
            Err(name.map_or_else(|| format!("serving status {number}"), |name| (*name).to_owned()))
        }
        None => Err("an answer that is no HealthCheckResponse".into()),
    }
}

/// Field 1 of the message in the frame; fields that are not known are passed over.
fn serving_status(body: &[u8]) -> Option<u64> {
    let (head, message) = body.split_at_checked(5)?;
    let (compressed, length) = head.split_first()?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    if *compressed != 0 || usize::try_from(length).ok()? != message.len() {
        return None;
    }
    let mut rest = message;
    let mut status = 0;
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        let skipped = match key & 7 {
            0 => {
                let value = varint(&mut rest)?;
                if key >> 3 == 1 {
                    status = value;
                }
                0
            }
            1 => 8,
            2 => usize::try_from(varint(&mut rest)?).ok()?,
            5 => 4,
            _ => return None,
        };
        rest = rest.split_at_checked(skipped)?.1;
    }
    Some(status)
}

/// Base 128, lowest group first.
fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, left) = rest.split_first()?;
        *rest = left;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(status: &str) -> Fields {
        let mut fields = Fields::default();
        fields.insert("grpc-status", status.as_bytes()).unwrap();
        fields
    }

    #[test]
    fn questions_are_as_other_implementations_write_them() {
        assert_eq!(question(""), [0, 0, 0, 0, 0]);
        assert_eq!(question("a.B"), [0, 0, 0, 0, 5, 0x0a, 3, b'a', b'.', b'B']);
        let long = question(&"x".repeat(200));
        assert_eq!(long[..8], [0, 0, 0, 0, 203, 0x0a, 200, 1]);
    }

    #[test]
    fn only_serving_is_good() {
        let (none, well) = (Fields::default(), said("0"));
        assert_eq!(verdict(200, &none, &well, &[0, 0, 0, 0, 2, 8, 1]), Ok(()));
        let unknown_first = [0, 0, 0, 0, 6, 0x1a, 2, 9, 9, 8, 1];
        assert_eq!(verdict(200, &none, &well, &unknown_first), Ok(()), "a field of a later version");
        for (status, head, trailers, body, why) in [
            (200, &none, &well, &[0, 0, 0, 0, 2, 8, 2][..], "NOT_SERVING"),
            (200, &none, &well, &[0, 0, 0, 0, 2, 8, 3], "SERVICE_UNKNOWN"),
            (200, &none, &well, &[0, 0, 0, 0, 0], "UNKNOWN"),
            (200, &none, &well, &[0, 0, 0, 0, 2, 8, 9], "serving status 9"),
            (200, &none, &well, &[1, 0, 0, 0, 2, 8, 1], "an answer that is no HealthCheckResponse"),
            (200, &none, &well, &[0, 0, 0, 0, 9, 8, 1], "an answer that is no HealthCheckResponse"),
            (200, &none, &well, &[], "an answer that is no HealthCheckResponse"),
            (200, &said("12"), &none, &[], "the server has no grpc.health.v1.Health (gRPC status 12)"),
            (200, &none, &said("14"), &[0, 0, 0, 0, 2, 8, 1], "gRPC status 14"),
            (200, &none, &none, &[0, 0, 0, 0, 2, 8, 1], "an answer without a gRPC status"),
            (503, &none, &none, &[], "status 503"),
        ] {
            assert_eq!(verdict(status, head, trailers, body), Err(why.into()));
        }
    }

    proptest! {
        #[test]
        fn nothing_that_a_server_sends_panics(body in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut framed = vec![0, 0, 0, 0, u8::try_from(body.len()).unwrap()];
            framed.extend_from_slice(&body);
            let _ = serving_status(&framed);
            let _ = serving_status(&body);
        }
    }
}
