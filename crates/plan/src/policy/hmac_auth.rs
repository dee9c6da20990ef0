//! `hmac_auth` in the plan.

use std::sync::Arc;

use torana_config::written::{HmacAuthConfig, HmacScheme, MacAlgorithm, Replay};
use torana_config::{Document, Finding, Path};
use torana_credential::directory::Consumers;
use torana_types::TimeSpan;

use super::{AuthenticationPlan, PolicyPlan};
use crate::{reserved, text};

/// Callers sign their requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HmacAuthPlan {
    /// What is accepted, and what becomes of it. At least one scheme.
    pub config: HmacAuthConfig,
    /// Whose secrets and keys there are.
    pub consumers: Arc<Consumers>,
}

/// Derived components of requests (RFC 9421 section 2.2) that can be asked for.
const DERIVED: [&str; 7] =
    ["@method", "@target-uri", "@authority", "@scheme", "@request-target", "@path", "@query"];

/// A signature that is good for longer is nearly a password.
const LONGEST: TimeSpan = TimeSpan::from_secs(3600);

/// Plans the policy that is written at `path`.
pub(crate) fn plan(
    document: &Document,
    path: &Path,
    config: &HmacAuthConfig,
    consumers: &Arc<Consumers>,
    findings: &mut Vec<Finding>,
) -> PolicyPlan {
    let at = |key: &str| document.span_at(&path.key(key));
    let kong = config.schemes.contains(&HmacScheme::Hmac);
    if config.schemes.is_empty() {
        let finding = Finding::error("no-scheme", "no scheme of signatures is accepted").at(at("schemes"));
        findings.push(finding.help("name `hmac` or `messages`"));
    }
    if kong && config.algorithms.is_empty() {
        let finding = Finding::error("no-algorithm", "no algorithm is accepted").at(at("algorithms"));
        findings.push(finding.help("name `hmac-sha256`"));
    }
    idle(document, path, config, findings);
    let loose = loose(config);
    if !loose.is_empty() {
        // One finding, however much of it was asked for: whoever needs Kong's ways needs all of them.
        let message = format!("signatures are weak: {}", loose.join("; "));
        let finding = Finding::warning("weak-signatures", message).at(document.key_span_at(path));
        findings
            .push(finding.help("leave these options out once no client needs them: the defaults are strict"));
    }
    for (index, name) in config.enforce_headers.iter().enumerate() {
        let place = path.key("enforce_headers").index(index);
        if kong {
            not_as_signed(document, &place, name, findings);
        }
        if !matches!(name.as_str(), "@request-target" | "request-line") {
            text::token(document, &place, name, "a field", findings);
        }
    }
    if kong && config.signed_date && config.clock_skew.is_zero() {
        let finding = Finding::error("no-time", "no date could be near enough").at(at("clock_skew"));
        findings.push(finding.help("write a length of time such as `5m`"));
    }
    components(document, path, config, findings);
    if kong && config.replay == Replay::Refuse && !config.signed_date {
        let message = "with another date a signature that was used comes again once it is forgotten";
        let finding = Finding::error("replay-of-unsigned-date", message).at(at("signed_date"));
        findings.push(finding.help("leave `signed_date` out, or accept `schemes: [messages]` alone"));
    }
    remembers(document, path, config.replay, config.remember, findings);
    text::quotable(document, &path.key("realm"), &config.realm, "a realm", findings);
    super::authentication::needs_consumers(document, path, consumers, findings);
    let plan = HmacAuthPlan { config: config.clone(), consumers: Arc::clone(consumers) };
    PolicyPlan::Authentication(AuthenticationPlan::HmacAuth(Arc::new(plan)))
}

