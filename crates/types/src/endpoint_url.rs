//! Where an upstream endpoint is: `http://users.internal:8080`.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use crate::ParseError;
use crate::text_form::text_form;

/// The origin of an upstream endpoint (RFC 9110 section 4.3.1): scheme `http` or `https`, a host and a port;
/// `h2` is `http` by HTTP/2 without asking first (RFC 9113 section 3.3).
///
/// The host is an IP address or a DNS name and is kept in lower case; an IPv6 address is kept without
/// its brackets. A path, a query or credentials are not part of an origin and are refused, so that
/// nothing that was written is silently ignored.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndpointUrl {
    secure: bool,
    http2: bool,
    host: Box<str>,
    port: u16,
}

impl EndpointUrl {
    pub(crate) const EXPECTED: &str =
        "the URL of an endpoint such as `http://127.0.0.1:9001` or `https://users:8443`";

    /// The host without brackets: an IP address or a name to be looked up.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether it is reached by TLS.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether HTTP/2 is spoken without asking first.
    #[must_use]
    pub const fn is_http2(&self) -> bool {
        self.http2
    }

    /// The port; 80 or, by TLS, 443 when none was written.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The host as an IP address, when it is one and needs no lookup.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// The value for a `Host` field (RFC 9112 section 3.2): brackets where needed, no default port.
    #[must_use]
    pub fn authority(&self) -> String {
        let brackets = self.host.contains(':');
        let host = if brackets { format!("[{}]", self.host) } else { self.host.to_string() };
        if self.port == default_port(self.secure) { host } else { format!("{host}:{}", self.port) }
    }
}

impl FromStr for EndpointUrl {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = |problem| ParseError::new(Self::EXPECTED, problem);
        let (scheme, rest) =
            text.split_once("://").ok_or(error("it must begin with `http://` or `https://`"))?;
        let secure = scheme.eq_ignore_ascii_case("https");
        let http2 = scheme.eq_ignore_ascii_case("h2");
        if !secure && !http2 && !scheme.eq_ignore_ascii_case("http") {
            return Err(error("the schemes supported are `http`, `https` and `h2`"));
        }
        let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if !matches!(tail, "" | "/") {
            return Err(error(
                "an endpoint has no path, query or fragment: nothing can be put before the path of a request yet",
            ));
        }
        if authority.contains('@') {
            return Err(error("credentials in the URL are not supported"));
        }
        let (host, port) = split_port(authority).ok_or(error("the IPv6 address in brackets is not valid"))?;
        let port = match port {
            None => default_port(secure),
            Some(port) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
                port.parse().ok().filter(|port| *port > 0).ok_or(error("the port must be from 1 to 65535"))?
            }
            Some(_) => return Err(error("a port number must stand after the `:`")),
        };
        if !is_host(&host) {
            return Err(error("the host must be an IP address or a DNS name"));
        }
        Ok(Self { secure, http2, host: host.into_boxed_str(), port })
    }
}

const fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

/// Splits an authority into the host in lower case and the text of the port; `None` when brackets
/// do not hold an IPv6 address.
fn split_port(authority: &str) -> Option<(String, Option<&str>)> {
    if let Some(bracketed) = authority.strip_prefix('[') {
        let (inside, after) = bracketed.split_once(']')?;
        let address: Ipv6Addr = inside.parse().ok()?;
        return match after.strip_prefix(':') {
            Some(port) => Some((address.to_string(), Some(port))),
            None => after.is_empty().then(|| (address.to_string(), None)),
        };
    }
    Some(match authority.split_once(':') {
        Some((host, port)) => (host.to_ascii_lowercase(), Some(port)),
        None => (authority.to_ascii_lowercase(), None),
    })
}

/// An IP address, or a DNS name of at most 253 letters, digits, `-`, `_` and `.` with no empty label.
/// A name of digits and dots alone would be a mistyped address.
fn is_host(host: &str) -> bool {
    if host.parse::<IpAddr>().is_ok() {
        return true;
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    name.len() <= 253
        && name.split('.').all(label)
        && !name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match (self.secure, self.http2) {
            (true, _) => "https",
            (false, true) => "h2",
            (false, false) => "http",
        };
        write!(formatter, "{scheme}://{}", self.authority())
    }
}

text_form! {
    EndpointUrl, format: "torana-endpoint-url", pattern: r"^([hH][tT][tT][pP][sS]?|[hH]2)://[^/?#@\s]+/?$",
    description: "The URL of an upstream endpoint: `http://`, `https://` or `h2://`, a host and an optional port.",
    examples: ["http://127.0.0.1:9001", "https://users:8443", "h2://users:8080", "http://[::1]:9001"]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_host_and_port() {
        let parts = |text: &str| {
            let url: EndpointUrl = text.parse().unwrap();
            (url.host().to_owned(), url.port(), url.authority())
        };
        assert_eq!(parts("http://127.0.0.1:9001"), ("127.0.0.1".into(), 9001, "127.0.0.1:9001".into()));
        assert_eq!(parts("HTTP://Users.Internal/"), ("users.internal".into(), 80, "users.internal".into()));
        assert_eq!(parts("https://users"), ("users".into(), 443, "users".into()));
        assert_eq!(parts("https://users:80"), ("users".into(), 80, "users:80".into()));
        assert_eq!(parts("h2://users:50051"), ("users".into(), 50_051, "users:50051".into()));
        assert_eq!(parts("http://[::1]:9001"), ("::1".into(), 9001, "[::1]:9001".into()));
    }

    #[test]
    fn says_what_is_wrong() {
        let problem = |text: &str| text.parse::<EndpointUrl>().unwrap_err().problem();
        assert_eq!(problem("127.0.0.1:9001"), "it must begin with `http://` or `https://`");
        assert_eq!(problem("ftp://users"), "the schemes supported are `http`, `https` and `h2`");
        assert_eq!(
            problem("http://users/api"),
            "an endpoint has no path, query or fragment: nothing can be put before the path of a request yet"
        );
        assert_eq!(problem("http://a:b@users"), "credentials in the URL are not supported");
        assert_eq!(problem("http://users:"), "a port number must stand after the `:`");
        assert_eq!(problem("http://users:0"), "the port must be from 1 to 65535");
        assert_eq!(problem("http://users:99999"), "the port must be from 1 to 65535");
        assert_eq!(problem("http://[::zz]:80"), "the IPv6 address in brackets is not valid");
        assert_eq!(problem("http://"), "the host must be an IP address or a DNS name");
        assert_eq!(problem("http://256.0.0.1"), "the host must be an IP address or a DNS name");
        assert_eq!(problem("http://a b"), "the host must be an IP address or a DNS name");
    }
}
