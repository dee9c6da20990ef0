//! What the upstream is told about the client and the way the request took.
//!
//! Fields that say so are only taken over from a trusted proxy; from anybody else they are removed first,
//! because the upstream believes them.

use crate::text::ShortText;
use std::net::IpAddr;
use torana_fault::{Fault, Reason};
use torana_http::{Fields, Known, KnownSet, RequestHead, Version};
use torana_transport::ConnectionInfo;

/// How often a request may pass gateways of our name before it counts as a loop.
const MAX_PASSES: usize = 10;

/// The gateway's name in `Via`, with the text that is added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViaName {
    name: String,
    /// For each version of the protocol.
    entries: [String; 3],
}

impl ViaName {
    /// A pseudonym (RFC 9110 section 7.6.3). The caller has checked that it is a token.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), entries: ["1.0", "1.1", "2.0"].map(|version| format!("{version} {name}")) }
    }

    /// The entry for one pass of a message that was received by that version.
    #[must_use]
    pub fn entry(&self, received: Version) -> &str {
        let [http10, http11, http2] = &self.entries;
        match received {
            Version::Http10 => http10,
            Version::Http11 => http11,
            Version::Http2 => http2,
        }
    }
}

/// Which fields are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarded {
    /// `X-Forwarded-For`, `-Proto`, `-Host` and `-Port`.
    pub x_forwarded: bool,
    /// `Forwarded` (RFC 7239).
    pub forwarded: bool,
    /// `Via`.
    pub via: Option<ViaName>,
}

impl Forwarded {
    /// Sets the fields on a request from `connection`, whose peer is a trusted proxy or not.
    ///
    /// # Errors
    /// The request has passed here too often.
    pub fn apply(
        &self,
        head: &mut RequestHead,
        connection: &ConnectionInfo,
        peer_is_trusted: bool,
    ) -> Result<(), Fault> {
        let fields = &mut head.fields;
        if !peer_is_trusted {
            fields.remove_known(CLAIMS);
        }
        let peer = connection.peer.ip().to_canonical();
        let scheme = if connection.secure { "https" } else { "http" };
        if self.forwarded {
            let host = String::from_utf8_lossy(head.host()).into_owned();
            let entry = forwarded_entry(peer, scheme, &host);
            append_to_list(&mut head.fields, Known::Forwarded, entry.as_bytes())?;
        }
        if self.x_forwarded {
            self.set_x_forwarded(head, peer, scheme, connection.local.port())?;
        }
        match &self.via {
            Some(via) => add_via(head, via),
            None => Ok(()),
        }
    }

    fn set_x_forwarded(
        &self,
        head: &mut RequestHead,
        peer: IpAddr,
        scheme: &str,
        port: u16,
    ) -> Result<(), Fault> {
        append_to_list(&mut head.fields, Known::XForwardedFor, ShortText::address(peer).as_bytes())?;
        set_if_missing(&mut head.fields, Known::XForwardedProto, scheme.as_bytes())?;
        if !head.fields.contains(Known::XForwardedHost) && !head.host().is_empty() {
            head.copy_host_to(Known::XForwardedHost);
        }
        set_if_missing(&mut head.fields, Known::XForwardedPort, ShortText::number(port).as_bytes())
    }
}

/// What a request says of where it comes from.
const CLAIMS: KnownSet = KnownSet::of(&[
    Known::XForwardedFor,
    Known::XForwardedProto,
    Known::XForwardedHost,
    Known::XForwardedPort,
    Known::XForwardedPrefix,
    Known::XRealIp,
    Known::Forwarded,
]);

fn set_if_missing(fields: &mut Fields, name: Known, value: &[u8]) -> Result<(), Fault> {
    if fields.contains(name) { Ok(()) } else { Ok(fields.append(name, value)?) }
}

