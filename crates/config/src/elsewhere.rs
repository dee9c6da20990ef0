//! Words of other gateways, and what is written here in their place.

use crate::finding::Finding;
use crate::node::Node;
use crate::shape::Field;
use crate::source::Source;

/// A word of another gateway, the key that stands for it here, and how.
const KEYS: &[(&str, &str, &str)] = &[
    ("strip_path", "strip_prefix", "`strip_prefix: /api` takes the prefix `/api` off the path"),
    ("plugins", "policies", "`policies` are a mapping of each by its name"),
    ("upstreams", "services", "an upstream is a service with several `endpoints`"),
    ("targets", "endpoints", "write `endpoints: [\"http://host:port\"]`"),
    ("url", "endpoints", "write `endpoints: [\"http://host:port\"]`"),
    ("proxy_pass", "service", "write `service: NAME`, and the service under `services`"),
];

/// Keys with which files of Kong begin (decK).
const OF_KONG: [&str; 2] = ["_format_version", "_transform"];

/// The key that is meant by a word of another gateway where these keys are known, and what to write.
pub(crate) fn key(word: &str, fields: &[Field]) -> Option<(&'static str, &'static str)> {
    let (_, here, help) = KEYS.iter().find(|(elsewhere, ..)| *elsewhere == word)?;
    fields.iter().any(|field| field.name == *here).then_some((*here, *help))
}

/// That a whole file is one of another gateway: then nothing else need be said of it.
pub(crate) fn file(root: &Node, source: &Source) -> Option<Finding> {
    let entry = OF_KONG.iter().find_map(|key| root.entry(key))?;
    let message = "this looks like a file of Kong, which is not read";
    let finding = Finding::error("foreign-file", message).at(source.span(entry.key_span.clone()));
    Some(finding.help("docs/migrating.md says what each part of it is called here"))
}
