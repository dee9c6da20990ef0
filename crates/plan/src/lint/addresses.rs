//! Addresses that collide or trust too much.

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

/// Whether both cannot be listened on: the same port, and the same address or every address of the
/// same family. Port 0 is a different port each time.
fn collide(one: ListenAddr, other: ListenAddr) -> bool {
    let (one, other) = (one.socket_addr(), other.socket_addr());
    let same_family = one.is_ipv4() == other.is_ipv4();
    let overlap = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && same_family && overlap
}
