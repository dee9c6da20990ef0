//! Rules for one spelling of a path of which many services know another: written with the escape of what may stand as it is
//! (`/%40me`), or with capitals (`/Reports/*`). What is written so is meant so, and decides about that spelling alone; who
//! writes the other one gets by unless it is asked the same there.

use torana_config::{Document, Finding, Path};
use torana_route::{Outcome, Router, decoded, lower_case};

use super::{Asked, RulePlan};

/// Another spelling of a path.
struct Spelling {
    code: &'static str,
    of: fn(&[u8]) -> Option<Vec<u8>>,
    /// Who takes the two for one.
    by: &'static str,
    /// What a rule for the other spelling holds for.
    holds: &'static str,
}

const SPELLINGS: [Spelling; 2] = [
    Spelling { code: "rule-escaped", of: decoded, by: "many services", holds: "it holds for the escape too" },
    Spelling {
        code: "rule-capitals",
        of: lower_case,
        by: "services that ignore case",
        holds: "it holds for other cases too",
    },
];

impl Spelling {
    fn of_text(&self, text: &str) -> Option<String> {
        (self.of)(text.as_bytes()).map(|other| String::from_utf8_lossy(&other).into_owned())
    }
}

/// `path` is where the rules stand; `otherwise` is what is asked where none matches.
pub(super) fn check(
    document: &Document,
    path: &Path,
    rules: &[RulePlan],
    otherwise: &Asked,
    findings: &mut Vec<Finding>,
) {
    // Rules that cannot be told apart are a finding of their own.
    let Ok(router) = Router::build(rules.iter().map(RulePlan::spec).collect()) else { return };
    for rule in rules.iter().filter(|rule| !rule.path.as_str().starts_with('~')) {
        for spelling in &SPELLINGS {
            let Some(pattern) = spelling.of_text(rule.path.as_str()) else { continue };
            let Some(mut request) = rule.spec().example() else { continue };
            let Some(other) = spelling.of_text(&request.path) else { continue };
            request.path = other;
            let decides = match router.find(&request) {
                Outcome::Matched { route } => rules.get(route),
                Outcome::NotFound | Outcome::MethodNotAllowed { .. } => None,
            };
            // Whoever has written both has thought of it.
            let is_meant = decides.is_some_and(|other| other.path.as_str() == pattern);
            let asked = decides.map_or(otherwise, |other| &other.asked);
            if is_meant || *asked == rule.asked {
                continue;
            }
            let instead = match decides {
                Some(other) => format!("`{}` decides about that", other.text),
                None if *otherwise == Asked::default() => "no rule asks anything there".to_owned(),
                None => "no rule decides about that, and what is asked elsewhere holds".to_owned(),
            };
            let message = format!(
                "this rule is for that spelling alone: {} take `{}` for the same, and {instead}",
                spelling.by, request.path
            );
            let help = format!("write `{pattern}`: {}; or add a rule for it", spelling.holds);
            findings.push(
                Finding::warning(spelling.code, message)
                    .at(document.key_span_at(&path.key(&rule.text)))
                    .help(help),
            );
        }
    }
}
