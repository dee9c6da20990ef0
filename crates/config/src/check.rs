//! Checks the tree of nodes against the shape of the written form, and gives the plain value.
//!
//! Everything that is wrong is found in one pass: a wrong value in one place does not hide the next.
//! Messages name what stands in the file only when it did not come from a reference and is no secret.

mod words;

use std::ops::Range;

use serde_json::{Map, Number, Value};
use torana_types::format;

use crate::elsewhere;
use crate::finding::Finding;
use crate::node::{Core, Entry, Kind, Node, Origin, Scalar};
use crate::shape::{Field, Shape};
use crate::source::Source;
use crate::suggest::{did_you_mean, list, nearest};
use words::{describe, quoted};

/// More findings than this help nobody; the rest is left out.
const MAX_FINDINGS: usize = 100;

/// What the check gives besides findings.
#[derive(Default)]
pub(crate) struct Checked {
    /// The plain value; `None` as soon as something is wrong with it.
    pub(crate) value: Option<Value>,
    /// Where secrets stand, and whether each is nothing but references.
    pub(crate) secrets: Vec<(Range<usize>, bool)>,
}

/// Checks `node` against `shape`.
pub(crate) fn check(node: &Node, shape: &Shape, source: &Source, findings: &mut Vec<Finding>) -> Checked {
    let mut checker = Checker { source, findings: Vec::new(), secrets: Vec::new() };
    let value = checker.node(node, shape, None);
    findings.append(&mut checker.findings);
    Checked { value, secrets: checker.secrets }
}

struct Checker<'a> {
    source: &'a Source,
    findings: Vec<Finding>,
    secrets: Vec<(Range<usize>, bool)>,
}

