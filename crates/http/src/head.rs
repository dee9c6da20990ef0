//! The heads that filters see: start line and fields, before any body.

use crate::fields::{Fields, Span};
use crate::h1::{BodyFraming, ConnectionOptions};
use crate::method::Method;
use crate::name::Known;

/// The protocol version a message was received with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    #[default]
    Http11,
    /// HTTP/2
    Http2,
    /// A version that is refused, in a head that was only looked at for the log.
    Unsupported,
}

/// The form of a request target (RFC 9112 section 3.2). CONNECT's authority form is refused earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TargetForm {
    /// `/path?query`; the absolute form ends here too, once its authority has become the host.
    #[default]
    Origin,
    /// `*`, for OPTIONS about the server itself.
    Asterisk,
}

/// The head of a request.
#[derive(Debug, Default)]
pub struct RequestHead {
    /// The fields, in order.
    pub fields: Fields,
    /// The version it was received with.
    pub version: Version,
    /// How the body is framed.
    pub framing: BodyFraming,
    /// What the `Connection` field said.
    pub connection: ConnectionOptions,
    /// Whether the client waits for `100 Continue`.
    pub expects_continue: bool,
    pub(crate) form: TargetForm,
    pub(crate) method: Method,
    pub(crate) method_text: Span,
    pub(crate) path: Span,
    pub(crate) query: Option<Span>,
    pub(crate) host: Span,
    pub(crate) upgrade: Option<Span>,
    /// What the client asked for, once something else stands in its place.
    pub(crate) received: Option<Received>,
}

impl AsMut<Self> for RequestHead {
    fn as_mut(&mut self) -> &mut Self {
        self
    }
}

/// What a client asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    method: Span,
    path: Span,
    query: Option<Span>,
}

/// Bytes of a target that are kept of a request that is refused.
const SALVAGED: usize = 4 * 1024;

impl RequestHead {
    /// Empties the head; its buffers stay for the next request.
    pub fn clear(&mut self) {
        self.fields.clear();
        let fields = std::mem::take(&mut self.fields);
        *self = Self { fields, ..Self::default() };
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }

    /// The method as it was written.
    #[must_use]
    pub fn method_bytes(&self) -> &[u8] {
        self.fields.slice(self.method_text)
    }

    /// The method as the client wrote it, whatever was set since.
    #[must_use]
    pub fn received_method(&self) -> &[u8] {
        self.fields.slice(self.received().method)
    }

    /// The path as the client sent it, whatever was set since: what signatures cover.
    #[must_use]
    pub fn received_path(&self) -> &[u8] {
        self.fields.slice(self.received().path)
    }

    /// The query as the client sent it, without its question mark, whatever was set since.
    #[must_use]
    pub fn received_query(&self) -> Option<&[u8]> {
        self.received().query.map(|query| self.fields.slice(query))
    }

    fn received(&self) -> Received {
        let now = Received { method: self.method_text, path: self.path, query: self.query };
        self.received.unwrap_or(now)
    }

    fn keep_received(&mut self) {
        self.received = Some(self.received());
    }

    /// Becomes what can be told of a request that is refused: method and path as far as they came. What is
    /// no method is left out, and so is a query, which may hold a secret. Nothing of it was checked.
    pub fn salvage(&mut self, version: Version, method: &[u8], target: &[u8]) {
        self.clear();
        self.version = version;
        if method.is_empty() || method.len() > 32 || !method.iter().copied().all(crate::bytes::is_token) {
            return;
        }
        self.method = Method::from_bytes(method);
        self.method_text = self.fields.store(method);
        let target = target.get(..SALVAGED).unwrap_or(target);
        let end = memchr::memchr(b'?', target).unwrap_or(target.len());
        self.path = self.fields.store(target.get(..end).unwrap_or_default());
    }

    /// Replaces the method.
    pub fn set_method(&mut self, method: &str) {
        self.keep_received();
        self.method = Method::from_bytes(method.as_bytes());
        self.method_text = self.fields.store(method.as_bytes());
    }

    /// The form of the target.
    #[must_use]
    pub const fn target_form(&self) -> TargetForm {
        self.form
    }

    /// The path, without query. As received until the proxy sets the normalised one.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        self.fields.slice(self.path)
    }

    /// The query, without its question mark, byte for byte.
    #[must_use]
    pub fn query(&self) -> Option<&[u8]> {
        self.query.map(|query| self.fields.slice(query))
    }

    /// The value of `Host` (or of the target's authority), port included. Empty for HTTP/1.0 without.
    #[must_use]
    pub fn host(&self) -> &[u8] {
        self.fields.slice(self.host)
    }

    /// Adds a field with the value of `Host` after all others, as [`Self::host`] has it.
    pub fn copy_host_to(&mut self, name: Known) {
        self.fields.push_copy(name, self.host);
    }

    /// The protocols that the client would rather speak on this connection, as it listed them, if it may
    /// ask at all: `Upgrade` once, named by `Connection`, on a GET of HTTP/1.1 without a body (RFC 9110
    /// section 7.8). They stay readable here after the hop-by-hop fields were removed.
    #[must_use]
    pub fn upgrade(&self) -> Option<&[u8]> {
        self.upgrade.map(|upgrade| self.fields.slice(upgrade))
    }

    /// Sets the path. The caller has normalised it: it starts with a slash and holds only visible ASCII
    /// other than `?` and `#`. A path that does not is refused and `false` returned.
    #[must_use]
    pub fn set_path(&mut self, path: &[u8]) -> bool {
        let valid = path.first() == Some(&b'/')
            && path.iter().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'));
        if valid {
            self.keep_received();
            self.path = self.fields.store(path);
        }
        valid
    }

    /// Sets or removes the query. A query with a byte that is not visible ASCII, or with `#`, is refused
    /// and `false` returned.
    #[must_use]
    pub fn set_query(&mut self, query: Option<&[u8]>) -> bool {
        let valid = query.unwrap_or_default().iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#');
        if valid {
            self.keep_received();
            self.query = query.map(|query| self.fields.store(query));
        }
        valid
    }
}

/// The head of a response.
#[derive(Debug, Default)]
pub struct ResponseHead {
    /// The fields, in order.
    pub fields: Fields,
    /// The version it was received with.
    pub version: Version,
    /// How the body is framed.
    pub framing: BodyFraming,
    /// What the `Connection` field said.
    pub connection: ConnectionOptions,
    /// The status code, 100 to 999.
    pub status: u16,
}

impl ResponseHead {
    /// An empty response with this status, for answers that the gateway gives itself.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// Whether another head follows this one: 1xx, but for 101, after which HTTP ends (RFC 9110 section 15.2).
    #[must_use]
    pub const fn is_interim(&self) -> bool {
        matches!(self.status, 100 | 102..=199)
    }

    /// Empties the head; its buffers stay for the next response.
    pub fn clear(&mut self) {
        let mut fields = std::mem::take(&mut self.fields);
        fields.clear();
        *self = Self { fields, ..Self::default() };
    }
}
