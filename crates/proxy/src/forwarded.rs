//! What the upstream is told about the client and the way the request took.
//!
//! Fields that say so are only taken over from a trusted proxy; from anybody else they are removed first,
//! because the upstream believes them.

use crate::text::ShortText;
use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use torana_fault::{Fault, Reason};
use torana_http::{Fields, Known, KnownSet, RequestHead, Version};
use torana_transport::ConnectionInfo;

/// How often a request may pass gateways of our name before it counts as a loop.
const MAX_PASSES: usize = 10;

/// The gateway's name in `Via`, with the text that is added.
#[derive(Debug)]
pub struct ViaName {
    name: String,
    /// For each version of the protocol.
    entries: [Entry; 3],
}

/// What is added to `Via`, alone and as the whole field.
#[derive(Debug)]
struct Entry {
    text: String,
    line: Fields,
}

impl ViaName {
    /// A pseudonym (RFC 9110 section 7.6.3). The caller has checked that it is a token.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let entries = ["1.0", "1.1", "2.0"].map(|version| {
            let (text, mut line) = (format!("{version} {name}"), Fields::default());
            // A token is a value of a field.
            let _ = line.append(Known::Via, text.as_bytes());
            Entry { text, line }
        });
        Self { name: name.into(), entries }
    }

    /// The field for one pass of a message that was received by that version, beside those it may have.
    #[must_use]
    pub const fn line(&self, received: Version) -> &Fields {
        &self.entry(received).line
    }

    const fn entry(&self, received: Version) -> &Entry {
        let [http10, http11, http2] = &self.entries;
        match received {
            Version::Http10 => http10,
            // What is refused is not passed on.
            Version::Http11 | Version::Unsupported => http11,
            Version::Http2 => http2,
        }
    }
}

/// Which fields are sent.
#[derive(Debug)]
pub struct Forwarded {
    x_forwarded: bool,
    forwarded: bool,
    via: Option<ViaName>,
    /// Of its own, so that what was written by another one is known.
    number: u64,
}

/// The lines that all requests of one connection are given, written once.
#[derive(Debug, Default)]
pub struct Told(RefCell<Option<((u64, Version), Fields)>>);

impl Forwarded {
    /// `x_forwarded`: `X-Forwarded-For`, `-Proto`, `-Host` and `-Port`; `forwarded`: `Forwarded` (RFC 7239);
    /// `via`: `Via`.
    #[must_use]
    pub fn new(x_forwarded: bool, forwarded: bool, via: Option<ViaName>) -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        Self { x_forwarded, forwarded, via, number: NUMBERS.fetch_add(1, Ordering::Relaxed) }
    }

    /// The gateway's name, where it is told.
    #[must_use]
    pub const fn via(&self) -> Option<&ViaName> {
        self.via.as_ref()
    }

    /// Sets the fields on a request from `connection`. What strangers claim in them was removed before
    /// ([`CLAIMS`]).
    ///
    /// # Errors
    /// The request has passed here too often.
    pub fn apply(
        &self,
        head: &mut RequestHead,
        connection: &ConnectionInfo,
        told: &Told,
    ) -> Result<(), Fault> {
        if self.forwarded || head.fields.contains_any(WRITTEN) {
            return self.apply_to_lists(head, connection);
        }
        let mut told = told.0.borrow_mut();
        let lines = match &*told {
            Some((of, lines)) if *of == (self.number, head.version) => lines,
            _ => &told.insert(((self.number, head.version), self.lines(head.version, connection)?)).1,
        };
        head.fields.extend(lines);
        if self.x_forwarded && !head.host().is_empty() {
            head.copy_host_to(Known::XForwardedHost);
        }
        Ok(())
    }

    /// What is the same for every request that says nothing of where it comes from.
    fn lines(&self, received: Version, connection: &ConnectionInfo) -> Result<Fields, Fault> {
        let mut hostless = RequestHead::default();
        hostless.version = received;
        self.apply_to_lists(&mut hostless, connection)?;
        Ok(hostless.fields)
    }

    /// Adds to what earlier proxies have written.
    fn apply_to_lists(&self, head: &mut RequestHead, connection: &ConnectionInfo) -> Result<(), Fault> {
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

/// What may be written here.
const WRITTEN: KnownSet = KnownSet::of(&[
    Known::XForwardedFor,
    Known::XForwardedProto,
    Known::XForwardedHost,
    Known::XForwardedPort,
    Known::Via,
]);

/// What a request says of where it comes from.
pub const CLAIMS: KnownSet = KnownSet::of(&[
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
    append_to_list(&mut head.fields, Known::Via, via.entry(head.version).text.as_bytes())
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
        Forwarded::new(true, true, Some(ViaName::new("torana")))
    }

    #[test]
    fn what_is_written_once_is_what_is_written_each_time() {
        let told = Told::default();
        for via in ["torana", "torana", "other"] {
            let (remembers, alike) = (Forwarded::new(true, false, Some(ViaName::new(via))), connection());
            for _ in 0..2 {
                let (mut quick, mut slow) = (request(""), request(""));
                remembers.apply(&mut quick, &alike, &told).unwrap();
                remembers.apply_to_lists(&mut slow, &alike).unwrap();
                for name in
                    ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Host", "Via"]
                {
                    let of = |head: &RequestHead| {
                        head.fields.get_all(name).map(<[u8]>::to_vec).collect::<Vec<_>>()
                    };
                    assert_eq!(of(&quick), of(&slow), "{name}");
                    assert_eq!(of(&quick).len(), 1, "{name}");
                }
            }
        }
    }

    #[test]
    fn claims_of_strangers_are_replaced() {
        let mut head =
            request("X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Real-IP: 6.6.6.6\r\n");
        head.fields.remove_known(CLAIMS);
        all().apply(&mut head, &connection(), &Told::default()).unwrap();
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
        all().apply(&mut head, &connection(), &Told::default()).unwrap();
        assert_eq!(head.fields.get_str("X-Forwarded-For"), Some("1.1.1.1, 2.2.2.2, 10.0.0.1"));
        assert_eq!(head.fields.get_str("X-Forwarded-Proto"), Some("https"));
    }

    #[test]
    fn via_names_the_version_that_the_request_came_by() {
        let told = Told::default();
        let quick = Forwarded::new(true, false, Some(ViaName::new("torana")));
        for (version, entry) in
            [(Version::Http10, "1.0 torana"), (Version::Http11, "1.1 torana"), (Version::Http2, "2.0 torana")]
        {
            for forwarded in [&all(), &quick, &quick] {
                let mut head = request("");
                head.version = version;
                forwarded.apply(&mut head, &connection(), &told).unwrap();
                assert_eq!(head.fields.get_str("Via"), Some(entry));
            }
        }
    }

    #[test]
    fn a_loop_ends() {
        let mut head = request(&format!("Via: {}\r\n", ["1.1 Torana"; 10].join(", ")));
        let fault = all().apply(&mut head, &connection(), &Told::default()).unwrap_err();
        assert_eq!(fault.reason, Reason::LoopDetected);
        let mut head = request("Via: 1.1 torana, 1.0 other\r\n");
        all().apply(&mut head, &connection(), &Told::default()).unwrap();
        assert_eq!(head.fields.get_str("Via"), Some("1.1 torana, 1.0 other, 1.1 torana"));
    }
}