impl Checker<'_> {
    fn report(&mut self, finding: Finding, at: &Range<usize>) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(finding.at(self.source.span(at.clone())));
        }
    }

    /// `key` is the key that the node is the value of, for messages.
    fn node(&mut self, node: &Node, shape: &Shape, key: Option<&str>) -> Option<Value> {
        if matches!(&node.kind, Kind::Scalar(Scalar { origin: Origin::Unresolved { .. }, .. })) {
            return None;
        }
        if node.is_null() && !matches!(shape, Shape::Any) {
            let what = key.map_or_else(|| "this".to_owned(), |key| format!("`{}`", quoted(key)));
            let help = format!("give it a value or remove it; expected {}", describe(shape));
            self.report(
                Finding::error("missing-value", format!("{what} has no value")).help(help),
                &node.span,
            );
            return None;
        }
        match (shape, &node.kind) {
            (Shape::Any, _) => self.any(node),
            (Shape::Choice(shapes), _) => self.choice(node, shapes, key),
            (Shape::Record(fields), Kind::Mapping(entries)) => self.record(node, entries, fields),
            (Shape::Map(values), Kind::Mapping(entries)) => self.map(entries, values),
            (Shape::List { items, minimum }, Kind::Sequence(nodes)) => {
                self.list(node, nodes, items, *minimum)
            }
            (Shape::Text { format }, Kind::Scalar(scalar)) => self.text(node, scalar, format.as_deref()),
            (Shape::Word(words), Kind::Scalar(scalar)) => self.word(node, scalar, words),
            (Shape::Integer { minimum, maximum }, Kind::Scalar(scalar)) => match scalar.core() {
                Core::Integer(number) => self.integer(node, number, *minimum, *maximum, key),
                _ => self.wrong_kind(node, shape, key),
            },
            (Shape::Boolean, Kind::Scalar(scalar)) => match scalar.core() {
                Core::Boolean(boolean) => Some(Value::Bool(boolean)),
                _ => self.wrong_kind(node, shape, key),
            },
            _ => self.wrong_kind(node, shape, key),
        }
    }

    fn wrong_kind(&mut self, node: &Node, shape: &Shape, key: Option<&str>) -> Option<Value> {
        self.unexpected(node, shape, key, node.describe())
    }

    fn unexpected(&mut self, node: &Node, shape: &Shape, key: Option<&str>, found: &str) -> Option<Value> {
        let what = key.map(|key| format!("`{}`: ", quoted(key))).unwrap_or_default();
        let message = format!("{what}expected {}, found {found}", describe(shape));
        let help = match (&node.kind, shape) {
            (Kind::Scalar(scalar), Shape::Boolean) => match scalar.text.to_ascii_lowercase().as_str() {
                "yes" | "on" => Some("write `true`".to_owned()),
                "no" | "off" => Some("write `false`".to_owned()),
                _ => None,
            },
            (Kind::Scalar(scalar), Shape::Choice(_))
                if scalar.core() == Core::Boolean(false) && offers(shape, "off") =>
            {
                Some("write `off`".to_owned())
            }
            (Kind::Scalar(scalar), Shape::Choice(_))
                if scalar.core() == Core::Boolean(true) && offers(shape, "on") =>
            {
                Some("write `on`".to_owned())
            }
            (Kind::Scalar(scalar), Shape::Choice(_)) if scalar.text == "on" && offers(shape, "off") => {
                Some("it has no defaults for everything; say what is meant".to_owned())
            }
            (Kind::Scalar(_) | Kind::Mapping(_), Shape::List { .. }) => {
                Some("a list is written `[one, two]`".to_owned())
            }
            (Kind::Scalar(_), Shape::Record(fields)) => fields
                .iter()
                .find(|field| field.required)
                .map(|field| format!("a mapping is written `{{ {}: ... }}`", field.name))
                .or_else(|| self.within_mapping(node, fields)),
            (Kind::Scalar(_), Shape::Choice(shapes)) => shapes.iter().find_map(|shape| match shape {
                Shape::Record(fields) => self.within_mapping(node, fields),
                _ => None,
            }),
            _ => None,
        };
        self.report(Finding::error("wrong-type", message).maybe_help(help), &node.span);
        None
    }

    /// The mapping that is meant by a value alone: with its first key, if that takes such a value or a list of them.
    fn within_mapping(&self, node: &Node, fields: &[Field]) -> Option<String> {
        let field = fields.first()?;
        let Kind::Scalar(Scalar { text, origin: Origin::File, .. }) = &node.kind else { return None };
        let takes = |shape: &Shape| {
            let mut attempt = Checker { source: self.source, findings: Vec::new(), secrets: Vec::new() };
            fits(shape, node) && attempt.node(node, shape, None).is_some() && attempt.secrets.is_empty()
        };
        let (name, text) = (&field.name, quoted(text));
        match &field.shape {
            Shape::List { items, .. } if takes(items) => Some(format!("write `{{ {name}: [{text}] }}`")),
            shape if takes(shape) => Some(format!("write `{{ {name}: {text} }}`")),
            _ => None,
        }
    }

    fn record(&mut self, node: &Node, entries: &[Entry], fields: &[Field]) -> Option<Value> {
        let mut map = Map::new();
        let mut sound = true;
        let mut meant = Vec::new();
        for entry in entries {
            let Some(field) = fields.iter().find(|field| field.name == entry.key) else {
                let known = || fields.iter().map(|field| field.name.as_str());
                let (here, help) = match elsewhere::key(&entry.key, fields) {
                    Some((here, help)) => (Some(here), Some(help.to_owned())),
                    None if entry.key == "<<" => {
                        (None, Some("merge keys are not part of YAML 1.2; write the keys out".to_owned()))
                    }
                    None => (nearest(&entry.key, known()), did_you_mean(&entry.key, known())),
                };
                // What was misspelled is not missing too.
                meant.extend(here);
                let message = format!("unknown key `{}`", quoted(&entry.key));
                self.report(Finding::error("unknown-key", message).maybe_help(help), &entry.key_span);
                sound = false;
                continue;
            };
            match self.node(&entry.value, &field.shape, Some(&field.name)) {
                Some(value) => drop(map.insert(field.name.clone(), value)),
                None => sound = false,
            }
        }
        for field in fields.iter().filter(|field| field.required) {
            if !entries.iter().any(|entry| entry.key == field.name) {
                sound = false;
                if meant.contains(&field.name.as_str()) {
                    continue;
                }
                let message = format!("the key `{}` is missing", field.name);
                let help = format!("`{}` is {}", field.name, describe(&field.shape));
                self.report(Finding::error("missing-key", message).help(help), &node.span);
            }
        }
        sound.then_some(Value::Object(map))
    }

    fn map(&mut self, entries: &[Entry], values: &Shape) -> Option<Value> {
        let mut map = Map::new();
        for entry in entries {
            if let Some(value) = self.node(&entry.value, values, Some(&entry.key)) {
                map.insert(entry.key.clone(), value);
            }
        }
        (map.len() == entries.len()).then_some(Value::Object(map))
    }

    fn list(&mut self, node: &Node, nodes: &[Node], items: &Shape, minimum: usize) -> Option<Value> {
        if nodes.len() < minimum {
            let message = format!("the list needs at least {minimum} item, and has {}", nodes.len());
            self.report(
                Finding::error("too-few", message).help(format!("an item is {}", describe(items))),
                &node.span,
            );
            return None;
        }
        let values: Vec<Value> = nodes.iter().filter_map(|node| self.node(node, items, None)).collect();
        (values.len() == nodes.len()).then_some(Value::Array(values))
    }

    fn text(&mut self, node: &Node, scalar: &Scalar, format_name: Option<&str>) -> Option<Value> {
        // Wherever a private key stands, it is a secret.
        let is_key = scalar.text.contains("PRIVATE KEY-----");
        if format_name == Some(format::SECRET) || is_key {
            let whole = matches!(scalar.origin, Origin::Reference { whole: true, .. });
            self.secrets.push((node.span.clone(), whole));
        }
        if let Some(Err(error)) = format_name.and_then(|name| format::check(name, &scalar.text)) {
            let shown = match scalar.origin {
                Origin::File => format!("`{}`", quoted(&scalar.text)),
                _ => "the value of the reference".to_owned(),
            };
            let message = format!("{shown} is not valid here: {}", error.problem());
            self.report(
                Finding::error("bad-format", message).help(format!("expected {}", error.expected())),
                &node.span,
            );
            return None;
        }
        Some(Value::String(scalar.text.clone()))
    }

    fn word(&mut self, node: &Node, scalar: &Scalar, words: &[String]) -> Option<Value> {
        if words.contains(&scalar.text) {
            return Some(Value::String(scalar.text.clone()));
        }
        let known: Vec<&str> = words.iter().map(String::as_str).collect();
        let finding = match scalar.origin {
            Origin::File => {
                let message = format!("`{}` is not one of {}", quoted(&scalar.text), list(&known));
                Finding::error("unknown-value", message).maybe_help(did_you_mean(&scalar.text, known))
            }
            _ => Finding::error(
                "unknown-value",
                format!("the value of the reference is not one of {}", list(&known)),
            ),
        };
        self.report(finding, &node.span);
        None
    }

    fn integer(
        &mut self,
        node: &Node,
        number: i128,
        minimum: i128,
        maximum: i128,
        key: Option<&str>,
    ) -> Option<Value> {
        let within = (minimum..=maximum).contains(&number).then(|| Number::from_i128(number)).flatten();
        if within.is_none() {
            let message = format!("the number must be from {minimum} to {maximum}");
            // Elsewhere the number is that of tries after the first.
            let none = (key == Some("attempts") && number < minimum)
                .then(|| "the first try counts: 1 means that nothing is tried again".to_owned());
            self.report(Finding::error("out-of-range", message).maybe_help(none), &node.span);
        }
        within.map(Value::Number)
    }

    /// Chooses by what the node is; where several shapes fit, the first without findings.
    fn choice(&mut self, node: &Node, shapes: &[Shape], key: Option<&str>) -> Option<Value> {
        let fitting: Vec<&Shape> = shapes.iter().filter(|shape| fits(shape, node)).collect();
        let mut failed: Option<(Vec<Finding>, &Shape)> = None;
        for shape in &fitting {
            let mut attempt = Checker { source: self.source, findings: Vec::new(), secrets: Vec::new() };
            let value = attempt.node(node, shape, key);
            if value.is_some() || attempt.findings.is_empty() {
                self.secrets.append(&mut attempt.secrets);
                return value;
            }
            // Words come first, and a value that is none of them is explained by the other shape.
            let better = failed.as_ref().is_none_or(|(_, earlier)| matches!(earlier, Shape::Word(_)));
            if better {
                self.secrets.append(&mut attempt.secrets);
                failed = Some((attempt.findings, shape));
            }
        }
        let words_alone = |shape: &Shape| matches!(shape, Shape::Word(_)) && shapes.len() > fitting.len();
        match failed {
            None => drop(self.wrong_kind(node, &Shape::Choice(shapes.to_vec()), key)),
            // A word where also something else could stand: what that is helps more than the words.
            Some((findings, shape))
                if words_alone(shape) && is_from_file(node) && !findings.iter().any(is_slip) =>
            {
                // Beside a mere switch a value may be a secret that stands in a wrong place.
                let words = as_words(shape).map_or(0, Vec::len);
                let found = match &node.kind {
                    Kind::Scalar(scalar) if words > 2 => format!("`{}`", quoted(&scalar.text)),
                    _ => node.describe().to_owned(),
                };
                drop(self.unexpected(node, &Shape::Choice(shapes.to_vec()), key, &found));
            }
            Some((mut findings, shape)) => {
                if let ([finding], true, false) =
                    (findings.as_mut_slice(), fitting.len() > 1, matches!(shape, Shape::Word(_)))
                {
                    let words: Vec<&str> = fitting
                        .iter()
                        .filter_map(|shape| as_words(shape))
                        .flatten()
                        .map(String::as_str)
                        .collect();
                    if let (false, Some(help)) = (words.is_empty(), &mut finding.help) {
                        help.push_str(&format!(", or {}", list(&words)));
                    }
                }
                let room = MAX_FINDINGS.saturating_sub(self.findings.len());
                self.findings.extend(findings.into_iter().take(room));
            }
        }
        None
    }

    /// A value of any kind, such as a JSON body.
    fn any(&mut self, node: &Node) -> Option<Value> {
        match &node.kind {
            Kind::Mapping(entries) => self.map(entries, &Shape::Any),
            Kind::Sequence(nodes) => self.list(node, nodes, &Shape::Any, 0),
            Kind::Scalar(scalar) => Some(plain_value(scalar)),
        }
    }
}

