//! A policy that a narrower scope replaces or switches off, and an `off` that switches off nothing.

use torana_config::{Document, Finding, Path};

use crate::build::access::is_about_callers;

/// What one scope says about one policy: nothing, off, or on.
type Said = Option<bool>;

pub(super) fn lint(document: &Document, findings: &mut Vec<Finding>) {
    let config = document.config();
    let global = (Path::root().key("policies"), config.policies.said());
    for (name, service) in &config.services {
        let path = Path::root().key("services").key(name).key("policies");
        compare(document, &path, service.policies.said(), &[&global], findings);
    }
    for (index, route) in config.routes.iter().enumerate() {
        let path = Path::root().key("routes").index(index).key("policies");
        let service = route.service.as_ref().and_then(|name| Some((name, config.services.get(name)?)));
        let service = service.map(|(name, service)| {
            (Path::root().key("services").key(name).key("policies"), service.policies.said())
        });
        let wider: Vec<_> = service.iter().chain([&global]).collect();
        compare(document, &path, route.policies.said(), &wider, findings);
    }
}

/// A scope's place, and what it says about each policy.
type Layer = (Path, Vec<(&'static str, Said)>);

fn compare(
    document: &Document,
    path: &Path,
    here: Vec<(&'static str, Said)>,
    wider: &[&Layer],
    findings: &mut Vec<Finding>,
) {
    for (name, on) in here.into_iter().filter_map(|(name, said)| Some((name, said?))) {
        let in_force = wider.iter().find_map(|(path, said)| {
            let (_, said) = said.iter().find(|(other, _)| *other == name)?;
            said.map(|on| (path, on))
        });
        let place = document.key_span_at(&path.key(name));
        let finding = match (on, in_force) {
            // Limits by name are policies of their own: none replaces another.
            (true, _) if name == "rate_limits" => continue,
            (true, Some((path, true))) => {
                let finding = Finding::note(
                    "policy-replaced",
                    format!("this `{name}` replaces the one of a wider scope as a whole"),
                );
                finding.related("replaced", Some(document.key_span_at(&path.key(name))))
            }
            (false, Some((path, true))) => {
                let finding = Finding::note("policy-off", format!("`{name}` is switched off here"));
                finding.related("switched off", Some(document.key_span_at(&path.key(name))))
            }
            // It says that the route is public, whatever wider scopes say.
            (false, _) if is_about_callers(name) => continue,
            (false, _) => {
                Finding::warning("nothing-to-switch-off", format!("`{name}` is not on in any wider scope"))
            }
            _ => continue,
        };
        findings.push(finding.at(place));
    }
}
