//! Ranges of addresses: `10.0.0.0/8`, `2001:db8::/32`, `127.0.0.1`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};

use crate::ParseError;
use crate::text_form::text_form;

/// A range of IP addresses in CIDR notation (RFC 4632); a single address is a range of one.
///
/// Host bits below the prefix are cleared. An IPv4 address that arrives mapped into IPv6
/// (`::ffff:10.0.0.1`) is compared as the IPv4 address it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    range: IpNet,
}

impl Network {
    pub(crate) const EXPECTED: &str = "a network such as `10.0.0.0/8` or `2001:db8::/32`, or one address";

    /// Whether the address lies in the range.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.range.contains(&address.to_canonical())
    }

    /// The first and the last address of the range, of one family.
    #[must_use]
    pub fn bounds(&self) -> (IpAddr, IpAddr) {
        (self.range.network(), self.range.broadcast())
    }

    /// Whether the range is every address of its family.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.range.prefix_len() == 0
    }
}

impl FromStr for Network {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if let Ok(range) = text.parse::<IpNet>() {
            return Ok(Self { range: unmapped(range.trunc()) });
        }
        match text.parse::<IpAddr>() {
            Ok(address) => Ok(Self { range: unmapped(IpNet::from(address)) }),
            Err(_) if text.contains('/') => Err(ParseError::new(
                Self::EXPECTED,
                "the address or the prefix length after `/` is not valid",
            )),
            Err(_) => Err(ParseError::new(Self::EXPECTED, "it is not an IP address")),
        }
    }
}

/// A range within `::ffff:0:0/96` is the IPv4 range that it stands for.
fn unmapped(range: IpNet) -> IpNet {
    let IpNet::V6(six) = range else { return range };
    let four = six.addr().to_ipv4_mapped().zip(six.prefix_len().checked_sub(96));
    four.and_then(|(address, length)| Ipv4Net::new(address, length).ok()).map_or(range, IpNet::V4)
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.range.fmt(formatter)
    }
}

text_form! {
    Network, format: "torana-network", pattern: r"^[0-9a-fA-F:.]+(/\d{1,3})?$",
    description: "A range of IP addresses in CIDR notation, or one address.",
    examples: ["10.0.0.0/8", "2001:db8::/32", "127.0.0.1"]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contains_its_addresses_in_either_notation() {
        let network: Network = "10.1.2.3/8".parse().unwrap();
        assert_eq!(network.to_string(), "10.0.0.0/8");
        assert!(network.contains("10.200.0.1".parse().unwrap()));
        assert!(network.contains("::ffff:10.0.0.1".parse().unwrap()));
        assert!(!network.contains("11.0.0.1".parse().unwrap()));
        let mapped: Network = "::ffff:192.168.0.0/112".parse().unwrap();
        assert!(mapped.contains("192.168.9.9".parse().unwrap()) && mapped.to_string() == "192.168.0.0/16");
        let one: Network = "::1".parse().unwrap();
        assert!(one.contains("::1".parse().unwrap()) && !one.contains("::2".parse().unwrap()));
    }

    #[test]
    fn knows_when_it_is_everything() {
        assert!("0.0.0.0/0".parse::<Network>().unwrap().is_everything());
        assert!("::/0".parse::<Network>().unwrap().is_everything());
        assert!(!"10.0.0.0/8".parse::<Network>().unwrap().is_everything());
    }

    #[test]
    fn says_what_is_wrong() {
        assert_eq!("home".parse::<Network>().unwrap_err().problem(), "it is not an IP address");
        assert!("10.0.0.0/33".parse::<Network>().unwrap_err().problem().contains("prefix"));
    }
}