/// What a scalar stands for where nothing says what it should be. Text from a reference stays text.
pub(crate) fn plain_value(scalar: &Scalar) -> Value {
    let text = || Value::String(scalar.text.clone());
    if !matches!(scalar.origin, Origin::File) {
        return text();
    }
    match scalar.core() {
        Core::Null => Value::Null,
        Core::Boolean(boolean) => Value::Bool(boolean),
        Core::Integer(number) => Number::from_i128(number).map_or_else(text, Value::Number),
        Core::Float(number) => Number::from_f64(number).map_or_else(text, Value::Number),
        Core::Text => text(),
    }
}

fn is_from_file(node: &Node) -> bool {
    matches!(&node.kind, Kind::Scalar(Scalar { origin: Origin::File, .. }))
}

/// Whether a finding takes a word for another one that was meant.
fn is_slip(finding: &Finding) -> bool {
    finding.help.as_ref().is_some_and(|help| help.starts_with("did you mean"))
}

fn as_words(shape: &Shape) -> Option<&Vec<String>> {
    match shape {
        Shape::Word(words) => Some(words),
        _ => None,
    }
}

fn offers(shape: &Shape, wanted: &str) -> bool {
    match shape {
        Shape::Choice(shapes) => shapes.iter().filter_map(as_words).flatten().any(|word| word == wanted),
        _ => false,
    }
}

/// Whether a shape is of the node's kind. Text shapes take text and numbers, but no booleans: where
/// something may be switched `off`, `false` is a mistake and not a name.
fn fits(shape: &Shape, node: &Node) -> bool {
    match (&node.kind, shape) {
        (_, Shape::Any) => true,
        (_, Shape::Choice(shapes)) => shapes.iter().any(|shape| fits(shape, node)),
        (Kind::Mapping(_), shape) => matches!(shape, Shape::Record(_) | Shape::Map(_)),
        (Kind::Sequence(_), shape) => matches!(shape, Shape::List { .. }),
        (Kind::Scalar(scalar), shape) => match shape {
            Shape::Text { .. } | Shape::Word(_) => !matches!(scalar.core(), Core::Boolean(_) | Core::Null),
            Shape::Integer { .. } => matches!(scalar.core(), Core::Integer(_)),
            Shape::Boolean => matches!(scalar.core(), Core::Boolean(_)),
            _ => false,
        },
    }
}
