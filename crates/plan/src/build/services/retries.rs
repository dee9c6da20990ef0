//! Retries: what does not fit together.

use torana_config::written::{RetriesConfig, RetryOn};
use torana_config::{Document, Finding, Path};
use torana_types::StatusRange;

use super::super::not_zero;
use crate::text;

pub(super) fn retries(
    document: &Document,
    path: &Path,
    config: &RetriesConfig,
    findings: &mut Vec<Finding>,
) -> RetriesConfig {
    for (index, on) in config.on.iter().enumerate() {
        if let RetryOn::Status(status) = on {
            check_status(document, &path.key("on").index(index), *status, findings);
        }
    }
    for (index, method) in config.methods.iter().enumerate() {
        text::token(document, &path.key("methods").index(index), method, "a method", findings);
    }
    if let Some(name) = &config.idempotency_key {
        text::field_name(document, &path.key("idempotency_key"), name, findings);
    }
    if let Some(timeout) = config.per_try_timeout {
        not_zero(document, &path.key("per_try_timeout"), timeout, findings);
    }
    if config.backoff.max < config.backoff.base {
        let finding =
            Finding::error("backoff", "the longest wait of all is shorter than the longest first wait");
        findings.push(finding.at(document.span_at(&path.key("backoff").key("max"))));
    }
    if let Some(hedge) = &config.hedge {
        let path = path.key("hedge");
        not_zero(document, &path.key("after"), hedge.after, findings);
        if !(2..=4).contains(&hedge.at_once.get()) {
            let finding = Finding::error("hedge", "from 2 to 4 endpoints can be asked at the same time");
            findings.push(finding.at(document.span_at(&path.key("at_once"))));
        }
        if u16::from(hedge.at_once.get()) > config.attempts.get() {
            let finding = Finding::error("hedge", "`attempts` allows fewer tries than are made at once");
            let help = "the second try of a hedged request is one of its `attempts`";
            findings.push(finding.at(document.span_at(&path)).help(help));
        }
    }
    config.clone()
}

/// Reports what is no status code.
pub(in crate::build) fn check_status(
    document: &Document,
    path: &Path,
    status: StatusRange,
    findings: &mut Vec<Finding>,
) {
    if !status.is_valid() {
        let finding = Finding::error("bad-status", "this is no status: they go from 100 to 999");
        findings.push(finding.at(document.span_at(path)).help("write `503`, `5xx` or `500-504`"));
    }
}
