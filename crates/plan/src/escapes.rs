//! Escapes in patterns that no path has which is matched with them: what asks for one of these takes nothing.

use torana_config::written::EncodedSlashes;
use torana_config::{Document, Finding, Span};
use torana_route::{PathPattern, PatternEscape};

/// Reports those of a pattern that stands at `span`.
pub(crate) fn check(document: &Document, span: &Span, pattern: &PathPattern, findings: &mut Vec<Finding>) {
    let slashes_pass = document.config().paths.encoded_slashes == EncodedSlashes::Keep;
    let problems = pattern.escapes().into_iter().filter_map(|escape| problem(&escape, slashes_pass));
    findings
        .extend(problems.map(|(message, help)| {
            Finding::warning("unmatched-escape", message).at(span.clone()).help(help)
        }));
}

fn problem(escape: &PatternEscape, slashes_pass: bool) -> Option<(String, String)> {
    let written = &escape.written;
    match &escape.normal {
        None => Some((
            format!("nothing is matched with `{written}`: a request with it in its path is refused"),
            "take it out".into(),
        )),
        Some(_) if escape.is_slash() && !slashes_pass => Some((
            format!("nothing is matched with `{written}`: a request with it in its path is refused"),
            "take it out, or write `paths: { encoded_slashes: keep }` if it is data to every service".into(),
        )),
        Some(normal) if normal != written => Some((
            format!(
                "nothing is matched with `{written}`: paths are brought into one form before, and have `{normal}` \
                 in its place"
            ),
            format!("write `{normal}`"),
        )),
        Some(_) => None,
    }
}
