//! A request as the router sees it.

use std::cell::OnceCell;
use torana_http::RequestHead;
use torana_route::RequestView;

/// A head whose host is split when it is first asked for: where no route names one, nobody asks.
#[derive(Debug)]
pub(crate) struct View<'a> {
    head: &'a RequestHead,
    /// How long the host is, and its port.
    authority: OnceCell<(usize, Option<u16>)>,
    method: &'a [u8],
    path: &'a [u8],
    is_loose: bool,
}

impl<'a> View<'a> {
    /// Looks at a head whose path is normalised.
    pub(crate) fn new(head: &'a RequestHead) -> Self {
        let (method, path) = (head.method_bytes(), head.path());
        Self { head, authority: OnceCell::new(), method, path, is_loose: false }
    }

    /// The same request for another path.
    pub(crate) fn with_path<'b>(&self, path: &'b [u8]) -> View<'b>
    where
        'a: 'b,
    {
        View { authority: self.authority.clone(), path, ..*self }
    }

    /// The same request by another method.
    pub(crate) fn with_method<'b>(&self, method: &'b [u8]) -> View<'b>
    where
        'a: 'b,
    {
        View { authority: self.authority.clone(), method, ..*self }
    }

    /// The same request as a service reads it that takes one of several values.
    pub(crate) fn loosely(&self) -> View<'a> {
        View { authority: self.authority.clone(), is_loose: true, ..*self }
    }

    fn authority(&self) -> (&[u8], Option<u16>) {
        let host = self.head.host();
        let split = || {
            let (name, port) = split_port(host);
            (name.len(), port)
        };
        let (length, port) = *self.authority.get_or_init(split);
        (host.get(..length).unwrap_or_default(), port)
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
        self.authority().0
    }

    fn port(&self) -> Option<u16> {
        self.authority().1
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

    fn is_loose(&self) -> bool {
        self.is_loose
    }

    fn any_header(&self, name: &str, is_so: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.head.fields.get_all(name).any(is_so)
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
