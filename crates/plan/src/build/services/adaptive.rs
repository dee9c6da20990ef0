//! Learnt bounds of requests: what does not fit together.

use torana_config::written::{AdaptiveConcurrencyConfig, Defaulted, ServiceConfig};
use torana_config::{Document, Finding, Path};

use super::super::not_zero;

pub(super) fn adaptive(
    document: &Document,
    path: &Path,
    config: &ServiceConfig,
    findings: &mut Vec<Finding>,
) -> Option<AdaptiveConcurrencyConfig> {
    let adaptive = config.adaptive_concurrency.as_ref().map(Defaulted::config)?;
    not_zero(document, &path.key("window"), adaptive.window, findings);
    not_zero(document, &path.key("remeasure"), adaptive.remeasure, findings);
    if adaptive.min > adaptive.max {
        let finding = Finding::error("adaptive-concurrency", "the least bound is above the greatest");
        findings.push(finding.at(document.span_at(path)).help("`min` is at most `max`"));
    }
    Some(adaptive)
}
