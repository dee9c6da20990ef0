//! Places that decide who calls, and that are asked without TLS.

use torana_config::{Document, Finding, Path};
use torana_types::{EndpointUrl, ResourceUrl};

/// Whether it is on this machine, so that nobody is between.
pub(super) fn is_local(url: &EndpointUrl) -> bool {
    let name = url.host();
    let loopback = url.ip().is_some_and(|address| address.to_canonical().is_loopback());
    loopback || name == "localhost" || name.ends_with(".localhost")
}

/// Warns of a URL at `path` that is asked without TLS; `who` says what somebody on the way could do.
pub(super) fn check(
    document: &Document,
    path: &Path,
    url: &ResourceUrl,
    (code, who): (&'static str, &str),
    findings: &mut Vec<Finding>,
) {
    let origin = url.origin();
    if !origin.is_secure() && !is_local(origin) {
        let finding = Finding::warning(code, format!("it is asked without TLS: who is between {who}"));
        findings.push(finding.at(document.span_at(path)).help("write `https://`"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_between_on_the_same_machine() {
        for (url, local) in [
            ("http://127.0.0.1:9100", true),
            ("http://127.8.0.1", true),
            ("http://[::1]:80", true),
            ("http://[::ffff:127.0.0.1]", true),
            ("http://LOCALHOST", true),
            ("http://idp.localhost", true),
            ("http://10.0.0.1", false),
            ("http://localhost.test", false),
            ("http://127.0.0.1.test", false),
        ] {
            assert_eq!(is_local(&url.parse().unwrap()), local, "{url}");
        }
    }
}
