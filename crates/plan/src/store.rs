//! `store` in the plan.

use std::num::NonZeroU32;

use torana_config::written::{StoreConfig, StoreForm};
use torana_config::{Document, Finding, Path, Resolver};
use torana_types::{Secret, TimeSpan};

use crate::build::pem::Reader;
use crate::fingerprint;
use crate::report::Report;

/// A Redis or Valkey store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StorePlan {
    /// The servers, or the sentinels; at least one.
    pub places: Vec<StorePlace>,
    /// How they stand to each other.
    pub arrangement: StoreArrangement,
    /// The database.
    pub database: u32,
    /// Whether by TLS.
    pub tls: bool,
    /// The ACL user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// The authorities that are trusted instead of the system's, in PEM.
    pub ca: Option<String>,
    /// How long one answer may take; never zero.
    pub timeout: TimeSpan,
    /// How long a connection may take; never zero.
    pub connect_timeout: TimeSpan,
    /// How many gateways share the limits.
    pub gateways: NonZeroU32,
    /// What callers are hashed with.
    pub key: Option<Secret>,
}

/// A server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StorePlace {
    /// A name or an address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// How servers stand to each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StoreArrangement {
    /// There is one.
    Single,
    /// They are sentinels, who watch the server under this name.
    Sentinel(String),
    /// They are a cluster.
    Cluster,
}

impl StorePlan {
    /// Changes with anything about the store.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        fingerprint::of(self)
    }
}

/// Plans the store, if there is one beside this gateway's memory.
pub(crate) fn plan(
    document: &Document,
    resolver: &dyn Resolver,
    findings: &mut Vec<Finding>,
) -> Option<StorePlan> {
    let form = &document.config().store;
    let config = form.config()?;
    let path = Path::root().key("store");
    let report = &mut Report { document, findings };
    let (arrangement, urls) = servers(form, &config, &path, report)?;
    let first = urls.first()?.clone();
    for (key, span) in [("timeout", config.timeout), ("connect_timeout", config.connect_timeout)] {
        if span.is_zero() {
            let help = "20ms is usual for an answer";
            report.error(&path.key(key), "zero-time", "this time cannot be zero", help);
        }
    }
    if config.key.is_none() && config.password.is_none() {
        let message =
            "names of keys in the store are hashed without a secret: whoever reads them can try guesses";
        let finding = Finding::note("store-without-key", message).at(document.key_span_at(&path));
        report.findings.push(finding.help("add `key: \"${env:STORE_KEY}\"`, the same on every gateway"));
    }
    let mut reader = Reader { document, resolver, findings: report.findings };
    let ca = config.ca.and_then(|ca| reader.authority_text(&path.key("ca"), &ca));
    Some(StorePlan {
        places: urls.into_iter().map(|url| url.place).collect(),
        arrangement,
        database: first.database,
        tls: first.tls,
        username: config.username.or(first.username),
        password: config.password,
        ca,
        timeout: config.timeout,
        connect_timeout: config.connect_timeout,
        gateways: config.gateways.unwrap_or(NonZeroU32::MIN),
        key: config.key,
    })
}

/// How the servers stand to each other, and what their URLs say; those that say nothing are reported.
fn servers(
    form: &StoreForm,
    config: &StoreConfig,
    path: &Path,
    report: &mut Report<'_>,
) -> Option<(StoreArrangement, Vec<Url>)> {
    let Some((arrangement, urls, place)) = arrangement(config, path) else {
        let message = "exactly one of `url`, `cluster` and `sentinel` says where the store is";
        report.error(path, "bad-store", message, "write `store: redis://127.0.0.1:6379`");
        return None;
    };
    let place = if matches!(form, StoreForm::Url(_)) { path.clone() } else { place };
    let default_port = if matches!(arrangement, StoreArrangement::Sentinel(_)) { 26_379 } else { 6_379 };
    let mut read: Vec<Url> = Vec::new();
    for url in &urls {
        match Url::read(url, default_port) {
            Ok(url) => read.push(url),
            Err(problem) => {
                let help = "write `redis://host:6379/0`, or `rediss` for TLS";
                report.error(&place, "bad-store", problem, help);
            }
        }
    }
    let (tls, database) = read.first().map(|first| (first.tls, first.database))?;
    if read.iter().any(|url| (url.tls, url.database) != (tls, database)) {
        let help = "write the same scheme and database for all";
        report.error(&place, "bad-store", "all servers are spoken to alike", help);
    }
    if database != 0 && arrangement == StoreArrangement::Cluster {
        report.error(&place, "bad-store", "a cluster has only database 0", "leave the database out");
    }
    Some((arrangement, read))
}

fn arrangement(config: &StoreConfig, path: &Path) -> Option<(StoreArrangement, Vec<String>, Path)> {
    match (&config.url, config.cluster.is_empty(), &config.sentinel) {
        (Some(url), true, None) => Some((StoreArrangement::Single, vec![url.clone()], path.key("url"))),
        (None, false, None) => Some((StoreArrangement::Cluster, config.cluster.clone(), path.key("cluster"))),
        (None, true, Some(sentinel)) if !sentinel.nodes.is_empty() => {
            let arrangement = StoreArrangement::Sentinel(sentinel.master.clone());
            Some((arrangement, sentinel.nodes.clone(), path.key("sentinel").key("nodes")))
        }
        _ => None,
    }
}

/// What a URL says.
#[derive(Clone, Debug)]
struct Url {
    place: StorePlace,
    tls: bool,
    database: u32,
    username: Option<String>,
}

impl Url {
    fn read(text: &str, default_port: u16) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once("://").ok_or("this is neither `memory` nor a URL")?;
        let tls = match scheme {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            _ => return Err("the scheme of a store is `redis` or `rediss`"),
        };
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let database = match database {
            "" => 0,
            number => number.parse().map_err(|_| "after the `/` stands the number of a database")?,
        };
        let (username, server) = match authority.rsplit_once('@') {
            None => (None, authority),
            Some((user, _)) if user.contains(':') => {
                return Err("a password does not belong into a URL: write it as `password`");
            }
            Some((user, server)) => (Some(user.to_owned()), server),
        };
        let (host, port) = match server.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => server.split_once(':').map_or((server, None), |(host, port)| (host, Some(port))),
        };
        let port = match port {
            None => default_port,
            Some(port) => port.parse().map_err(|_| "the port is a number from 1 to 65535")?,
        };
        if host.is_empty() || host.contains(char::is_whitespace) || port == 0 {
            return Err("a host, and perhaps a port, must stand after `://`");
        }
        Ok(Self { place: StorePlace { host: host.to_owned(), port }, tls, database, username })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_say_where_and_how() {
        let read = |text: &str| {
            let url = Url::read(text, 6_379).unwrap();
            (url.place.host, url.place.port, url.tls, url.database, url.username)
        };
        assert_eq!(read("redis://cache"), ("cache".into(), 6_379, false, 0, None));
        assert_eq!(read("rediss://me@[::1]:7000/3"), ("::1".into(), 7_000, true, 3, Some("me".into())));
        for wrong in
            ["redis", "http://a", "redis://", "redis://:1", "redis://a:b", "redis://a/x", "redis://u:p@a"]
        {
            assert!(Url::read(wrong, 6_379).is_err(), "{wrong}");
        }
    }
}