/// What has to be covered by a message signature.
fn components(document: &Document, path: &Path, config: &HmacAuthConfig, findings: &mut Vec<Finding>) {
    let components = path.key("messages").key("components");
    for (index, name) in config.messages.components.iter().enumerate() {
        let place = components.index(index);
        match name.strip_prefix('@') {
            Some(_) if DERIVED.contains(&name.as_str()) => {}
            Some(_) => {
                let finding = Finding::error("unknown-component", "this is not a component of requests");
                let help = format!("one of {}, or a field in lower case", DERIVED.join(", "));
                findings.push(finding.at(document.span_at(&place)).help(help));
            }
            None if name.chars().any(|one| one.is_ascii_uppercase()) => {
                let finding = Finding::error("unknown-component", "components are written in lower case");
                let help = format!("write `{}`", name.to_ascii_lowercase());
                findings.push(finding.at(document.span_at(&place)).help(help));
            }
            None => {
                text::token(document, &place, name, "a component", findings);
                if config.schemes.contains(&HmacScheme::Messages) {
                    not_as_signed(document, &place, name, findings);
                }
            }
        }
    }
}

/// Options of a scheme that is off.
fn idle(document: &Document, path: &Path, config: &HmacAuthConfig, findings: &mut Vec<Finding>) {
    let (of_kong, why) = (["algorithms", "enforce_headers", "signed_date"], "`schemes` does not name `hmac`");
    if !config.schemes.contains(&HmacScheme::Hmac) {
        text::says_nothing(document, path, &of_kong, why, findings);
    }
    if !config.schemes.contains(&HmacScheme::Messages) {
        let why = "`schemes` does not name `messages`";
        text::says_nothing(document, path, &["messages"], why, findings);
    }
}

/// Reports a field that the gateway has removed or set itself before signatures are looked at.
fn not_as_signed(document: &Document, path: &Path, name: &str, findings: &mut Vec<Finding>) {
    if text::is_of_connection(name) || reserved::is_believed(name) {
        let message = format!("`{name}` is not what was signed: the gateway removes it or sets it itself");
        let finding = Finding::warning("removed-field", message).at(document.span_at(path));
        findings.push(finding.help("leave it out: nobody could pass, but who comes by a trusted proxy"));
    }
}

/// What makes signatures weak.
fn loose(config: &HmacAuthConfig) -> Vec<String> {
    let mut loose = Vec::new();
    if config.schemes.contains(&HmacScheme::Hmac) {
        let enforces = |names: &[&str]| {
            let wanted = |name: &String| names.iter().any(|wanted| name.eq_ignore_ascii_case(wanted));
            config.enforce_headers.iter().any(wanted)
        };
        if config.algorithms.contains(&MacAlgorithm::Sha1) {
            loose.push("SHA-1 is accepted".to_owned());
        }
        if !config.signed_date && !enforces(&["date", "x-date"]) {
            loose.push("the date need not be signed, so that one is good for ever".to_owned());
        }
        if !enforces(&["request-line", "@request-target"]) {
            loose.push("the target need not be signed, so that one is good for every path".to_owned());
        }
        if config.clock_skew > LONGEST {
            loose.push(format!("`clock_skew` has one be good for {} around its date", config.clock_skew));
        }
    }
    if config.schemes.contains(&HmacScheme::Messages) {
        let covers = |names: &[&str]| {
            config.messages.components.iter().any(|component| names.contains(&component.as_str()))
        };
        if !covers(&["@path", "@request-target", "@target-uri"]) {
            loose.push("`components` has no path, so that one is good for every path".to_owned());
        }
        if config.messages.max_age > LONGEST {
            loose.push(format!("`max_age` has one be good for {}", config.messages.max_age));
        }
    }
    loose
}

/// Reports a memory of signatures that holds none.
pub(super) fn remembers(
    document: &Document,
    path: &Path,
    replay: Replay,
    remember: u32,
    findings: &mut Vec<Finding>,
) {
    if replay == Replay::Refuse && remember == 0 {
        let finding = Finding::error("no-memory", "no signature could be remembered: nobody could pass");
        let finding = finding.at(document.span_at(&path.key("remember")));
        findings.push(finding.help("write how many requests come while a signature is current"));
    }
}
