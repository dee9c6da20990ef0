//! From text to the tree of nodes: events of the YAML parser, with bounds on everything.
//!
//! Stricter than YAML on purpose: one document, keys are text and stand once, no tags, and aliases
//! may not expand without bound.

use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, ScanError};

use crate::finding::Finding;
use crate::node::{Entry, Kind, Node, Origin, Scalar};
use crate::source::Source;

/// Mappings and lists inside each other.
const MAX_DEPTH: usize = 64;
/// Bytes of a file.
const MAX_BYTES: usize = 64 << 20;
/// Nodes that aliases may add in all.
const MAX_ALIASED_NODES: usize = 100_000;

/// Reads the document; every finding is an error. Without a tree there is at least one finding.
pub(crate) fn read(source: &Source, findings: &mut Vec<Finding>) -> Option<Node> {
    let text = source.text();
    if text.len() > MAX_BYTES {
        let message = format!("the file is larger than {} MiB", MAX_BYTES >> 20);
        findings.push(Finding::error("too-large", message).at(source.span(0..0)));
        return None;
    }
    let mut builder = Builder::new(source, findings);
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        let step = match event {
            Ok((event, span)) => {
                let range = span.byte_range().unwrap_or_else(|| {
                    source.offset(span.start.line(), span.start.col())
                        ..source.offset(span.end.line(), span.end.col())
                });
                builder.event(event, range)
            }
            Err(error) => Err(builder.syntax(&error)),
        };
        if let Err(finding) = step {
            builder.findings.push(*finding);
            return None;
        }
    }
    if builder.root.is_none() {
        let finding = Finding::error("empty", "the file holds no configuration").at(source.span(0..0));
        builder
            .findings
            .push(finding.help("the smallest one is `routes: [{ path: /, respond: { body: hello } }]`"));
    }
    builder.root
}

/// A collection whose end has not been seen.
struct Open {
    start: usize,
    anchor: usize,
    content: Content,
}

enum Content {
    Items(Vec<Node>),
    Entries(Vec<Entry>, Option<(String, Range<usize>)>),
}

struct Builder<'a> {
    source: &'a Source,
    findings: &'a mut Vec<Finding>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    aliased: usize,
    documents: usize,
    root: Option<Node>,
}

type Step = Result<(), Box<Finding>>;

impl<'a> Builder<'a> {
    fn new(source: &'a Source, findings: &'a mut Vec<Finding>) -> Self {
        Self {
            source,
            findings,
            open: Vec::new(),
            anchors: HashMap::new(),
            aliased: 0,
            documents: 0,
            root: None,
        }
    }

    fn stop(&self, code: &'static str, message: &str, at: Range<usize>) -> Box<Finding> {
        Box::new(Finding::error(code, message).at(self.source.span(at)))
    }

    fn syntax(&self, error: &ScanError) -> Box<Finding> {
        let marker = error.marker();
        let at = marker.byte_offset().unwrap_or_else(|| self.source.offset(marker.line(), marker.col()));
        // At the very end there is nothing to underline: point at the last character instead.
        let at = if at >= self.source.text().len() {
            self.source.text().trim_end().len().saturating_sub(1)
        } else {
            at
        };
        let too_deep = error.info().contains("recursion limit");
        let (message, help) = if too_deep {
            let message = format!("mappings and lists are nested more than {MAX_DEPTH} deep");
            (message, "look for brackets that are not closed on the lines above")
        } else {
            let message = format!("this is not valid YAML: {}", error.info());
            let help = if is_unquoted(self.source.text(), at) {
                "text with `{…}` or `[…]`, or that begins with `*`, needs quotes here, such as `path: \"/users/{id}\"`"
            } else {
                "look for a missing quote, bracket or colon here or on the lines above, and at the indentation"
            };
            (message, help)
        };
        Box::new(Finding::error("syntax", message).at(self.source.span(at..at.saturating_add(1))).help(help))
    }

