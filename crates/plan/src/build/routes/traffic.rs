//! Splits, mirrors and faults of a route.

use torana_config::written::{FaultsConfig, MirrorConfig, RouteConfig, SplitConfig};
use torana_config::{Document, Finding, Path, did_you_mean};
use torana_types::ServiceId;

use super::Services;
use crate::build::{not_zero, services};
use crate::text;
use crate::traffic::{MirrorPlan, SplitArmPlan, SplitPlan, TrafficPlan};

const WHOLE: u32 = 10_000;

pub(super) fn traffic(
    document: &Document,
    path: &Path,
    config: &RouteConfig,
    ids: &Services<'_>,
    findings: &mut Vec<Finding>,
) -> TrafficPlan {
    if config.service.is_none() {
        for (key, given) in [
            ("split", config.split.is_some()),
            ("mirror", config.mirror.is_some()),
            ("faults", config.faults.is_some()),
        ] {
            if given {
                let message = format!("`{key}` has no meaning on a route without `service`");
                findings.push(Finding::error("no-service", message).at(document.key_span_at(&path.key(key))));
            }
        }
        return TrafficPlan::default();
    }
    TrafficPlan {
        split: config.split.as_ref().map(|split| self::split(document, path, config, split, ids, findings)),
        mirror: config
            .mirror
            .as_ref()
            .and_then(|mirror| self::mirror(document, &path.key("mirror"), mirror, ids, findings)),
        faults: config.faults.as_ref().map(|faults| {
            self::faults(document, &path.key("faults"), faults, findings);
            faults.clone()
        }),
    }
}

fn split(
    document: &Document,
    path: &Path,
    route: &RouteConfig,
    config: &SplitConfig,
    ids: &Services<'_>,
    findings: &mut Vec<Finding>,
) -> SplitPlan {
    let split = path.key("split");
    let mut arms = Vec::with_capacity(config.to.len());
    for (name, share) in &config.to {
        let place = split.key("to").key(name);
        if route.service.as_ref() == Some(name) {
            let finding = Finding::error("split", "the route's own service gets what the others leave");
            findings.push(finding.at(document.key_span_at(&place)));
        }
        let Some(service) = known(document, &place, true, name, ids, findings) else { continue };
        let wide = document.config().services.get(name).map(|service| &service.timeouts);
        let timeouts = services::timeouts(wide.unwrap_or(&route.timeouts), &route.timeouts);
        arms.push(SplitArmPlan { service, share: *share, timeouts });
    }
    if config.to.values().map(|share| share.as_hundredths()).fold(0, u32::saturating_add) > WHOLE {
        let finding = Finding::error("split", "the shares are more than 100% together");
        findings.push(finding.at(document.span_at(&split.key("to"))));
    }
    let by = config.by.as_ref().map(|by| services::keys(document, &split.key("by"), by, findings));
    SplitPlan { arms, by: by.unwrap_or_default() }
}

fn mirror(
    document: &Document,
    path: &Path,
    config: &MirrorConfig,
    ids: &Services<'_>,
    findings: &mut Vec<Finding>,
) -> Option<MirrorPlan> {
    not_zero(document, &path.key("timeout"), config.timeout, findings);
    let service = known(document, &path.key("service"), false, &config.service, ids, findings)?;
    Some(MirrorPlan { service, config: config.clone() })
}

fn faults(document: &Document, path: &Path, config: &FaultsConfig, findings: &mut Vec<Finding>) {
    if config.is_empty() {
        let finding = Finding::error("faults", "neither `delay` nor `abort` is given");
        findings.push(finding.at(document.span_at(path)));
    }
    if let Some(header) = &config.header {
        text::field_name(document, &path.key("header"), header, findings);
    }
    if let Some(delay) = &config.delay {
        not_zero(document, &path.key("delay").key("for"), delay.time, findings);
    }
}

fn known(
    document: &Document,
    place: &Path,
    is_key: bool,
    name: &str,
    ids: &Services<'_>,
    findings: &mut Vec<Finding>,
) -> Option<ServiceId> {
    let id = ids.get(name).copied();
    if id.is_none() {
        let span = if is_key { document.key_span_at(place) } else { document.span_at(place) };
        let finding = Finding::error("unknown-service", format!("there is no service `{name}`")).at(span);
        findings.push(finding.maybe_help(did_you_mean(name, ids.keys().copied())));
    }
    id
}
