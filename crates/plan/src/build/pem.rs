//! Certificates and keys that a configuration names: read, and judged at this moment.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use torana_certificate::{
    Certificate, CertifiedPair, Problem, Purpose, authorities, certificates, private_key,
};
use torana_config::written::CertificateConfig;
use torana_config::{Document, Finding, Path, Resolver, Severity};

/// Reads PEM and reports about it, with the place in the configuration and the line in the file.
pub(crate) struct Reader<'a> {
    pub(crate) document: &'a Document,
    pub(crate) resolver: &'a dyn Resolver,
    pub(crate) findings: &'a mut Vec<Finding>,
}

impl Reader<'_> {
    /// A certificate with its key, when both are good, to be shown as that.
    pub(crate) fn pair(
        &mut self,
        path: &Path,
        config: &CertificateConfig,
        purpose: Purpose,
    ) -> Option<Arc<CertifiedPair>> {
        let chain = self.text(&path.key("cert"), &config.cert).and_then(|text| {
            let read = certificates(&text).map_err(|error| error.to_string());
            self.sound(&path.key("cert"), &config.cert, "bad-certificate", read)
        });
        let key = self.text(&path.key("key"), &config.key).and_then(|text| {
            let read = private_key(&text).map_err(|error| error.to_string());
            self.sound(&path.key("key"), &config.key, "bad-key", read)
        });
        match CertifiedPair::new(chain?, key?) {
            Ok(pair) => {
                for problem in pair.problems(purpose, now()) {
                    self.problem(&path.key("cert"), &config.cert, &problem, Severity::Warning);
                }
                Some(Arc::new(pair))
            }
            Err(problem) => {
                self.problem(&path.key("key"), &config.key, &problem, Severity::Error);
                None
            }
        }
    }

    /// The authorities of a file; empty when they cannot be read.
    pub(crate) fn authorities(&mut self, path: &Path, written: &str) -> Vec<Certificate> {
        self.authorities_with_text(path, written).map(|(authorities, _)| authorities).unwrap_or_default()
    }

    /// The text of a file of authorities, when they can be used.
    pub(crate) fn authority_text(&mut self, path: &Path, written: &str) -> Option<String> {
        self.authorities_with_text(path, written).map(|(_, text)| text)
    }

    fn authorities_with_text(&mut self, path: &Path, written: &str) -> Option<(Vec<Certificate>, String)> {
        let text = self.text(path, written)?;
        let read = authorities(&text, now()).map_err(|error| error.to_string());
        let (authorities, problems) = self.sound(path, written, "bad-certificate", read)?;
        for problem in problems {
            self.problem(path, written, &problem, Severity::Warning);
        }
        Some((authorities, text))
    }

    /// The text itself, where it was written or referred to, else that of the file.
    fn text(&mut self, path: &Path, written: &str) -> Option<String> {
        if is_pem(written) {
            return Some(written.to_owned());
        }
        self.resolver
            .file(written)
            .map_err(|error| {
                let finding =
                    Finding::error("unreadable-file", format!("the file `{}`: {error}", shown(written)));
                let help = "a relative path is meant from the folder of this file";
                self.findings.push(finding.at(self.document.span_at(path)).help(help));
            })
            .ok()
    }

    fn sound<T>(
        &mut self,
        path: &Path,
        written: &str,
        code: &'static str,
        read: Result<T, String>,
    ) -> Option<T> {
        read.map_err(|error| {
            let finding = Finding::error(code, format!("{}: {error}", source(written)));
            let help = match code {
                "bad-key" => "the key goes here: PEM, unencrypted, in PKCS #8, PKCS #1 or SEC 1",
                _ => "certificates go here: PEM, the certificate itself first",
            };
            self.findings.push(finding.at(self.document.span_at(path)).help(help));
        })
        .ok()
    }

    fn problem(&mut self, path: &Path, written: &str, problem: &Problem, severity: Severity) {
        let message = format!("{}: {problem}", source(written));
        let finding = match severity {
            Severity::Error => Finding::error(problem.code(), message),
            _ => Finding::warning(problem.code(), message),
        };
        self.findings.push(finding.at(self.document.span_at(path)).help(problem.help()));
    }
}

fn is_pem(written: &str) -> bool {
    written.contains("-----BEGIN")
}

/// How messages call what was read.
fn source(written: &str) -> String {
    if is_pem(written) { "the text".into() } else { format!("`{}`", shown(written)) }
}

fn shown(path: &str) -> String {
    path.chars().filter(|character| !character.is_control()).take(120).collect()
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}