/// Adds an element to a list field: many lines become one, in order.
fn append_to_list(fields: &mut Fields, name: Known, element: &[u8]) -> Result<(), Fault> {
    if !fields.contains(name) {
        return Ok(fields.append(name, element)?);
    }
    let mut list = Vec::new();
    for line in fields.get_all(name).filter(|line| !line.is_empty()) {
        list.extend_from_slice(line);
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(element);
    Ok(fields.insert(name, &list)?)
}

/// One element of `Forwarded`; IPv6 is quoted and bracketed (RFC 7239 section 6).
fn forwarded_entry(peer: IpAddr, scheme: &str, host: &str) -> String {
    let node = match peer {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("\"[{address}]\""),
    };
    if host.is_empty() {
        format!("for={node};proto={scheme}")
    } else {
        format!("for={node};host=\"{host}\";proto={scheme}")
    }
}

fn add_via(head: &mut RequestHead, via: &ViaName) -> Result<(), Fault> {
    let passes = head
        .fields
        .get_all(Known::Via)
        .flat_map(|line| line.split(|byte| *byte == b','))
        .filter(|entry| {
            let mut words = entry.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
            words.nth(1).is_some_and(|name| name.eq_ignore_ascii_case(via.name.as_bytes()))
        })
        .count();
    if passes >= MAX_PASSES {
        return Err(Fault::new(Reason::LoopDetected));
    }
    append_to_list(&mut head.fields, Known::Via, via.entry(head.version).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use torana_http::h1::{HeadLimits, parse_request};

    fn request(fields: &str) -> RequestHead {
        let mut head = RequestHead::default();
        let text = format!("GET / HTTP/1.1\r\nHost: api.test:81\r\n{fields}\r\n");
        parse_request(text.as_bytes(), 0, &HeadLimits::default(), &mut head).unwrap().unwrap();
        head
    }

    fn connection() -> ConnectionInfo {
        ConnectionInfo::plain("10.0.0.1:5000".parse().unwrap(), "10.0.0.2:8000".parse().unwrap())
    }

    fn all() -> Forwarded {
        Forwarded { x_forwarded: true, forwarded: true, via: Some(ViaName::new("torana")) }
    }

    #[test]
    fn claims_of_strangers_are_replaced() {
        let mut head =
            request("X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Real-IP: 6.6.6.6\r\n");
        all().apply(&mut head, &connection(), false).unwrap();
        assert_eq!(head.fields.get_all("X-Forwarded-For").collect::<Vec<_>>(), [b"10.0.0.1"]);
        assert_eq!(head.fields.get_str("X-Forwarded-Proto"), Some("http"));
        assert_eq!(head.fields.get_str("X-Forwarded-Host"), Some("api.test:81"));
        assert_eq!(head.fields.get_str("X-Forwarded-Port"), Some("8000"));
        assert_eq!(head.fields.get("X-Real-IP"), None);
        assert_eq!(head.fields.get_str("Forwarded"), Some("for=10.0.0.1;host=\"api.test:81\";proto=http"));
        assert_eq!(head.fields.get_str("Via"), Some("1.1 torana"));
    }

    #[test]
    fn a_trusted_proxy_is_added_to_the_list() {
        let mut head =
            request("X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\nX-Forwarded-Proto: https\r\n");
        all().apply(&mut head, &connection(), true).unwrap();
        assert_eq!(head.fields.get_str("X-Forwarded-For"), Some("1.1.1.1, 2.2.2.2, 10.0.0.1"));
        assert_eq!(head.fields.get_str("X-Forwarded-Proto"), Some("https"));
    }

    #[test]
    fn via_names_the_version_that_the_request_came_by() {
        for (version, entry) in
            [(Version::Http10, "1.0 torana"), (Version::Http11, "1.1 torana"), (Version::Http2, "2.0 torana")]
        {
            let mut head = request("");
            head.version = version;
            all().apply(&mut head, &connection(), false).unwrap();
            assert_eq!(head.fields.get_str("Via"), Some(entry));
        }
    }

    #[test]
    fn a_loop_ends() {
        let mut head = request(&format!("Via: {}\r\n", ["1.1 Torana"; 10].join(", ")));
        let fault = all().apply(&mut head, &connection(), true).unwrap_err();
        assert_eq!(fault.reason, Reason::LoopDetected);
        let mut head = request("Via: 1.1 torana, 1.0 other\r\n");
        all().apply(&mut head, &connection(), true).unwrap();
        assert_eq!(head.fields.get_str("Via"), Some("1.1 torana, 1.0 other, 1.1 torana"));
    }
}
