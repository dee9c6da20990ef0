//! A configuration file after reading: the typed form, and the way back to every place in the text.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value};

use crate::check::{self, Checked};
use crate::elsewhere;
use crate::finding::{Finding, has_errors};
use crate::node::{Kind, Node, Origin};
use crate::path::{Path, Segment};
use crate::reference::{self, Resolver};
use crate::salvage::salvage;
use crate::shape;
use crate::source::{Source, Span};
use crate::written::Config;
use crate::yaml;

/// A file whose shape is right. Whether it makes sense as a whole is for the plan to say.
pub struct Document {
    config: Config,
    source: Source,
    root: Node,
    secrets: Vec<(std::ops::Range<usize>, bool)>,
    gaps: BTreeSet<usize>,
}

/// What reading a file gave.
#[derive(Debug)]
pub struct Parsed {
    /// The text, for rendering the findings.
    pub source: Source,
    /// The document; `None` exactly when a finding is an error.
    pub document: Option<Document>,
    /// What is left of a document with errors when they are taken out: to be looked at, never served.
    pub salvaged: Option<Document>,
    /// All findings, in the order of the file.
    pub findings: Vec<Finding>,
}

/// Reads a configuration file: YAML, references, shape, types.
///
/// `name` is what findings call the source, usually the path of the file.
#[must_use]
pub fn parse(name: &str, text: &str, resolver: &dyn Resolver) -> Parsed {
    let mut source = Source::new(name, text);
    let mut findings = Vec::new();
    let (mut document, mut salvaged) = (None, None);
    let mut root = yaml::read(&source, &mut findings);
    if let Some(foreign) = root.as_ref().and_then(|root| elsewhere::file(root, &source)) {
        findings = vec![foreign];
        root = None;
    }
    if let Some(mut root) = root {
        reference::resolve(&mut root, &source, resolver, &mut findings);
        let checked = check::check(&root, &shape::CONFIG, &source, &mut findings);
        for (range, _) in checked.secrets.iter().filter(|(_, whole)| !whole) {
            source.hide(range.clone());
        }
        if has_errors(&findings) {
            let left = salvage(&root, &shape::CONFIG, &source, &findings);
            salvaged = left.and_then(|left| {
                let document = typed(left.root, left.checked, &source)?;
                Some(Document { gaps: left.gaps, ..document })
            });
        } else {
            let place = source.span(root.span.clone());
            document = typed(root, checked, &source);
            if document.is_none() {
                // The shape was checked, so this only happens where a type asks for more than its schema
                // says. Its error may quote a value, and a value may have come from a reference: it is
                // not shown.
                let message = "the configuration does not have the form that its schema describes";
                findings.push(Finding::error("unreadable", message).at(place));
            }
        }
    }
    findings.sort_by_key(|finding| finding.span.as_ref().map(|span| span.start));
    Parsed { source, document, salvaged, findings }
}

fn typed(root: Node, checked: Checked, source: &Source) -> Option<Document> {
    let config = serde_json::from_value(checked.value?).ok()?;
    Some(Document { config, source: source.clone(), root, secrets: checked.secrets, gaps: BTreeSet::new() })
}

impl Document {
    /// The typed form.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The text it was read from.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Where the value at `path` stands; for a path that leads beyond what was written, the nearest
    /// place above it.
    #[must_use]
    pub fn span_at(&self, path: &Path) -> Span {
        let (_, value) = self.find(path);
        self.source.span(value)
    }

    /// Where the key of the value at `path` stands; for an item of a list, the item.
    #[must_use]
    pub fn key_span_at(&self, path: &Path) -> Span {
        let (key, _) = self.find(path);
        self.source.span(key)
    }

    /// Whether something was written at `path`, be it the default.
    #[must_use]
    pub fn has(&self, path: &Path) -> bool {
        let mut node = &self.root;
        path.segments().iter().all(|segment| {
            let below = match segment {
                Segment::Key(name) => node.entry(name).map(|entry| &entry.value),
                Segment::Index(index) => node.item(*index),
            };
            node = below.unwrap_or(node);
            below.is_some()
        })
    }

    fn find(&self, path: &Path) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
        let mut node = &self.root;
        let mut key = node.span.clone();
        for segment in path.segments() {
            let (next, next_key) = match segment {
                Segment::Key(name) => match node.entry(name) {
                    Some(entry) => (&entry.value, entry.key_span.clone()),
                    None => break,
                },
                Segment::Index(index) => match node.item(*index) {
                    Some(item) => (item, item.span.clone()),
                    None => break,
                },
            };
            (node, key) = (next, next_key);
        }
        (key, node.span.clone())
    }

    /// Whether something that had a wrong form was taken out of what stands at this place: that it lacks
    /// something says nothing then.
    #[must_use]
    pub fn lacks_parts(&self, place: &Span) -> bool {
        self.gaps.contains(&place.start)
    }

    /// Places of secrets that stand in the file in clear text, at least in part.
    pub fn secrets_in_clear(&self) -> impl Iterator<Item = Span> {
        self.secrets.iter().filter(|(_, whole)| !whole).map(|(range, _)| self.source.span(range.clone()))
    }

    /// The document as it was written, fit to be shown: secrets are `***`, references stand as they
    /// were written and not as what they stood for.
    #[must_use]
    pub fn redacted(&self) -> Value {
        self.redacted_node(&self.root)
    }

    fn redacted_node(&self, node: &Node) -> Value {
        match &node.kind {
            Kind::Sequence(items) => items.iter().map(|item| self.redacted_node(item)).collect(),
            Kind::Mapping(entries) => Value::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), self.redacted_node(&entry.value)))
                    .collect::<Map<_, _>>(),
            ),
            Kind::Scalar(_) if self.secrets.iter().any(|(range, _)| *range == node.span) => "***".into(),
            Kind::Scalar(scalar) => match &scalar.origin {
                Origin::File => check::plain_value(scalar),
                Origin::Reference { written, .. } | Origin::Unresolved { written } => written.as_str().into(),
            },
        }
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Document({})", self.redacted())
    }
}
