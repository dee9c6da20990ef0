//! Names of certificates that no certificate can have. One finding at the first, so that a million are told as shortly.

use std::fmt::Write;
use torana_certificate::{NameProblem, distinguished_name};
use torana_config::written::ConsumerConfig;
use torana_config::{Finding, Span};

/// How many there are, and the first.
#[derive(Debug, Default)]
pub(super) struct Unreadable {
    count: usize,
    first: Option<(&'static str, NameProblem, Span)>,
}

impl Unreadable {
    /// Looks at a consumer; `place` says where a key of one of its certificates stands.
    pub(super) fn look(&mut self, consumer: &ConsumerConfig, place: impl Fn(usize, &'static str) -> Span) {
        for (index, certificate) in consumer.certificates.iter().enumerate() {
            for (key, name) in [("subject", &certificate.subject), ("issuer", &certificate.issuer)] {
                let written = name.as_deref().filter(|name| !name.is_empty());
                if let Some(Err(problem)) = written.map(distinguished_name) {
                    self.count = self.count.saturating_add(1);
                    self.first.get_or_insert_with(|| (key, problem, place(index, key)));
                }
            }
        }
    }

    /// A warning.
    pub(super) fn finding(self) -> Option<Finding> {
        let (key, problem, first) = self.first?;
        let (mut message, help) = match problem {
            NameProblem::Unknown(kind) => (
                format!("`{kind}` is not known here: write its number, such as `2.5.4.97`"),
                "`openssl x509 -noout -subject -nameopt oneline,oid` shows the numbers",
            ),
            _ => (
                format!("this `{key}` is no name that a certificate could have"),
                "write it as `O=Example, CN=client-7`, in the order of the certificate: `openssl x509 -noout -subject`",
            ),
        };
        if self.count > 1 {
            let _ = write!(message, "; it is the first of {} names that cannot be read", self.count);
        }
        Some(Finding::warning("unreadable-name", message).at(first).help(help))
    }
}
