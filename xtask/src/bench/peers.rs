//! The proxies that are compared, and how each is started: one worker on core 0.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::cases::{Case, Extras, Protocol};
use super::configuration::{Doors, Surroundings, envoy, haproxy, nginx, torana};
use crate::pinned::MEASURED;
use crate::server::{Server, free_address};
use crate::workspace::root;

/// A proxy by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// Copies bytes and understands nothing.
    Floor,
    Nginx,
    Haproxy,
    Envoy,
    Torana,
}

pub(super) const PEERS: [Peer; 5] = [Peer::Floor, Peer::Nginx, Peer::Haproxy, Peer::Envoy, Peer::Torana];

impl Peer {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
            Self::Torana => "torana",
        }
    }

    /// Whether it does itself what the cases with policies ask for.
    pub(super) const fn has_policies(self) -> bool {
        match self {
            Self::Floor | Self::Nginx => false,
            Self::Haproxy | Self::Envoy | Self::Torana => true,
        }
    }

    /// Whether it can do at all what the case asks.
    pub(super) fn takes(self, case: &Case) -> bool {
        match self {
            Self::Floor => case.protocol == Protocol::Http1 && case.extras != Extras::PoliciesAndLog,
            Self::Haproxy => case.extras != Extras::PoliciesAndLog,
            Self::Nginx | Self::Envoy | Self::Torana => true,
        }
    }
}

/// A running proxy.
pub(super) struct Proxy {
    pub(super) peer: Peer,
    pub(super) server: Server,
    /// What it does beside forwarding, where one process does not serve all cases.
    only: Option<(bool, Extras)>,
    doors: Doors,
}

impl Proxy {
    /// Whether this process serves the case.
    pub(super) fn serves(&self, case: &Case) -> bool {
        let wanted = (case.protocol != Protocol::Http1, case.extras);
        self.peer.takes(case) && self.only.is_none_or(|only| only == wanted)
    }

    /// Where it serves the case.
    pub(super) fn address(&self, case: &Case) -> SocketAddr {
        match (case.protocol, case.extras) {
            _ if self.only.is_some() || self.peer == Peer::Floor => self.server.address,
            (Protocol::Https | Protocol::Http2, _) => self.doors.tls,
            (Protocol::Http1, Extras::PoliciesAndLog) => self.doors.logged,
            (Protocol::Http1, Extras::Policies) if self.peer.has_policies() => self.doors.policies,
            (Protocol::Http1, Extras::None | Extras::Policies) => self.doors.plain,
        }
    }
}

/// Starts what of a peer the cases need.
pub(super) fn start(
    peer: Peer,
    cases: &[&Case],
    around: &Surroundings,
    programs: &Path,
) -> Result<Vec<Proxy>> {
    if peer == Peer::Torana {
        return start_torana(cases, around, &programs.join("torana"), &[]);
    }
    let doors = Doors::free()?;
    let remedy = || format!("is {} installed? `scripts/bench-tools` installs what this needs", peer.name());
    let server = match peer {
        Peer::Floor => {
            let (port, origin) = (doors.plain.port().to_string(), around.origin.to_string());
            Server::start(MEASURED, doors.plain, &programs.join("bench-copy"), &[&port, &origin])?
        }
        Peer::Nginx => {
            let file = around.write("nginx.conf", &nginx(around, &doors))?;
            let started = Server::start(MEASURED, doors.plain, Path::new("nginx"), &["-c", &file]);
            let mut server = started.with_context(remedy)?;
            server.measure_child()?;
            server
        }
        Peer::Haproxy => {
            let file = around.write("haproxy.cfg", &haproxy(around, &doors)?)?;
            let started = Server::start(MEASURED, doors.plain, Path::new("haproxy"), &["-db", "-f", &file]);
            started.with_context(remedy)?
        }
        Peer::Envoy => {
            let file = around.write("envoy.json", &envoy(around, &doors))?;
            let program = envoy_program().with_context(remedy)?;
            let arguments =
                ["--concurrency", "1", "-l", "error", "--use-dynamic-base-id", "-c", file.as_str()];
            Server::start(MEASURED, doors.plain, &program, &arguments).with_context(remedy)?
        }
        Peer::Torana => bail!("it is started above"),
    };
    Ok(vec![Proxy { peer, server, only: None, doors }])
}

fn envoy_program() -> Result<PathBuf> {
    let program = root().join("target/tools/envoy/server");
    program.canonicalize().with_context(|| format!("there is no {}", program.display()))
}

/// One process for each kind of configuration that the cases need.
pub(super) fn start_torana(
    cases: &[&Case],
    around: &Surroundings,
    program: &Path,
    more: &[&str],
) -> Result<Vec<Proxy>> {
    let mut proxies: Vec<Proxy> = Vec::new();
    for case in cases {
        if proxies.iter().any(|proxy| proxy.serves(case)) {
            continue;
        }
        let (name, address) = (format!("torana-{}.yaml", free_address()?.port()), free_address()?);
        let file = around.write(&name, &torana(around, address, case.protocol, case.extras))?;
        let mut arguments = vec!["run", &file, "--workers", "1"];
        arguments.extend(more);
        let server = Server::start(MEASURED, address, program, &arguments)?;
        let only = Some((case.protocol != Protocol::Http1, case.extras));
        proxies.push(Proxy { peer: Peer::Torana, server, only, doors: Doors::free()? });
    }
    Ok(proxies)
}
