//! Whether tokens end: what their times are held against, and what they must say.

use torana_config::written::{JwtConfig, TokenTime};
use torana_config::{Document, Finding, Path};
use torana_types::TimeSpan;

/// Clocks that are looked after differ by less.
const LONG: TimeSpan = TimeSpan::from_secs(300);
/// With more, no time in a token means anything.
const LONGEST: TimeSpan = TimeSpan::from_secs(86_400);

/// Claims that a token must have: `exp`, unless something else was asked for or it ends anyway.
pub(super) fn required_claims(config: &JwtConfig) -> Vec<String> {
    let otherwise = config.max_age.is_some() || config.unchecked_times.contains(&TokenTime::Exp);
    let default = || if otherwise { Vec::new() } else { vec!["exp".to_owned()] };
    config.required_claims.clone().unwrap_or_else(default)
}

/// What is not compared cannot be bounded, and tokens that never end are worth a word.
pub(super) fn judge(document: &Document, path: &Path, config: &JwtConfig, findings: &mut Vec<Finding>) {
    leeway(document, path, config.leeway, findings);
    let place = |key: &str| document.span_at(&path.key(key));
    let has = |time| config.unchecked_times.contains(&time);
    if config.max_lifetime.is_some_and(TimeSpan::is_zero) {
        let finding = Finding::error("zero-deadline", "no token ends so soon: nobody could pass");
        findings.push(finding.at(place("max_lifetime")).help("write a length of time such as `1h`"));
    }
    let bounds = [
        (TokenTime::Exp, "max_lifetime", config.max_lifetime.is_some()),
        (TokenTime::Iat, "max_age", config.max_age.is_some()),
    ];
    for (_, key, _) in bounds.into_iter().filter(|(time, _, bounded)| *bounded && has(*time)) {
        let message = format!("`{key}` compares a time that is not to be compared");
        findings.push(Finding::error("contradiction", message).at(place("unchecked_times")));
    }
    if config.max_age.is_some() {
        return;
    }
    if has(TokenTime::Exp) {
        let message = "tokens that have expired are accepted, and whoever finds one may use it for ever";
        findings.push(Finding::warning("tokens-never-end", message).at(place("unchecked_times")));
    } else if config.max_lifetime.is_none() && !required_claims(config).iter().any(|claim| claim == "exp") {
        let message = "a token without `exp` is accepted, and whoever finds one may use it for ever";
        let finding = Finding::warning("tokens-never-end", message).at(place("required_claims"));
        findings.push(finding.help("add `exp` to `required_claims`, or bound tokens by `max_age`"));
    }
}

/// A token that has ended is good for as long again as clocks may differ.
pub(in crate::policy) fn leeway(
    document: &Document,
    path: &Path,
    leeway: TimeSpan,
    findings: &mut Vec<Finding>,
) {
    if leeway <= LONG {
        return;
    }
    let place = document.span_at(&path.key("leeway"));
    let message = format!("a token is good for {leeway} after it has expired");
    let finding = if leeway > LONGEST {
        Finding::error("long-leeway", format!("{message}; it may be {LONGEST} at most"))
    } else {
        Finding::warning("long-leeway", message)
    };
    findings.push(finding.at(place).help("clocks that are set over the network differ by seconds: `30s`"));
}
