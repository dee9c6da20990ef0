//! A request as the router sees it.

use torana_http::RequestHead;
use torana_route::RequestView;

/// A head whose host was split once.
#[derive(Debug)]
pub(crate) struct View<'a> {
    head: &'a RequestHead,
    host: &'a [u8],
    port: Option<u16>,
    method: &'a [u8],
    path: &'a [u8],
}

impl<'a> View<'a> {
    /// Looks at a head whose path is normalised.
    pub(crate) fn new(head: &'a RequestHead) -> Self {
        let (host, port) = split_port(head.host());
        Self { head, host, port, method: head.method_bytes(), path: head.path() }
    }

    /// The same request for another path.
    pub(crate) fn with_path<'b>(&self, path: &'b [u8]) -> View<'b>
    where
        'a: 'b,
    {
        View { path, ..*self }
    }

    /// The same request by another method.
    pub(crate) fn with_method<'b>(&self, method: &'b [u8]) -> View<'b>
    where
        'a: 'b,
    {
        View { method, ..*self }
    }
}

/// Cuts the port off an authority; the brackets of an IPv6 address stay.
pub(crate) fn split_port(authority: &[u8]) -> (&[u8], Option<u16>) {
    let Some(colon) = memchr::memrchr(b':', authority) else { return (authority, None) };
    let (host, port) = authority.split_at(colon);
    let inside_brackets = host.starts_with(b"[") && !host.ends_with(b"]");
    if inside_brackets {
        return (authority, None);
    }
    let digits = port.get(1..).unwrap_or_default();
    (host, std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()))
}

impl RequestView for View<'_> {
    fn host(&self) -> &[u8] {
        self.host
    }

    fn port(&self) -> Option<u16> {
        self.port
    }

    fn method(&self) -> &[u8] {
        self.method
    }

    fn path(&self) -> &[u8] {
        self.path
    }

    fn query(&self) -> Option<&[u8]> {
        self.head.query()
    }

    fn header(&self, name: &str) -> (usize, Option<&[u8]>) {
        (self.head.fields.get_all(name).count(), self.head.fields.get(name))
    }
}

#[cfg(test)]
mod tests {
    use super::split_port;

    #[test]
    fn ports_are_cut_off() {
        assert_eq!(split_port(b"a.test"), (&b"a.test"[..], None));
        assert_eq!(split_port(b"a.test:81"), (&b"a.test"[..], Some(81)));
        assert_eq!(split_port(b"a.test:"), (&b"a.test"[..], None));
        assert_eq!(split_port(b"[::1]"), (&b"[::1]"[..], None));
        assert_eq!(split_port(b"[::1]:81"), (&b"[::1]"[..], Some(81)));
        assert_eq!(split_port(b""), (&b""[..], None));
    }
}
