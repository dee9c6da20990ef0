//! Breakers: defaults, and what does not fit together.

use torana_config::written::{BreakerConfig, BreakerOn, StaleConfig};
use torana_config::{Document, Finding, Path};
use torana_types::ByteSize;

use super::super::not_zero;
use super::super::routes::respond_action;
use super::retries::check_status;
use crate::plan::Action;
use crate::report::Report;
use crate::resilience::{BreakerPlan, FallbackPlan, StalePlan};

pub(super) fn breaker(
    document: &Document,
    path: &Path,
    config: &BreakerConfig,
    findings: &mut Vec<Finding>,
) -> BreakerPlan {
    not_zero(document, &path.key("open_for"), config.open_for, findings);
    for (index, on) in config.on.iter().enumerate() {
        if let BreakerOn::Status(status) = on {
            check_status(document, &path.key("on").index(index), *status, findings);
        }
    }
    if config.on.is_empty() {
        let finding = Finding::error("breaker", "nothing counts as a failure, so it would never open");
        findings.push(finding.at(document.span_at(&path.key("on"))));
    }
    if let Some(window) = &config.window {
        let path = path.key("window");
        not_zero(document, &path.key("length"), window.length, findings);
        if window.slow_share.is_some() != window.slow_after.is_some() {
            let finding =
                Finding::error("breaker", "`slow_share` and `slow_after` are given together or not at all");
            findings.push(finding.at(document.span_at(&path)));
        }
        if window.failure_share.is_zero() {
            let finding = Finding::error("breaker", "a share of nothing would open it at the first failure");
            findings
                .push(finding.at(document.span_at(&path.key("failure_share"))).help("write `failures: 1`"));
        }
    }
    let fallback = config.fallback.as_ref().and_then(|config| {
        match respond_action(document, &path.key("fallback"), config, findings) {
            Action::Respond { status, headers, body } => Some(FallbackPlan { status, headers, body }),
            _ => {
                let message = "what answers for a service cannot echo requests";
                let finding = Finding::error("no-echo", message);
                findings
                    .push(finding.at(document.span_at(&path.key("fallback"))).help("write `body` or `json`"));
                None
            }
        }
    });
    let failures = config.failures.or(match config.window {
        Some(_) => None,
        None => Some(BreakerConfig::FAILURES),
    });
    BreakerPlan {
        failures,
        window: config.window.clone(),
        open_for: config.open_for,
        trials: config.trials,
        on: config.on.clone(),
        stale: config.stale.as_ref().map(|config| stale(document, &path.key("stale"), config, findings)),
        fallback,
    }
}

fn stale(document: &Document, path: &Path, config: &StaleConfig, findings: &mut Vec<Finding>) -> StalePlan {
    let StaleConfig { grace, memory, largest, unmarked } = *config;
    let mut report = Report { document, findings };
    if grace.is_zero() {
        let message = "no answer would be given past its freshness";
        report.error(&path.key("for"), "breaker", message, "give it a length, or remove `stale`");
    }
    let nothing = ByteSize::from_bytes(0);
    for (key, size) in [("memory", memory), ("largest", largest)] {
        if size == nothing {
            let help = "give it a size, or remove `stale`";
            report.error(&path.key(key), "breaker", "nothing would ever be kept", help);
        }
    }
    if largest > memory && memory != nothing {
        let message = format!("a body of {largest} does not fit into the {memory} of all answers together");
        let help = "make `largest` smaller, or `memory` larger";
        report.error(&path.key("largest"), "breaker", message, help);
    }
    StalePlan { grace, memory, largest, unmarked }
}
