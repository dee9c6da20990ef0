//! Addresses that collide, trust too much, or show the admin pages to everybody.

use std::net::{IpAddr, Ipv4Addr};

use torana_config::{Document, Finding, Path};
use torana_types::ListenAddr;

use crate::build::listener_path;
use crate::plan::Plan;

pub(super) fn lint(document: &Document, plan: &Plan, findings: &mut Vec<Finding>) {
    let root = Path::root();
    let addresses = plan.settings.listen.iter().map(|listener| listener.address).enumerate();
    let mut all: Vec<(ListenAddr, Path)> =
        addresses.map(|(index, address)| (address, listener_path(document, index))).collect();
    all.extend(plan.settings.admin.map(|address| (address, root.key("admin"))));
    for (place, (address, path)) in all.iter().enumerate() {
        let Some((_, earlier)) = all.iter().take(place).find(|(other, _)| collide(*other, *address)) else {
            continue;
        };
        let finding = Finding::error("duplicate-listen", "this address is already listened on")
            .at(document.span_at(path));
        findings.push(finding.related("here", Some(document.span_at(earlier))));
    }
    findings.extend(exposed(document, plan));
    for (index, network) in
        plan.settings.trusted_proxies.iter().enumerate().filter(|(_, network)| network.is_everything())
    {
        let message =
            format!("with {network} every client is a trusted proxy, and can claim any address as its own");
        let place = document.span_at(&root.key("trusted_proxies").index(index));
        let help = "name the networks of your own proxies";
        findings.push(Finding::warning("trusts-everybody", message).at(place).help(help));
    }
}

/// Admin pages at an address that strangers may reach: reading them asks for no credentials.
fn exposed(document: &Document, plan: &Plan) -> Option<Finding> {
    let admin = plan.settings.admin?.socket_addr();
    let place = match admin.ip().to_canonical() {
        address if address.is_unspecified() => "every address of this machine",
        address if is_public(address) => "a public address",
        _ => return None,
    };
    let message = format!(
        "the admin pages are at {place}: whoever reaches it reads configuration, metrics and callers without credentials"
    );
    let port = admin.port();
    let help = format!(
        "write `127.0.0.1:{port}` or a private address; in a container, where {} is meant, say it there with `--admin`, and \
         publish the port to your own network alone",
        plan.settings.admin?
    );
    let written = document.span_at(&Path::root().key("admin"));
    Some(Finding::warning("admin-exposed", message).at(written).help(help))
}

/// Whether an address is one of the internet, not of a machine or of a network of one's own (RFC 1918, 3927, 4193,
/// 4291 section 2.5.6, 6598).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let shared = Ipv4Addr::from(u32::from(address) & 0xffc0_0000) == Ipv4Addr::new(100, 64, 0, 0);
            !(address.is_loopback() || address.is_private() || address.is_link_local() || shared)
        }
        IpAddr::V6(address) => {
            !(address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local())
        }
    }
}

/// Whether both cannot be listened on: the same port, and the same address or every address of the
/// same family. Port 0 is a different port each time.
fn collide(one: ListenAddr, other: ListenAddr) -> bool {
    let (one, other) = (one.socket_addr(), other.socket_addr());
    let same_family = one.is_ipv4() == other.is_ipv4();
    let overlap = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && same_family && overlap
}
