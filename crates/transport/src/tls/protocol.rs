//! What may be spoken on a connection.

/// An application protocol that a driver of this crate speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.0 and HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

impl Protocol {
    /// What is offered to clients, in order of preference. A driver that joins adds its line here, and the
    /// arm in `entrance.rs` that calls it.
    pub const SPOKEN: &'static [Self] = &[Self::Http2, Self::Http1];

    /// What clients may name in the handshake, in order of preference: HTTP/1.0 too, which is served as HTTP/1 is.
    pub(super) fn names() -> impl Iterator<Item = &'static [u8]> {
        Self::SPOKEN.iter().map(|protocol| protocol.alpn()).chain([&b"http/1.0"[..]])
    }

    /// Its name in the handshake (RFC 7301 section 6).
    #[must_use]
    pub const fn alpn(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
            Self::Http2 => b"h2",
        }
    }

    /// What a handshake has agreed on; HTTP/1 where nothing was said.
    #[must_use]
    pub fn agreed(alpn: Option<&[u8]>) -> Self {
        let named = |protocol: &&Self| Some(protocol.alpn()) == alpn;
        Self::SPOKEN.iter().find(named).copied().unwrap_or(Self::Http1)
    }
}