    fn event(&mut self, event: Event<'_>, span: Range<usize>) -> Step {
        match event {
            Event::DocumentStart(..) => {
                self.documents = self.documents.saturating_add(1);
                if self.documents > 1 {
                    return Err(self.stop(
                        "several-documents",
                        "a file holds one document, and this starts another",
                        span,
                    ));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.is_some(), &span);
                let plain = style == ScalarStyle::Plain;
                let scalar = Scalar { text: text.into_owned(), plain, origin: Origin::File };
                self.complete(Node { span, kind: Kind::Scalar(scalar) }, anchor)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_tag(tag.is_some(), &span);
                self.begin(span, anchor, Content::Items(Vec::new()))?;
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_tag(tag.is_some(), &span);
                self.begin(span, anchor, Content::Entries(Vec::new(), None))?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(&span)?,
            Event::Alias(anchor) => self.alias(anchor, span)?,
            _ => {}
        }
        Ok(())
    }

    fn refuse_tag(&mut self, tagged: bool, span: &Range<usize>) {
        if tagged {
            let finding =
                Finding::error("tag", "YAML tags have no meaning here").at(self.source.span(span.clone()));
            self.findings.push(finding.help("remove the word that begins with `!`"));
        }
    }

    fn begin(&mut self, span: Range<usize>, anchor: usize, content: Content) -> Step {
        if self.open.len() >= MAX_DEPTH {
            return Err(self.stop("too-deep", "mappings and lists are nested too deeply", span));
        }
        self.open.push(Open { start: span.start, anchor, content });
        Ok(())
    }

    fn end(&mut self, span: &Range<usize>) -> Step {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let kind = match open.content {
            Content::Items(items) => Kind::Sequence(items),
            Content::Entries(entries, _) => Kind::Mapping(self.without_duplicates(entries)),
        };
        self.complete(Node { span: open.start..span.end.max(open.start), kind }, open.anchor)
    }

    fn alias(&mut self, anchor: usize, span: Range<usize>) -> Step {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(self.stop("alias", "this alias stands inside what it refers to", span));
        };
        self.aliased = self.aliased.saturating_add(node.size());
        if self.aliased > MAX_ALIASED_NODES {
            return Err(self.stop("alias", "aliases expand to too many values", span));
        }
        let node = node.clone();
        if depth(&node).saturating_add(self.open.len()) > MAX_DEPTH {
            return Err(self.stop("too-deep", "mappings and lists are nested too deeply", span));
        }
        self.complete(node, 0)
    }

    /// Gives a finished node to what it stands in.
    fn complete(&mut self, mut node: Node, anchor: usize) -> Step {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.content {
            Content::Items(items) => items.push(node),
            Content::Entries(entries, pending) => match pending.take() {
                Some((key, key_span)) => {
                    // A value that was left out has no place of its own: its key is where to look.
                    if node.span.is_empty() && matches!(node.kind, Kind::Scalar(_)) {
                        node.span = key_span.clone();
                    }
                    entries.push(Entry { key, key_span, value: node });
                }
                None => {
                    let Kind::Scalar(scalar) = node.kind else {
                        return Err(self.stop(
                            "key",
                            "a key must be text, not a list or a mapping",
                            node.span,
                        ));
                    };
                    *pending = Some((scalar.text, node.span));
                }
            },
        }
        Ok(())
    }

    /// Reports keys that stand twice and keeps the first of each.
    fn without_duplicates(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        let mut first: HashMap<String, Range<usize>> = HashMap::with_capacity(entries.len());
        let mut kept = Vec::with_capacity(entries.len());
        for entry in entries {
            if let Some(earlier) = first.get(&entry.key) {
                let message = format!("the key `{}` stands twice", entry.key.escape_debug());
                let finding =
                    Finding::error("duplicate-key", message).at(self.source.span(entry.key_span.clone()));
                let finding = finding.related("first here", Some(self.source.span(earlier.clone())));
                self.findings.push(finding.help("remove one of the two"));
                continue;
            }
            first.insert(entry.key.clone(), entry.key_span.clone());
            kept.push(entry);
        }
        kept
    }
}

