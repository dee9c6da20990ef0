//! What a connection is wanted for.

use torana_http::proxy_protocol::Introduction;

/// What a connection is wanted for. By default: for a request that any will do for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// The client whose request it is. Where the endpoint is told whom connections are for, the connection was opened
    /// for this client.
    pub client: Option<&'a Introduction>,
    /// Kept-alive connections are passed over, because one of them has just turned out to be stale.
    pub fresh: bool,
    /// The endpoint is asked to switch to another protocol by `Upgrade`, which HTTP/2 does not know (RFC 9113 section
    /// 8.6): it must be a connection of HTTP/1.
    pub whole: bool,
}
