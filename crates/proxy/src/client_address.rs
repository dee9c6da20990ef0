//! Who the client is: the socket's peer, unless that is a proxy we trust.

use std::net::{IpAddr, SocketAddr};
use torana_http::{Fields, Known};
use torana_types::Network;

/// The client's address by the rightmost-untrusted rule: going back from the socket's peer through
/// `X-Forwarded-For`, the first address that is not a trusted proxy. Whatever stands to the left of it was
/// written by somebody we have no reason to believe.
///
/// An entry that is not an address ends the walk: the last trusted hop is the client then.
#[must_use]
pub fn client_address(peer: SocketAddr, fields: &Fields, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer.ip().to_canonical();
    if trusted.is_empty() || !is_trusted(client) {
        return client;
    }
    let lines: Vec<&[u8]> = fields.get_all(Known::XForwardedFor).collect();
    for entry in lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b',')) {
        let Some(address) = parse_entry(entry) else { break };
        client = address;
        if !is_trusted(client) {
            break;
        }
    }
    client
}

/// An address, with or without port: `10.0.0.1`, `10.0.0.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`.
fn parse_entry(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim();
    let address = text
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()))
        .or_else(|_| text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>())
        .ok()?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, lines: &[&str], trusted: &[&str]) -> String {
        let mut fields = Fields::default();
        for line in lines {
            fields.append(Known::XForwardedFor, line.as_bytes()).unwrap();
        }
        let trusted: Vec<Network> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        client_address(SocketAddr::new(peer.parse().unwrap(), 1), &fields, &trusted).to_string()
    }

    #[test]
    fn nobody_is_believed_without_trust() {
        assert_eq!(client("10.0.0.1", &["1.1.1.1"], &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["1.1.1.1"], &["192.168.0.0/16"]), "10.0.0.1");
    }

    #[test]
    fn the_rightmost_untrusted_address_is_the_client() {
        let trusted = &["10.0.0.0/8", "fd00::/8"];
        assert_eq!(client("10.0.0.1", &["6.6.6.6, 1.1.1.1"], trusted), "1.1.1.1");
        assert_eq!(client("10.0.0.1", &["6.6.6.6", "1.1.1.1, 10.0.0.9"], trusted), "1.1.1.1");
        assert_eq!(client("10.0.0.1", &["10.0.0.3, 10.0.0.2"], trusted), "10.0.0.3");
        assert_eq!(client("::ffff:10.0.0.1", &["[2001:db8::7]:80"], trusted), "2001:db8::7");
        assert_eq!(client("10.0.0.1", &["1.1.1.1:4711"], trusted), "1.1.1.1");
    }

    #[test]
    fn nonsense_ends_the_walk_at_the_last_hop_we_know() {
        assert_eq!(client("10.0.0.1", &["1.1.1.1, unknown, 10.0.0.2"], &["10.0.0.0/8"]), "10.0.0.2");
        assert_eq!(client("10.0.0.1", &[""], &["10.0.0.0/8"]), "10.0.0.1");
    }
}
