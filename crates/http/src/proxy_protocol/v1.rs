//! Version 1: `PROXY TCP4 192.0.2.1 192.0.2.2 51000 443` and an end of line.

use super::{Introduction, InvalidHeader};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const BEGINNING: &[u8] = b"PROXY ";
/// The longest line, its end included.
const LONGEST: usize = 107;

pub(super) fn read(input: &[u8]) -> Result<Option<(Introduction, usize)>, InvalidHeader> {
    let compared = input.len().min(BEGINNING.len());
    if input.get(..compared) != BEGINNING.get(..compared) {
        return Err(InvalidHeader("it does not begin with `PROXY `"));
    }
    let line = input.get(..LONGEST.min(input.len())).unwrap_or(input);
    let Some(end) = line.iter().position(|byte| !(b' '..=b'~').contains(byte)) else {
        return if line.len() < LONGEST {
            Ok(None)
        } else {
            Err(InvalidHeader("the line is longer than 107 bytes"))
        };
    };
    match (line.get(end), line.get(end.saturating_add(1))) {
        (Some(b'\r'), Some(b'\n')) => {}
        (Some(b'\r'), None) if line.len() < LONGEST => return Ok(None),
        _ => return Err(InvalidHeader("the line does not end with CR LF, or holds what is no text")),
    }
    let text = line.get(BEGINNING.len()..end).and_then(|text| std::str::from_utf8(text).ok());
    let introduction = introduction(text.unwrap_or_default())?;
    Ok(Some((introduction, end.saturating_add(2))))
}

fn introduction(text: &str) -> Result<Introduction, InvalidHeader> {
    // What follows `UNKNOWN` must be ignored.
    if text == "UNKNOWN" || text.starts_with("UNKNOWN ") {
        return Ok(Introduction::Itself);
    }
    let mut words = text.split(' ');
    let mut word = || words.next().ok_or(InvalidHeader("a part of the line is missing"));
    let address: fn(&str) -> Option<IpAddr> = match word()? {
        "TCP4" => |text| text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        "TCP6" => |text| text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => return Err(InvalidHeader("the family is neither TCP4, TCP6 nor UNKNOWN")),
    };
    let (source, destination) = (address(word()?), address(word()?));
    let (source_port, destination_port) = (port(word()?), port(word()?));
    let (Some(source), Some(destination)) = (source, destination) else {
        return Err(InvalidHeader("an address is not one of the family"));
    };
    let (Some(source_port), Some(destination_port)) = (source_port, destination_port) else {
        return Err(InvalidHeader("a port is not a number below 65536"));
    };
    if words.next().is_some() {
        return Err(InvalidHeader("something follows the ports"));
    }
    Ok(Introduction::For {
        source: SocketAddr::new(source, source_port),
        destination: SocketAddr::new(destination, destination_port),
    })
}

/// Digits alone, without zeros in front.
fn port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

pub(super) fn write(introduction: &Introduction, into: &mut Vec<u8>) {
    match introduction {
        Introduction::Itself => into.extend_from_slice(b"PROXY UNKNOWN\r\n"),
        Introduction::For { source, destination } => {
            let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
            let (from, to) = (source.ip(), destination.ip());
            // Writing to a vector cannot fail.
            let _ = write!(into, "PROXY {family} {from} {to} {} {}\r\n", source.port(), destination.port());
        }
    }
}
