//! Calls of gRPC, some given up by the client, some by the service.

use bytes::Bytes;

use super::script::{answer, body};
use super::{Doors, Mixer};
use crate::http2::{Http2Origin, Http2Reply, Http2Request};

const FIELDS: &[(&str, &str)] = &[("content-type", "application/grpc"), ("te", "trailers")];

/// What the service does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Whole,
    /// An answer of a status alone.
    Status,
    /// No answer.
    Reset,
    /// A part of an answer.
    Cut,
}

impl Outcome {
    fn of(number: u64) -> Self {
        match Mixer::new(number).below(8) {
            0..=4 => Self::Whole,
            5 => Self::Status,
            6 => Self::Reset,
            _ => Self::Cut,
        }
    }
}

/// A service that answers by the number in the path.
pub(super) fn service() -> Http2Origin {
    Http2Origin::respond(reply)
}

fn reply(request: &Http2Request) -> Http2Reply {
    let number = request.uri.path().rsplit('/').next().and_then(|number| number.parse().ok());
    let number: u64 = number.expect("the client's own number");
    let answer = answer(number);
    let cut = Mixer::new(number.rotate_left(17)).below(answer.len() + 1);
    let whole = |status: &str| {
        let reply = Http2Reply::ok(if status == "0" { answer.clone() } else { Vec::new() });
        reply.header("content-type", "application/grpc").trailer("grpc-status", status)
    };
    match Outcome::of(number) {
        Outcome::Whole => whole("0"),
        Outcome::Status => whole("5"),
        Outcome::Reset => Http2Reply::reset(h2::Reason::INTERNAL_ERROR),
        Outcome::Cut => whole("0").reset_after(cut, h2::Reason::INTERNAL_ERROR),
    }
}

/// Some calls at once on a connection, and the number of right answers.
pub(super) fn act(doors: &Doors, random: &mut Mixer) -> Result<u64, String> {
    let mut client = doors.connect_http2(random)?;
    let (mut numbers, mut responses) = (Vec::new(), Vec::new());
    for _ in 0..1 + random.below(6) {
        let number = random.next();
        let begun = client.begin("POST", &format!("/calls/{number}"), FIELDS, false);
        let (response, mut stream) = begun.map_err(|error| format!("beginning a call: {error}"))?;
        let content = body(number, random.size());
        let given_up = random.below(6) == 0;
        let part = if given_up { random.below(content.len() + 1) } else { content.len() };
        // The call may have been ended before.
        let _closed = stream.send_data(Bytes::copy_from_slice(&content[..part]), !given_up);
        if !given_up {
            numbers.push(number);
            responses.push((response, stream));
        }
    }
    if random.below(6) == 0 {
        // With all calls that are under way.
        return Ok(0);
    }
    let mut right = 0;
    for (number, response) in numbers.into_iter().zip(client.read_all(responses)) {
        let outcome = Outcome::of(number);
        match response {
            Ok(response) => {
                let status = response.header("grpc-status").map(str::to_owned);
                let good = match outcome {
                    Outcome::Whole => status.as_deref() == Some("0") && response.body == answer(number),
                    Outcome::Status => status.as_deref() == Some("5") && response.body.is_empty(),
                    // What the gateway makes of it: any status but a good one.
                    Outcome::Reset | Outcome::Cut => status.as_deref().is_some_and(|status| status != "0"),
                };
                if !good {
                    return Err(format!("a call, {outcome:?} of {number}, was answered by {status:?}"));
                }
                right += 1;
            }
            Err(_) if matches!(outcome, Outcome::Cut | Outcome::Reset) => {}
            Err(error) => return Err(format!("a call, {outcome:?} of {number}: {error}")),
        }
    }
    Ok(right)
}
