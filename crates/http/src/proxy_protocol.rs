//! The PROXY protocol, versions 1 and 2: how a load balancer says, before anything else on a connection, whom
//! it stands for. A pure reader and writer of bytes; whom to believe is decided elsewhere.
//!
//! Source: "The PROXY protocol", HAProxy, revision 2020/03/05, sections 2.1 and 2.2.

mod v1;
mod v2;

use std::net::{IpAddr, SocketAddr};

/// Longest header that is read. Version 1 has at most 107 bytes; version 2 could have 65,551 with extensions,
/// but real ones have a few hundred.
pub const LONGEST: usize = 4096;

/// Whom a connection is from and for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Introduction {
    /// It is the balancer's own (a health check), or it does not know: the socket's addresses stay.
    Itself,
    /// It stands for somebody else.
    For {
        /// The client.
        source: SocketAddr,
        /// What the client connected to.
        destination: SocketAddr,
    },
}

impl Introduction {
    /// Stands for a client. An IPv4 address beside an IPv6 one is written as IPv6, because a header has one
    /// family.
    #[must_use]
    pub fn of(source: SocketAddr, destination: SocketAddr) -> Self {
        let canonical = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        let (source, destination) = (canonical(source), canonical(destination));
        if source.is_ipv4() == destination.is_ipv4() {
            return Self::For { source, destination };
        }
        let mapped = |address: SocketAddr| match address.ip() {
            IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
            IpAddr::V6(_) => address,
        };
        Self::For { source: mapped(source), destination: mapped(destination) }
    }
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHeader(
    /// What is wrong, in words.
    pub &'static str,
);

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProxyVersion {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// Reads a header from the beginning of `input`, and how many bytes it has. `None`: all there is could be the
/// beginning of one, and every byte of it belongs to it.
///
/// # Errors
/// No continuation can make this a header.
pub fn read_introduction(input: &[u8]) -> Result<Option<(Introduction, usize)>, InvalidHeader> {
    match input.first() {
        None => Ok(None),
        Some(b'P') => v1::read(input),
        Some(_) => v2::read(input),
    }
}

/// Writes a header.
pub fn write_introduction(introduction: &Introduction, version: ProxyVersion, into: &mut Vec<u8>) {
    match version {
        ProxyVersion::V1 => v1::write(introduction, into),
        ProxyVersion::V2 => v2::write(introduction, into),
    }
}
