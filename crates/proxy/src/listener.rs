//! A listener as requests meet it: whether they come to the right one, and what services learn of the
//! client's certificate.

use base64::Engine;
use std::cell::RefCell;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use torana_certificate::ClientCertificate;
use torana_fault::{Fault, Reason};
use torana_filter::Response;
use torana_http::{Fields, Known, RequestHead, ResponseHead};
use torana_transport::{ClientAuthentication, ConnectionInfo, Entrance, TlsInfo};

/// A listener, ready to serve.
#[derive(Debug, Default)]
pub struct Listener {
    /// What new connections meet.
    pub entrance: Entrance,
    /// Redirects everything to `https://` at this port.
    pub redirect_https: Option<u16>,
    /// Whether `Host` must be the name that the connection was made for.
    pub strict_host: bool,
    /// The names of the certificate that clients see who ask for none, in lower case; some begin with `*.`.
    pub default_names: Vec<Box<str>>,
    /// Fields that tell services of a client's certificate.
    pub client_fields: Vec<(CertificatePart, String)>,
}

/// What of a client's certificate a field carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificatePart {
    /// The subject.
    Subject,
    /// The alternative names.
    Names,
    /// The SHA-256.
    Fingerprint,
    /// All of it, as a byte sequence (RFC 9440 section 2.2).
    Whole,
}

impl CertificatePart {
    fn of(self, certificate: &ClientCertificate) -> String {
        match self {
            Self::Subject => certificate.subject.clone(),
            Self::Names => {
                // A comma is data only in what the field is not parted at (RFC 3986 section 2.1).
                let names: Vec<String> =
                    certificate.names.iter().map(|name| name.replace(',', "%2C")).collect();
                names.join(", ")
            }
            Self::Fingerprint => certificate.fingerprint.clone(),
            Self::Whole => {
                format!(":{}:", base64::engine::general_purpose::STANDARD.encode(&certificate.der))
            }
        }
    }
}

impl Listener {
    /// Whether what a connection has proved is enough for what is asked of new ones by now. Where the demands are still
    /// those of its handshake, it is.
    ///
    /// # Errors
    /// It is not: the client is to come by a new connection.
    pub(crate) fn still_trusts(&self, connection: &ConnectionInfo, compared: &Compared) -> Result<(), Fault> {
        let now = self.entrance.tls.as_ref().and_then(|tls| tls.clients());
        let tls = connection.tls.as_deref();
        let then = tls.and_then(|tls| tls.clients.as_ref());
        if now.map(Arc::as_ptr) == then.map(Arc::as_ptr) {
            return Ok(());
        }
        let is_enough = if tls.is_some_and(|tls| tls.client_certificate.is_some()) {
            then.zip(now).is_some_and(|(then, now)| compared.holds(then, now))
        } else {
            now.is_none_or(|now| !now.required)
        };
        if is_enough {
            return Ok(());
        }
        let detail = "what is asked of clients has changed since the connection was made";
        let message = "What is asked of clients has changed since the connection was made.";
        Err(Fault::new(Reason::MisdirectedRequest).because(detail).with_message(Some(message.into())))
    }

    /// Looks at a request before anything else does. `Some` is the whole answer.
    ///
    /// # Errors
    /// The request belongs to another connection.
    pub(crate) fn receive(
        &self,
        connection: &ConnectionInfo,
        request: &RequestHead,
    ) -> Result<Option<Response>, Fault> {
        if let Some(port) = self.redirect_https {
            return redirect(port, request).map(Some);
        }
        match &connection.tls {
            Some(tls) if self.strict_host => agree(tls, &self.default_names, request).map(|()| None),
            _ => Ok(None),
        }
    }

    /// Tells services of the certificate. What a client wrote itself into these fields is gone already.
    ///
    /// # Errors
    /// None that a certificate can cause: its texts hold no control characters.
    pub(crate) fn introduce(
        &self,
        certificate: Option<&Arc<ClientCertificate>>,
        fields: &mut Fields,
    ) -> Result<(), Fault> {
        let Some(certificate) = certificate else { return Ok(()) };
        for (part, name) in &self.client_fields {
            let value = part.of(certificate);
            if !value.is_empty() {
                fields.insert(name.as_str(), value.as_bytes())?;
            }
        }
        Ok(())
    }
}

/// Demands on clients that were found to be met by whoever had met others before. All connections from before a reload
/// ask about the same two, each with every request.
#[derive(Debug, Default)]
pub(crate) struct Compared(RefCell<Option<[Arc<ClientAuthentication>; 2]>>);

impl Compared {
    /// Whether a certificate that was accepted `then` would be accepted `now`: it is while every authority that may have
    /// signed it is one still. Which of them has is not looked at.
    fn holds(&self, then: &Arc<ClientAuthentication>, now: &Arc<ClientAuthentication>) -> bool {
        let is_known = |[before, after]: &[Arc<ClientAuthentication>; 2]| {
            Arc::ptr_eq(before, then) && Arc::ptr_eq(after, now)
        };
        if self.0.borrow().as_ref().is_some_and(is_known) {
            return true;
        }
        let holds = then.authorities.iter().all(|authority| now.authorities.contains(authority));
        if holds {
            *self.0.borrow_mut() = Some([Arc::clone(then), Arc::clone(now)]);
        }
        holds
    }
}

