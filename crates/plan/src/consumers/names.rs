//! Names of certificates that no certificate can have. One finding at the first, so that a million are told as shortly.

use torana_certificate::distinguished_name;
use torana_config::written::ConsumerConfig;
use torana_config::{Finding, Span};

/// How many there are, and the first.
#[derive(Debug, Default)]
pub(super) struct Unreadable {
    count: usize,
    first: Option<(&'static str, Span)>,
}

impl Unreadable {
    /// Looks at a consumer; `place` says where a key of one of its certificates stands.
    pub(super) fn look(&mut self, consumer: &ConsumerConfig, place: impl Fn(usize, &'static str) -> Span) {
        for (index, certificate) in consumer.certificates.iter().enumerate() {
            for (key, name) in [("subject", &certificate.subject), ("issuer", &certificate.issuer)] {
                if name.as_deref().is_some_and(|name| !name.is_empty() && distinguished_name(name).is_none())
                {
                    self.count = self.count.saturating_add(1);
                    self.first.get_or_insert_with(|| (key, place(index, key)));
                }
            }
        }
    }

    /// A warning.
    pub(super) fn finding(self) -> Option<Finding> {
        let (key, first) = self.first?;
        let message = match self.count {
            1 => format!("this `{key}` is no name that a certificate could have"),
            count => format!(
                "{count} names of certificates are none that a certificate could have; this `{key}` is the first"
            ),
        };
        let help = "write it as `O=Example, CN=client-7`, in the order of the certificate: `openssl x509 -noout -subject`";
        Some(Finding::warning("unreadable-name", message).at(first).help(help))
    }
}
