//! Version 2: a signature, what kind of addresses follow and how many bytes, the addresses, extensions.

use super::{Introduction, InvalidHeader, LONGEST};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version with command, family with transport, length.
const FIXED: usize = 16;

const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;
const UNIX_STREAM: u8 = 0x31;
/// Two paths of 108 bytes each.
const UNIX_LENGTH: usize = 216;

pub(super) fn read(input: &[u8]) -> Result<Option<(Introduction, usize)>, InvalidHeader> {
    let compared = input.len().min(SIGNATURE.len());
    if input.get(..compared) != SIGNATURE.get(..compared) {
        return Err(InvalidHeader("it begins with neither `PROXY ` nor the signature of version 2"));
    }
    let command = input.get(12).copied();
    if command.is_some_and(|command| command & 0xf0 != 0x20) {
        return Err(InvalidHeader("the version is not 2"));
    }
    if command.is_some_and(|command| command & 0x0f > 1) {
        return Err(InvalidHeader("the command is neither LOCAL nor PROXY"));
    }
    let (Some(command), Some([family, high, low])) = (command, input.get(13..FIXED)) else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    let whole = FIXED.saturating_add(length);
    if whole > LONGEST {
        return Err(InvalidHeader("the header is longer than 4096 bytes"));
    }
    let Some(rest) = input.get(FIXED..whole) else { return Ok(None) };
    // LOCAL: whatever follows says nothing about this connection.
    let introduction = if command & 0x0f == 0 { Introduction::Itself } else { introduction(*family, rest)? };
    Ok(Some((introduction, whole)))
}

fn introduction(family: u8, rest: &[u8]) -> Result<Introduction, InvalidHeader> {
    const SHORT: InvalidHeader = InvalidHeader("the addresses are cut off");
    let (introduction, extensions) = match family {
        // The balancer does not know.
        0 => return Ok(Introduction::Itself),
        TCP_OVER_IPV4 => {
            let (addresses, extensions) = rest.split_first_chunk::<12>().ok_or(SHORT)?;
            let [a, b, c, d, e, f, g, h, ports @ ..] = *addresses;
            (pair(Ipv4Addr::new(a, b, c, d), Ipv4Addr::new(e, f, g, h), ports), extensions)
        }
        TCP_OVER_IPV6 => {
            let (source, rest) = rest.split_first_chunk::<16>().ok_or(SHORT)?;
            let (destination, rest) = rest.split_first_chunk::<16>().ok_or(SHORT)?;
            let (ports, extensions) = rest.split_first_chunk::<4>().ok_or(SHORT)?;
            (pair(Ipv6Addr::from(*source), Ipv6Addr::from(*destination), *ports), extensions)
        }
        UNIX_STREAM => (Introduction::Itself, rest.get(UNIX_LENGTH..).ok_or(SHORT)?),
        _ => return Err(InvalidHeader("the addresses are of a kind that a TCP connection does not have")),
    };
    check_extensions(extensions)?;
    Ok(introduction)
}

fn pair(
    source: impl Into<std::net::IpAddr>,
    destination: impl Into<std::net::IpAddr>,
    ports: [u8; 4],
) -> Introduction {
    let [a, b, c, d] = ports;
    Introduction::For {
        source: SocketAddr::new(source.into(), u16::from_be_bytes([a, b])),
        destination: SocketAddr::new(destination.into(), u16::from_be_bytes([c, d])),
    }
}

/// Passes over extensions (type, length, value): nothing here needs one, but they must fill the header exactly.
fn check_extensions(mut left: &[u8]) -> Result<(), InvalidHeader> {
    while !left.is_empty() {
        let value = left
            .split_first_chunk::<3>()
            .and_then(|([_, high, low], rest)| rest.get(usize::from(u16::from_be_bytes([*high, *low]))..));
        left = value.ok_or(InvalidHeader("an extension is cut off"))?;
    }
    Ok(())
}

pub(super) fn write(introduction: &Introduction, into: &mut Vec<u8>) {
    into.extend_from_slice(SIGNATURE);
    let Introduction::For { source, destination } = introduction else {
        return into.extend_from_slice(&[0x20, 0, 0, 0]);
    };
    match (source, destination) {
        (SocketAddr::V4(source), SocketAddr::V4(destination)) => {
            into.extend_from_slice(&[0x21, TCP_OVER_IPV4, 0, 12]);
            into.extend_from_slice(&source.ip().octets());
            into.extend_from_slice(&destination.ip().octets());
        }
        (source, destination) => {
            let octets = |address: &SocketAddr| match address {
                SocketAddr::V4(address) => address.ip().to_ipv6_mapped().octets(),
                SocketAddr::V6(address) => address.ip().octets(),
            };
            into.extend_from_slice(&[0x21, TCP_OVER_IPV6, 0, 36]);
            into.extend_from_slice(&octets(source));
            into.extend_from_slice(&octets(destination));
        }
    }
    into.extend_from_slice(&source.port().to_be_bytes());
    into.extend_from_slice(&destination.port().to_be_bytes());
}
