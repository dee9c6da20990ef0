//! Where to listen: `0.0.0.0:8000`, `[::]:8000`, `localhost:8000`, `:8000`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use crate::ParseError;
use crate::text_form::text_form;

/// An address and a port to listen on. Port 0 lets the system choose one.
///
/// `:8000` means every IPv4 interface and `localhost:8000` the IPv4 loopback; other names are not
/// looked up, because where a gateway listens must not depend on a name server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListenAddr {
    address: SocketAddr,
}

impl ListenAddr {
    pub(crate) const EXPECTED: &str = "an address and a port such as `0.0.0.0:8000`, `[::1]:8000` or `:8000`";

    /// Listens on `address`.
    #[must_use]
    pub const fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// The address as the standard library writes it.
    #[must_use]
    pub const fn socket_addr(self) -> SocketAddr {
        self.address
    }
}

impl FromStr for ListenAddr {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = |problem| ParseError::new(Self::EXPECTED, problem);
        if let Ok(address) = text.parse() {
            return Ok(Self { address });
        }
        let (host, port) = text.rsplit_once(':').ok_or(error("the `:` before the port is missing"))?;
        if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(error("a port number must stand after the last `:`"));
        }
        let port: u16 = port.parse().map_err(|_| error("the port must be at most 65535"))?;
        let host = match host {
            "" | "*" => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            _ if host.contains(':') => return Err(error("an IPv6 address stands in brackets")),
            _ => return Err(error("the host must be an IP address or `localhost`")),
        };
        Ok(Self { address: SocketAddr::new(host, port) })
    }
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(formatter)
    }
}

text_form! {
    ListenAddr, format: "torana-listen", pattern: r"^(\[[0-9a-fA-F:.%]+\]|[0-9.]+|localhost|\*|):\d{1,5}$",
    description: "An IP address and a port to listen on; `:8000` is every IPv4 interface, port 0 lets the system choose.",
    examples: ["0.0.0.0:8000", "[::]:8000", "localhost:8001", ":8000"]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_and_shorthands() {
        let shown = |text: &str| text.parse::<ListenAddr>().unwrap().to_string();
        assert_eq!(shown("127.0.0.1:80"), "127.0.0.1:80");
        assert_eq!(shown("[::1]:80"), "[::1]:80");
        assert_eq!(shown(":8000"), "0.0.0.0:8000");
        assert_eq!(shown("localhost:0"), "127.0.0.1:0");
    }

    #[test]
    fn says_what_is_wrong() {
        let problem = |text: &str| text.parse::<ListenAddr>().unwrap_err().problem();
        assert_eq!(problem("8000"), "the `:` before the port is missing");
        assert_eq!(problem("127.0.0.1:http"), "a port number must stand after the last `:`");
        assert_eq!(problem(":70000"), "the port must be at most 65535");
        assert_eq!(problem("::1:80:"), "a port number must stand after the last `:`");
        assert_eq!(problem("fe80::zz:80"), "an IPv6 address stands in brackets");
        assert_eq!(problem("example.com:80"), "the host must be an IP address or `localhost`");
    }
}
