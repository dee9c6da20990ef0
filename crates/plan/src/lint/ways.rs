//! How ways to say who calls go together, where nothing says who calls.

use torana_config::written::{AuthWay, PoliciesConfig, Switch};
use torana_config::{Document, Finding, Path};

use crate::build::access::is_way;

pub(super) fn lint(document: &Document, findings: &mut Vec<Finding>) {
    let scopes = scopes(document);
    let is_on = |way: &dyn Fn(&str) -> bool| {
        let said = scopes.iter().flat_map(|(_, policies)| policies.said());
        said.into_iter().any(|(name, on)| on == Some(true) && way(name))
    };
    for (path, policies) in &scopes {
        let path = path.key("auth");
        if policies.auth.as_ref().and_then(Switch::on).is_none() {
            continue;
        }
        if !is_on(&is_way) {
            let finding = Finding::warning("no-way", "nothing says who calls: nobody is asked");
            let finding = finding.at(document.key_span_at(&path));
            findings.push(finding.help("add a way to say who calls, such as `jwt`"));
            continue;
        }
        let named = AuthWay::ALL.iter().map(|way| way.name());
        let place = path.key("preflight");
        for name in named.filter(|name| document.has(&place.key(name)) && !is_on(&|way| way == *name)) {
            let finding = Finding::warning("no-way", format!("`{name}` is nowhere a way to say who calls"));
            findings.push(finding.at(document.key_span_at(&place.key(name))).help("add it, or leave it out"));
        }
    }
}

/// Every scope and where its policies stand.
fn scopes(document: &Document) -> Vec<(Path, &PoliciesConfig)> {
    let config = document.config();
    let at = |path: Path| path.key("policies");
    let mut scopes = vec![(at(Path::root()), &config.policies)];
    for (name, service) in &config.services {
        scopes.push((at(Path::root().key("services").key(name)), &service.policies));
    }
    for (index, route) in config.routes.iter().enumerate() {
        scopes.push((at(Path::root().key("routes").index(index)), &route.policies));
    }
    scopes
}
