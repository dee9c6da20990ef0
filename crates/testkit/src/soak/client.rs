//! What a client does in one turn, chosen at random.

use std::time::Duration;

use super::script::{answer, body};
use super::{Behaviour, Doors, Mixer};
use crate::client::{Client, Response};

/// What nobody waits longer for who is about to go away.
const IMPATIENCE: Duration = Duration::from_millis(40);

pub(super) type Turn = Result<u64, String>;

/// Does one thing and gives the number of right answers.
pub(super) fn act(doors: &Doors, random: &mut Mixer) -> Turn {
    match random.below(12) {
        0 | 1 => return super::http2::act(doors, random),
        2 => return super::calls::act(doors, random),
        3 => return super::sockets::act(doors, random),
        _ => {}
    }
    let client = doors.connect(random)?;
    match random.below(14) {
        0..=3 => one_after_the_other(client, random),
        4 => pipelined(client, random),
        5..=6 => with_body(client, random),
        7 => aborted_request(client, random),
        8..=9 => aborted_response(client, random),
        10 => silent(client, random),
        11 => nonsense(client),
        12 => old(client, random),
        _ => from_here(client),
    }
}

/// Every other one is asked for by TLS towards the origin.
fn get(number: u64, more: &str) -> String {
    let way = if number.is_multiple_of(2) { "" } else { "/secure" };
    format!("GET {way}/mix/{number} HTTP/1.1\r\nHost: a\r\n{more}\r\n")
}

pub(super) fn is_right(number: u64, status: u16, content: &[u8]) -> bool {
    status == 200 && content == answer(number)
}

/// Whether the answer is right; an error when it claims to be whole and is not what it must be.
fn judge(number: u64, response: &Response) -> Turn {
    if is_right(number, response.status, &response.body) {
        return Ok(1);
    }
    if !Behaviour::of(number).answers() && matches!(response.status, 502 | 504) {
        return Ok(0);
    }
    let head = response.raw_text();
    let head = head.split("\r\n\r\n").next().unwrap_or_default();
    Err(format!(
        "{:?} of {number} was answered with {} bytes and {head:?}",
        Behaviour::of(number),
        response.body.len()
    ))
}

/// Reads one answer. `None`: it broke off, as it may.
fn read(client: &mut Client, number: u64) -> Result<Option<(u64, bool)>, String> {
    match client.try_read_response() {
        Ok(response) => {
            let close =
                response.header("Connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
            Ok(Some((judge(number, &response)?, close)))
        }
        Err(_) if !Behaviour::of(number).answers() => Ok(None),
        Err(error) => Err(format!("{:?} of {number} was not answered: {error}", Behaviour::of(number))),
    }
}

fn one_after_the_other(mut client: Client, random: &mut Mixer) -> Turn {
    let mut right = 0;
    for _ in 0..1 + random.below(8) {
        let number = random.next();
        client.try_send(get(number, "")).map_err(|error| format!("sending: {error}"))?;
        let Some((whole, close)) = read(&mut client, number)? else { break };
        right += whole;
        if close {
            break;
        }
    }
    Ok(right)
}

fn pipelined(mut client: Client, random: &mut Mixer) -> Turn {
    // All but the last keep the connection open.
    let whole = |random: &mut Mixer| loop {
        let number = random.next();
        if matches!(Behaviour::of(number), Behaviour::Whole | Behaviour::Chunked) {
            return number;
        }
    };
    let numbers: Vec<u64> = (0..2 + random.below(4)).map(|_| whole(random)).collect();
    let all: String = numbers.iter().map(|number| get(*number, "")).collect();
    client.try_send(all).map_err(|error| format!("sending: {error}"))?;
    let mut right = 0;
    for number in numbers {
        right += read(&mut client, number)?.map_or(0, |(whole, _)| whole);
    }
    Ok(right)
}

/// A whole request with a body, by length or in chunks.
fn with_body(mut client: Client, random: &mut Mixer) -> Turn {
    let number = random.next();
    let bytes = request_with_body(number, random);
    // An origin that is gone may have been answered for before the body is out.
    if client.try_send(bytes).is_err() && Behaviour::of(number).answers() {
        return Err(format!("{:?} of {number}: the body was not taken", Behaviour::of(number)));
    }
    match read(&mut client, number) {
        // A kept connection that the origin had closed: what has a body is not sent twice.
        Err(problem) if problem.contains("502") => Ok(0),
        read => Ok(read?.map_or(0, |(whole, _)| whole)),
    }
}

fn request_with_body(number: u64, random: &mut Mixer) -> Vec<u8> {
    let content = body(number, random.size());
    let target = format!("/mix/{number}/{}", content.len());
    let mut bytes = format!("POST {target} HTTP/1.1\r\nHost: a\r\n").into_bytes();
    if random.below(2) == 0 {
        bytes.extend(format!("Content-Length: {}\r\n\r\n", content.len()).into_bytes());
        bytes.extend(content);
        return bytes;
    }
    bytes.extend(b"Transfer-Encoding: chunked\r\n\r\n");
    for chunk in content.chunks(1 + random.below(9_000)) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        bytes.extend(chunk);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}

/// Goes away within a request.
fn aborted_request(mut client: Client, random: &mut Mixer) -> Turn {
    let bytes = request_with_body(random.next(), random);
    let part = &bytes[..random.below(bytes.len())];
    // The gateway may have answered and closed before.
    let _closed = client.try_send(part);
    leave(client, random);
    Ok(0)
}

/// Goes away within a response, or before it.
fn aborted_response(client: Client, random: &mut Mixer) -> Turn {
    let mut client = client.deadline(IMPATIENCE);
    let (number, wanted) = (random.next(), random.size());
    client.try_send(get(number, "")).map_err(|error| format!("sending: {error}"))?;
    client.read_at_most(wanted);
    leave(client, random);
    Ok(0)
}

pub(super) fn leave(client: Client, random: &mut Mixer) {
    match random.below(3) {
        0 => client.reset(),
        _ => drop(client),
    }
}

/// Says nothing, or half a head, for a while.
fn silent(client: Client, random: &mut Mixer) -> Turn {
    let mut client = client.deadline(IMPATIENCE);
    if random.below(2) == 0 {
        let _closed = client.try_send("GET /here HTTP/1.1\r\nHos");
    }
    client.read_at_most(1);
    leave(client, random);
    Ok(0)
}

fn nonsense(mut client: Client) -> Turn {
    client
        .try_send("GET /here HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")
        .map_err(|error| format!("sending: {error}"))?;
    match client.try_read_response() {
        Ok(response) if response.status == 400 => Ok(1),
        other => Err(format!("nonsense was not refused: {other:?}")),
    }
}

/// HTTP/1.0: the end of the connection is the end of an answer without a length, so one that breaks off
/// cannot be told from a whole one unless it has a length.
fn old(mut client: Client, random: &mut Mixer) -> Turn {
    let number = loop {
        let number = random.next();
        if Behaviour::of(number).answers() {
            break number;
        }
    };
    client
        .try_send(format!("GET /mix/{number} HTTP/1.0\r\nHost: a\r\n\r\n"))
        .map_err(|error| format!("sending: {error}"))?;
    Ok(read(&mut client, number)?.map_or(0, |(whole, _)| whole))
}

fn from_here(mut client: Client) -> Turn {
    client.try_send("GET /here HTTP/1.1\r\nHost: a\r\n\r\n").map_err(|error| format!("sending: {error}"))?;
    match client.try_read_response() {
        Ok(response) if response.status == 200 && response.text() == "here" => Ok(1),
        other => Err(format!("the fixed answer was {other:?}")),
    }
}
