//! References in values: `${env:NAME}`, `${env:NAME:-default}`, `${file:path}`.
//!
//! The crate itself reads neither environment nor files; a [`Resolver`] is passed in. What a
//! reference stood for is never shown again, whatever the type of the field it went to.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::finding::Finding;
use crate::node::{Kind, Node, Origin, Scalar};
use crate::source::Source;

/// Why a reference has no value. The reason must not contain any content.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ResolveError {
    /// There is no such variable or file.
    #[error("it does not exist")]
    Missing,
    /// It exists but cannot be read as text.
    #[error("it cannot be read: {reason}")]
    Unreadable {
        /// Why, without any of the content.
        reason: String,
    },
}

/// Gives the values of references.
pub trait Resolver {
    /// The value of an environment variable.
    ///
    /// # Errors
    /// When it is not set or is not Unicode.
    fn environment(&self, name: &str) -> Result<String, ResolveError>;

    /// The whole text of a file. A relative path is meant from the configuration file's folder.
    ///
    /// # Errors
    /// When it does not exist or cannot be read as text.
    fn file(&self, path: &str) -> Result<String, ResolveError>;

    /// The same for a file that may be much larger than a configuration.
    ///
    /// # Errors
    /// As above.
    fn large_file(&self, path: &str) -> Result<String, ResolveError> {
        self.file(path)
    }
}

/// A resolver that knows a fixed set of values; the empty one knows none. For tests and embedding.
#[derive(Clone, Default)]
pub struct FixedResolver {
    environment: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
}

impl FixedResolver {
    /// Adds an environment variable.
    #[must_use]
    pub fn with_environment(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Adds a file.
    #[must_use]
    pub fn with_file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.to_owned(), text.to_owned());
        self
    }
}

impl Resolver for FixedResolver {
    fn environment(&self, name: &str) -> Result<String, ResolveError> {
        self.environment.get(name).cloned().ok_or(ResolveError::Missing)
    }

    fn file(&self, path: &str) -> Result<String, ResolveError> {
        self.files.get(path).cloned().ok_or(ResolveError::Missing)
    }
}

/// Replaces the references in every scalar of the tree. Keys are left as they are.
pub(crate) fn resolve(
    node: &mut Node,
    source: &Source,
    resolver: &dyn Resolver,
    findings: &mut Vec<Finding>,
) {
    match &mut node.kind {
        Kind::Sequence(items) => items.iter_mut().for_each(|item| resolve(item, source, resolver, findings)),
        Kind::Mapping(entries) => {
            entries.iter_mut().for_each(|entry| resolve(&mut entry.value, source, resolver, findings));
        }
        Kind::Scalar(scalar) if scalar.text.contains("${") => {
            let span = source.span(node.span.clone());
            match expand(&scalar.text, resolver) {
                Ok(Expanded { text, references: 0, .. }) => scalar.text = text,
                Ok(Expanded { text, whole, .. }) => {
                    let written = std::mem::replace(&mut scalar.text, text);
                    scalar.origin = Origin::Reference { written, whole };
                }
                Err(failure) => {
                    findings.push(Finding::error("reference", failure.message).at(span).help(failure.help));
                    let written = std::mem::take(&mut scalar.text);
                    *scalar =
                        Scalar { text: String::new(), plain: false, origin: Origin::Unresolved { written } };
                }
            }
        }
        Kind::Scalar(_) => {}
    }
}

struct Expanded {
    text: String,
    references: usize,
    /// Nothing stands outside references, and none has a default.
    whole: bool,
}

struct Failure {
    message: String,
    help: String,
}

fn expand(written: &str, resolver: &dyn Resolver) -> Result<Expanded, Failure> {
    let mut expanded = Expanded { text: String::with_capacity(written.len()), references: 0, whole: true };
    let mut rest = written;
    while let Some((before, after)) = rest.split_once("${") {
        expanded.whole &= before.is_empty();
        if let Some(escaped) = before.strip_suffix('$') {
            expanded.text.push_str(escaped);
            expanded.text.push_str("${");
            rest = after;
            continue;
        }
        expanded.text.push_str(before);
        let (reference, after) = after.split_once('}').ok_or_else(|| Failure {
            message: "a reference begins with `${` but has no `}`".into(),
            help: "write `$${` where the two characters are meant as they are".into(),
        })?;
        expanded.whole &= !reference.contains(":-");
        expanded.text.push_str(&value(reference, resolver)?);
        expanded.references = expanded.references.saturating_add(1);
        rest = after;
    }
    expanded.whole &= rest.is_empty();
    expanded.text.push_str(rest);
    Ok(expanded)
}

fn value(reference: &str, resolver: &dyn Resolver) -> Result<String, Failure> {
    if let Some(name) = reference.strip_prefix("env:") {
        let (name, default) =
            name.split_once(":-").map_or((name, None), |(name, default)| (name, Some(default)));
        return match (resolver.environment(name), default) {
            (Ok(value), None) => Ok(value),
            // As in a shell, `:-` also stands in for a variable that is set to nothing.
            (Ok(value), Some(_)) if !value.is_empty() => Ok(value),
            (Ok(_) | Err(ResolveError::Missing), Some(default)) => Ok(default.to_owned()),
            (Err(ResolveError::Missing), None) => Err(Failure {
                message: format!("the environment variable `{name}` is not set"),
                help: format!("set it, or write `${{env:{name}:-default}}`"),
            }),
            (Err(error), _) => Err(Failure {
                message: format!("the environment variable `{name}` has no value: {error}"),
                help: "set it to text".into(),
            }),
        };
    }
    if let Some(path) = reference.strip_prefix("file:") {
        let text = resolver.file(path).map_err(|error| Failure {
            message: format!("the file `{path}` gives no value: {error}"),
            help: "a relative path is meant from the folder of this file".into(),
        })?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        return Ok(line.strip_suffix('\r').unwrap_or(line).to_owned());
    }
    Err(Failure {
        message: "there is no such kind of reference".into(),
        help: "references are `${env:NAME}`, `${env:NAME:-default}` and `${file:path}`; write `$${` for the characters themselves".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(written: &str) -> Result<(String, bool), String> {
        let resolver = FixedResolver::default()
            .with_environment("NAME", "value")
            .with_environment("EMPTY", "")
            .with_file("/run/key", "from file\r\n");
        expand(written, &resolver).map(|done| (done.text, done.whole)).map_err(|failure| failure.message)
    }

    #[test]
    fn replaces_references_wherever_they_stand() {
        assert_eq!(expanded("${env:NAME}"), Ok(("value".into(), true)));
        assert_eq!(expanded("a-${env:NAME}-b"), Ok(("a-value-b".into(), false)));
        assert_eq!(expanded("${file:/run/key}"), Ok(("from file".into(), true)));
        assert_eq!(expanded("${env:NONE:-other}"), Ok(("other".into(), false)));
        assert_eq!(expanded("${env:EMPTY:-other}"), Ok(("other".into(), false)));
        assert_eq!(expanded("${env:NAME:-other}"), Ok(("value".into(), false)));
        assert_eq!(expanded("$${env:NAME}"), Ok(("${env:NAME}".into(), false)));
    }

    #[test]
    fn says_what_is_missing() {
        assert!(expanded("${env:NONE}").unwrap_err().contains("`NONE` is not set"));
        assert!(expanded("${file:/none}").unwrap_err().contains("does not exist"));
        assert!(expanded("${env:NAME").unwrap_err().contains("no `}`"));
        assert!(expanded("${vault:x}").unwrap_err().contains("no such kind"));
    }
}
