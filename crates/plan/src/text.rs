//! Names and values that will stand in messages: checked here, so that nothing later can break a line.

use std::collections::BTreeMap;
use std::sync::Arc;
use torana_config::{Document, Finding, Path};

/// Whether the text is a token (RFC 9110 section 5.6.2).
pub(crate) fn is_token(text: &str) -> bool {
    let special = |byte| b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || special(byte))
}

/// Fields that say where a message ends, who answers or how the connection goes on.
const FRAMING: [&str; 9] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether a field is about one connection alone (RFC 9110 section 7.6.1), and so gone behind a gateway; `Trailer` goes on.
pub(crate) fn is_of_connection(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    FRAMING.contains(&lower.as_str()) && !matches!(lower.as_str(), "host" | "content-length" | "trailer")
}

/// Reports those of the keys under `path` that were written though they say nothing there.
pub(crate) fn says_nothing(
    document: &Document,
    path: &Path,
    keys: &[&str],
    why: &str,
    findings: &mut Vec<Finding>,
) {
    for place in keys.iter().map(|key| path.key(key)).filter(|place| document.has(place)) {
        let finding = Finding::warning("says-nothing", format!("this says nothing: {why}"));
        findings.push(finding.at(document.key_span_at(&place)).help("leave it out"));
    }
}

/// What is wrong with a method that a request should have, and what to write instead.
pub(crate) fn method_problem(method: &str) -> Option<(&'static str, Option<String>)> {
    let upper = method.to_ascii_uppercase();
    if !is_token(method) {
        Some(("this is not a method", None))
    } else if upper == "CONNECT" {
        Some(("tunnels (CONNECT) are not for a gateway", None))
    } else if *method != upper {
        Some(("methods are case-sensitive (RFC 9110 section 9.1)", Some(format!("write `{upper}`"))))
    } else {
        None
    }
}

/// Reports text that is not a token.
pub(crate) fn token(document: &Document, path: &Path, text: &str, what: &str, findings: &mut Vec<Finding>) {
    if !is_token(text) {
        let finding =
            Finding::error("bad-name", format!("{what} consists of letters, digits and `-._~` alone"));
        findings.push(finding.at(document.span_at(path)));
    }
}

/// Reports a name that no field may have that configuration sets.
pub(crate) fn field_name(document: &Document, path: &Path, name: &str, findings: &mut Vec<Finding>) {
    if FRAMING.contains(&name.to_ascii_lowercase().as_str()) {
        let message = "the gateway itself decides about this field";
        findings.push(
            Finding::error("reserved-field", message).at(document.span_at(path)).help("choose another name"),
        );
        return;
    }
    token(document, path, name, "the name of a field", findings);
}

/// Reports a value that no field may have (RFC 9110 section 5.5).
pub(crate) fn field_value(document: &Document, path: &Path, value: &str, findings: &mut Vec<Finding>) {
    let visible = |byte: u8| byte == b'\t' || (byte >= b' ' && byte != 0x7f);
    if !value.bytes().all(visible) {
        let message = "the value of a field holds no line breaks and no control characters";
        findings.push(Finding::error("bad-value", message).at(document.span_at(path)));
    }
}

/// Reports a status that no body goes with, for an answer that has one.
pub(crate) fn no_body(document: &Document, path: &Path, status: u16, findings: &mut Vec<Finding>) {
    if matches!(status, 204 | 205 | 304) {
        let message = format!("a response with status {status} has no body (RFC 9110 section 15)");
        findings.push(Finding::error("body-not-allowed", message).at(document.key_span_at(path)));
    }
}

/// Reports text that cannot stand between quotes in a challenge (RFC 9110 section 5.6.4).
pub(crate) fn quotable(
    document: &Document,
    path: &Path,
    text: &str,
    what: &str,
    findings: &mut Vec<Finding>,
) {
    let plain = |character: char| character.is_ascii_graphic() || character == ' ';
    if !text.chars().all(|character| plain(character) && !matches!(character, '"' | '\\')) {
        let message = format!("{what} holds no quotes, backslashes or control characters");
        findings.push(Finding::error("bad-value", message).at(document.span_at(path)));
    }
}

/// Reports names that no field may have, and those that are there twice, among those that claims go to under a policy at
/// `path`. The latter may be meant: people's tokens have the one claim, and those of machines the other.
pub(crate) fn claim_fields(
    document: &Document,
    path: &Path,
    written: &BTreeMap<String, String>,
    findings: &mut Vec<Finding>,
) {
    let place = |claim: &String| path.key("claims_to_headers").key(claim);
    for (index, (claim, field)) in written.iter().enumerate() {
        field_name(document, &place(claim), field, findings);
        if let Some((before, _)) = written.iter().take(index).find(|(_, one)| one.eq_ignore_ascii_case(field))
        {
            let message = format!(
                "`{field}` carries another claim too: of who has both, the service would be told this one alone"
            );
            let finding = Finding::warning("duplicate-field", message).at(document.span_at(&place(claim)));
            findings.push(finding.related("the other", Some(document.span_at(&place(before)))));
        }
    }
}

/// Claims and the fields that they go to, whose names are shared by all that is verified.
pub(crate) fn shared_fields(written: &BTreeMap<String, String>) -> Vec<(String, Arc<str>)> {
    written.iter().map(|(claim, field)| (claim.clone(), field.as_str().into())).collect()
}