/// Whether reading ended at a bracket or an asterisk that was meant as text, such as in a pattern without quotes: in the
/// middle of a word, or at the beginning of one that goes on behind it.
fn is_unquoted(text: &str, at: usize) -> bool {
    let Some((before, behind)) = text.split_at_checked(at) else { return false };
    let is_border = |one: char| one.is_whitespace() || ",[]{}:".contains(one);
    let in_word = before.chars().next_back().is_some_and(|one| !is_border(one));
    match behind.chars().next() {
        Some('*') => true,
        Some('{' | '[') => in_word,
        Some(other) => before.ends_with(['}', ']']) && !is_border(other),
        None => false,
    }
}

/// How many collections stand inside each other, this one included.
fn depth(node: &Node) -> usize {
    let below = match &node.kind {
        Kind::Scalar(_) => return 0,
        Kind::Sequence(items) => items.iter().map(depth).max(),
        Kind::Mapping(entries) => entries.iter().map(|entry| depth(&entry.value)).max(),
    };
    below.unwrap_or(0).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> Vec<&'static str> {
        let source = Source::new("t.yaml", text);
        let mut findings = Vec::new();
        let _ = read(&source, &mut findings);
        assert!(findings.iter().all(|finding| finding.span.is_some()));
        findings.iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn every_node_knows_its_bytes() {
        let text = "a:\n  - x: é\n    y: [1, 'two']\n";
        let source = Source::new("t.yaml", text);
        let root = read(&source, &mut Vec::new()).unwrap();
        let item = root.entry("a").unwrap().value.item(0).unwrap();
        let list = &item.entry("y").unwrap().value;
        assert_eq!(&text[list.item(1).unwrap().span.clone()], "'two'");
        assert_eq!(&text[item.entry("x").unwrap().value.span.clone()], "é");
        assert_eq!(&text[item.entry("y").unwrap().key_span.clone()], "y");
    }

    #[test]
    fn refuses_what_is_not_one_plain_document() {
        assert_eq!(codes(""), ["empty"]);
        assert_eq!(codes("# nothing\n"), ["empty"]);
        assert_eq!(codes("a: 1\n---\nb: 2\n"), ["several-documents"]);
        assert_eq!(codes("a: !secret x\n"), ["tag"]);
        assert_eq!(codes("a: 1\nb: 2\na: 3\nb: 4\n"), ["duplicate-key", "duplicate-key"]);
        assert_eq!(codes("[a]: 1\n"), ["key"]);
        assert_eq!(codes("a: [1\n"), ["syntax"]);
        assert_eq!(codes("a: \"x\n"), ["syntax"]);
        assert_eq!(codes("a: *nowhere\n"), ["syntax"]);
    }

    #[test]
    fn patterns_without_quotes_are_told_so() {
        let says = |text: &str| {
            let source = Source::new("t.yaml", text);
            let mut findings = Vec::new();
            assert!(read(&source, &mut findings).is_none(), "{text}");
            findings[0].help.as_ref().is_some_and(|help| help.contains("needs quotes here"))
        };
        for text in [
            "[{ path: /users/{id}, service: a }]",
            "[{ path: ~/v[0-9]+/.*, service: a }]",
            "[{ path: {id}/x, service: a }]",
            "- path: {id}/x\n  service: a\n",
            "[{ host: *.example.com, service: a }]",
            "- path: *\n  service: a\n",
        ] {
            assert!(says(text), "{text}");
        }
        for text in ["{ a: [1 }", "{ a: { b: 1 }", "{ a: \"x }", "a: 1\n b: 2\n", "{ a: 1 } b"] {
            assert!(!says(text), "{text}");
        }
    }

    #[test]
    fn bounds_depth_and_expansion() {
        assert_eq!(codes(&"[".repeat(10_000)), ["syntax"]);
        assert_eq!(codes(&format!("{}1", "- ".repeat(1_000))), ["syntax"]);
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let previous = level - 1;
            let items = vec![format!("*a{previous}"); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
        }
        assert_eq!(codes(&bomb), ["alias"]);
        assert!(codes("a: &a [*a]\n").contains(&"alias"));
    }
}
