//! Where a store is and how it is spoken to.

use std::fmt;
use std::time::Duration;
use torana_types::Secret;

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StoreAddress {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// How the servers stand to each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Topology {
    /// One server.
    Single(StoreAddress),
    /// The sentinels say which server leads.
    Sentinel {
        /// The name under which they watch it.
        master: String,
        /// The sentinels.
        sentinels: Vec<StoreAddress>,
    },
    /// Some servers of a cluster; the others are learnt from them.
    Cluster(Vec<StoreAddress>),
}

impl fmt::Display for Topology {
    /// Where the servers are, without anything secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = match self {
            Self::Single(place) => std::slice::from_ref(place),
            Self::Sentinel { sentinels: places, .. } | Self::Cluster(places) => places,
        };
        for (index, place) in places.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(formatter, "{comma}{}:{}", place.host, place.port)?;
        }
        Ok(())
    }
}

/// Where a store is and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StoreSettings {
    /// The servers.
    pub topology: Topology,
    /// The ACL user; the default one when not given.
    pub username: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
    /// The database; 0 in a cluster.
    pub database: u32,
    /// Whether the connection is by TLS. The server's certificate and name are always verified.
    pub tls: bool,
    /// Authorities to trust instead of the system's, in PEM.
    pub ca: Option<String>,
    /// How long one answer may take.
    pub timeout: Duration,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How many gateways share the limits: the parts of a local share.
    pub gateways: u32,
    /// What principals are hashed with before they become names of keys; the password when not given.
    pub key: Option<Secret>,
}

impl StoreSettings {
    /// A server at this place, with everything else as usual.
    #[must_use]
    pub fn single(host: &str, port: u16) -> Self {
        Self {
            topology: Topology::Single(StoreAddress { host: host.into(), port }),
            username: None,
            password: None,
            database: 0,
            tls: false,
            ca: None,
            timeout: Duration::from_millis(20),
            connect_timeout: Duration::from_secs(2),
            gateways: 1,
            key: None,
        }
    }
}