/// RFC 9110 section 15.4.9: method and body stay what they are.
fn redirect(port: u16, request: &RequestHead) -> Result<Response, Fault> {
    let host = without_port(request.host());
    if host.is_empty() {
        return Err(Fault::new(Reason::InvalidHost).because("a redirection needs a host to lead to"));
    }
    let mut location = b"https://".to_vec();
    location.extend_from_slice(host);
    if port != 443 {
        location.extend_from_slice(format!(":{port}").as_bytes());
    }
    let path = request.path();
    // `OPTIONS *` and the like lead to the host itself.
    location.extend_from_slice(if path.starts_with(b"/") { path } else { b"/" });
    if let Some(query) = request.query() {
        location.push(b'?');
        location.extend_from_slice(query);
    }
    let mut head = ResponseHead::new(308);
    head.fields.insert(Known::Location, &location)?;
    Ok(Response { head, body: bytes::Bytes::new() })
}

/// Whether `Host` is the name that the client asked for in its handshake. Who asked for none has come by address, or is
/// content with the certificate of `default_names`.
fn agree(tls: &TlsInfo, default_names: &[Box<str>], request: &RequestHead) -> Result<(), Fault> {
    let host = without_port(request.host());
    let host = host.strip_suffix(b".").unwrap_or(host);
    let agrees = match &tls.server_name {
        Some(name) => host.eq_ignore_ascii_case(name.as_bytes()),
        None => default_names.iter().any(|name| is_for(name, host)) || is_address(host),
    };
    // Who asked for no name may name no host either.
    if agrees || host.is_empty() && tls.server_name.is_none() {
        return Ok(());
    }
    let detail = match &tls.server_name {
        Some(name) => format!("the connection was made for {name}"),
        None => {
            "the connection was made for no name, and the certificate that was shown is for others".into()
        }
    };
    Err(Fault::new(Reason::MisdirectedRequest).because(detail))
}

/// Whether a certificate with this name is one for the host; `*` is one label (RFC 6125 section 6.4.3).
fn is_for(name: &str, host: &[u8]) -> bool {
    let Some(suffix) = name.strip_prefix("*.") else { return host.eq_ignore_ascii_case(name.as_bytes()) };
    let dot = memchr::memchr(b'.', host).filter(|dot| *dot > 0);
    let parent = dot.and_then(|dot| host.get(dot.saturating_add(1)..));
    parent.is_some_and(|parent| parent.eq_ignore_ascii_case(suffix.as_bytes()))
}

fn is_address(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else { return false };
    let within_brackets = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    within_brackets.is_some_and(|host| host.parse::<Ipv6Addr>().is_ok()) || host.parse::<Ipv4Addr>().is_ok()
}

fn without_port(authority: &[u8]) -> &[u8] {
    crate::gateway::view::split_port(authority).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use torana_http::h1::{HeadLimits, parse_request};

    fn request(target: &str, host: &str) -> RequestHead {
        let mut head = RequestHead::default();
        let text = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        parse_request(text.as_bytes(), 0, &HeadLimits::default(), &mut head).unwrap().unwrap();
        head
    }

    #[test]
    fn no_name_of_a_certificate_is_told_as_two() {
        let names = vec!["URI:spiffe://a/x, DNS:admin.test".into(), "DNS:a.test".into()];
        let certificate = ClientCertificate {
            subject: String::new(),
            common_name: None,
            issuer: String::new(),
            names,
            fingerprint: String::new(),
            not_after: 0,
            der: Vec::new(),
            between: Vec::new(),
        };
        let told = CertificatePart::Names.of(&certificate);
        assert_eq!(told, "URI:spiffe://a/x%2C DNS:admin.test, DNS:a.test");
    }

    #[test]
    fn redirections_keep_host_path_and_query() {
        let location = |port, target, host| {
            let response = redirect(port, &request(target, host)).unwrap();
            assert_eq!(response.head.status, 308);
            response.head.fields.get_str("Location").unwrap().to_owned()
        };
        assert_eq!(location(443, "/a/b?c=d%20", "x.test:8000"), "https://x.test/a/b?c=d%20");
        assert_eq!(location(8443, "/", "[::1]:80"), "https://[::1]:8443/");
        assert_eq!(location(443, "/", "x.test"), "https://x.test/");
    }

    #[test]
    fn a_host_is_compared_without_port_case_and_last_dot() {
        let shown = ["c.test".into(), "*.d.test".into()];
        let agrees = |name: Option<&str>, host| {
            let tls = TlsInfo {
                server_name: name.map(Box::from),
                version: "1.3",
                resumed: false,
                client_certificate: None,
                clients: None,
            };
            agree(&tls, &shown, &request("/", host)).is_ok()
        };
        assert!(agrees(Some("a.test"), "A.test:8443") && agrees(Some("a.test"), "a.test."));
        assert!(agrees(None, "C.test:1") && agrees(None, "x.D.test.") && agrees(None, "[::1]:2"));
        assert!(!agrees(None, "anything.test") && !agrees(None, "d.test") && !agrees(None, "x.y.d.test"));
        assert!(!agrees(Some("a.test"), "b.test") && !agrees(Some("a.test"), "x.a.test"));
        assert!(!agrees(Some("a.test"), "") && agrees(None, ""));
    }
}
