//! Balancing: defaults, and what does not fit together.

use torana_config::written::{
    Balance, BalanceConfig, BalanceForm, EndpointForm, HashKeyConfig, HashKeyForm, HashTable, HashWord,
    OneOrMany, ServiceConfig, StickyConfig,
};
use torana_config::{Document, Finding, Path};

use crate::balance::{BalanceAlgorithm, BalancePlan, HashKeyPlan, StickyPlan, ZonePlan};
use crate::text;

/// Shorter secrets can be guessed.
const SHORTEST_SECRET: usize = 32;

pub(super) fn balance(
    document: &Document,
    path: &Path,
    config: &ServiceConfig,
    findings: &mut Vec<Finding>,
) -> BalancePlan {
    let path = path.key("balance");
    let plain = |by| BalanceConfig { by, ..BalanceConfig::default() };
    let written = match &config.balance {
        None => plain(None),
        Some(BalanceForm::Word(word)) => plain(Some(*word)),
        Some(BalanceForm::Full(full)) => (**full).clone(),
    };
    let keys = written.hash.as_ref().map(|hash| keys(document, &path.key("hash"), hash, findings));
    let algorithm = match (&keys, written.by) {
        (Some(_), None) => match written.table.unwrap_or_default() {
            HashTable::Ring => BalanceAlgorithm::Ring,
            HashTable::Maglev => BalanceAlgorithm::Maglev,
        },
        (Some(_), Some(by)) => {
            let finding =
                Finding::error("balance", "an endpoint is chosen either `by` an algorithm or by `hash`");
            findings.push(finding.at(document.key_span_at(&path.key("by"))));
            BalanceAlgorithm::By(by)
        }
        (None, by) => BalanceAlgorithm::By(by.unwrap_or_else(|| default(config))),
    };
    if keys.is_none() && written.table.is_some() {
        let finding = Finding::error("balance", "`table` has no meaning without `hash`");
        findings.push(finding.at(document.key_span_at(&path.key("table"))));
    }
    ignored(document, &path, config, algorithm, findings);
    let zone = written
        .zone
        .as_ref()
        .and_then(|zone| Some(ZonePlan { own: zone.own.on()?.clone(), at_least: zone.at_least }));
    if let Some(zone) = &zone
        && !config.endpoints.iter().any(|endpoint| endpoint.zone() == Some(&*zone.own))
    {
        let finding = Finding::warning("zone", "no endpoint of the service is in this zone");
        findings.push(finding.at(document.span_at(&path.key("zone").key("own"))));
    }
    BalancePlan {
        algorithm,
        keys: keys.unwrap_or_default(),
        sticky: written
            .sticky
            .as_ref()
            .map(|sticky| self::sticky(document, &path.key("sticky"), sticky, findings)),
        zone,
    }
}

fn default(config: &ServiceConfig) -> Balance {
    let written =
        |endpoint: &EndpointForm| matches!(endpoint, EndpointForm::Full(full) if full.weight.is_some());
    if config.endpoints.iter().any(written) { Balance::Weighted } else { Balance::RoundRobin }
}

fn ignored(
    document: &Document,
    path: &Path,
    config: &ServiceConfig,
    algorithm: BalanceAlgorithm,
    findings: &mut Vec<Finding>,
) {
    let shares = config.endpoints.iter().any(|endpoint| endpoint.weight() > 1);
    if algorithm == BalanceAlgorithm::By(Balance::RoundRobin) && shares {
        let finding = Finding::warning("weights-ignored", "`round_robin` does not look at the weights")
            .at(document.span_at(path));
        findings.push(finding.help("write `weighted`"));
    }
}

/// Plans a list of what counts of a request.
pub(in crate::build) fn keys(
    document: &Document,
    path: &Path,
    written: &OneOrMany<HashKeyForm>,
    findings: &mut Vec<Finding>,
) -> Vec<HashKeyPlan> {
    let at = |index: usize| match written {
        OneOrMany::One(_) => path.clone(),
        OneOrMany::Many(_) => path.index(index),
    };
    let forms = written.as_slice().iter().enumerate();
    let keys: Vec<HashKeyPlan> =
        forms.filter_map(|(index, form)| key(document, &at(index), form, findings)).collect();
    let every = |key: &HashKeyPlan| {
        matches!(key, HashKeyPlan::Address | HashKeyPlan::Path | HashKeyPlan::Cookie { .. })
    };
    if let Some(index) = keys.iter().position(every).filter(|index| index.saturating_add(1) < keys.len()) {
        let finding = Finding::warning("hash", "every request has this, so what follows is never looked at");
        findings.push(finding.at(document.span_at(&at(index))));
    }
    keys
}

fn key(
    document: &Document,
    path: &Path,
    form: &HashKeyForm,
    findings: &mut Vec<Finding>,
) -> Option<HashKeyPlan> {
    let config = match form {
        HashKeyForm::Word(HashWord::Address) => return Some(HashKeyPlan::Address),
        HashKeyForm::Word(HashWord::Consumer) => return Some(HashKeyPlan::Consumer),
        HashKeyForm::Word(HashWord::Path) => return Some(HashKeyPlan::Path),
        HashKeyForm::Full(config) => config,
    };
    let HashKeyConfig { header, cookie, cookie_path, argument, segment } = config.clone();
    if let Some(name) = &header {
        text::field_name(document, &path.key("header"), name, findings);
    }
    if let Some(name) = &cookie {
        text::token(document, &path.key("cookie"), name, "the name of a cookie", findings);
    }
    if let Some(text) = &cookie_path {
        cookie_path_is_valid(document, &path.key("cookie_path"), text, findings);
    }
    let cookie_path = cookie_path.unwrap_or_else(|| "/".into());
    let all = [
        header.map(HashKeyPlan::Header),
        cookie.map(|name| HashKeyPlan::Cookie { name, path: cookie_path }),
        argument.map(HashKeyPlan::Argument),
        segment.filter(|number| *number > 0).map(HashKeyPlan::Segment),
    ];
    let mut given = all.into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(key), None) => Some(key),
        _ => {
            let message = "exactly one of `header`, `cookie`, `argument` and `segment` (from 1) is given";
            findings.push(Finding::error("hash", message).at(document.span_at(path)));
            None
        }
    }
}

fn sticky(
    document: &Document,
    path: &Path,
    config: &StickyConfig,
    findings: &mut Vec<Finding>,
) -> StickyPlan {
    text::token(document, &path.key("cookie"), &config.cookie, "the name of a cookie", findings);
    cookie_path_is_valid(document, &path.key("path"), &config.path, findings);
    if config.secret.expose().len() < SHORTEST_SECRET {
        let finding = Finding::error("short-secret", "the secret is shorter than 32 bytes");
        findings.push(finding.at(document.span_at(&path.key("secret"))));
    }
    StickyPlan {
        cookie: config.cookie.clone(),
        secret: config.secret.clone(),
        keep: config.keep,
        path: config.path.clone(),
    }
}

/// RFC 6265 section 4.1.1: no control characters and no `;`.
fn cookie_path_is_valid(document: &Document, path: &Path, text: &str, findings: &mut Vec<Finding>) {
    if !text.starts_with('/') || !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';') {
        let finding = Finding::error("bad-path", "the path of a cookie begins with `/` and has no `;`");
        findings.push(finding.at(document.span_at(path)));
    }
}
