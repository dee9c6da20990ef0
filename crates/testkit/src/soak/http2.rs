//! What a client does over HTTP/2: several streams at once, some given up by it or by the origin.

use bytes::Bytes;

use super::client::is_right;
use super::script::body;
use super::{Behaviour, Doors, Mixer};

/// One connection, and the number of right answers on it.
pub(super) fn act(doors: &Doors, random: &mut Mixer) -> Result<u64, String> {
    let mut client = doors.connect_http2(random)?;
    let (mut numbers, mut responses) = (Vec::new(), Vec::new());
    for _ in 0..1 + random.below(8) {
        let number = random.next();
        let content = if random.below(3) == 0 { body(number, random.size()) } else { Vec::new() };
        let (method, path) = match content.len() {
            0 => ("GET", format!("/mix/{number}")),
            size => ("POST", format!("/mix/{number}/{size}")),
        };
        let begun = client.begin(method, &path, &[], content.is_empty());
        let (response, mut stream) = begun.map_err(|error| format!("beginning a stream: {error}"))?;
        let given_up = random.below(8) == 0;
        if !content.is_empty() {
            let part = if given_up { random.below(content.len()) } else { content.len() };
            // The stream may have been answered and closed before.
            let _closed = stream.send_data(Bytes::copy_from_slice(&content[..part]), part == content.len());
        }
        if !given_up {
            numbers.push((number, content.is_empty()));
            responses.push((response, stream));
        }
    }
    if random.below(6) == 0 {
        // With all that is under way on it.
        return Ok(0);
    }
    let mut right = 0;
    for ((number, safe), response) in numbers.into_iter().zip(client.read_all(responses)) {
        let must_answer = Behaviour::of(number).answers();
        match response {
            Ok(response) if is_right(number, response.status, &response.body) => right += 1,
            // What has a body is not sent twice when a kept connection turns out to be closed.
            Ok(response) if matches!(response.status, 502 | 504) && !(must_answer && safe) => {}
            Err(_) if !must_answer => {}
            wrong => return Err(format!("HTTP/2: {:?} of {number} was {wrong:?}", Behaviour::of(number))),
        }
    }
    Ok(right)
}
