//! Regular expressions that must match the whole text.
//!
//! The engine is linear in the text and its compiled size is bounded, so neither a pattern nor a
//! request can make matching explode. Classes such as `\d` and `\w` are ASCII: paths are ASCII once
//! normalised, and the automata stay small.

use super::{PatternError, PatternProblem};
use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind};
use std::cmp::Ordering;
use std::sync::Arc;

/// The compiled size that one expression may reach, in bytes.
const SIZE_LIMIT: usize = 1 << 20;
/// How deep groups may nest.
const NEST_LIMIT: u32 = 64;
/// The longest text that is made up as an example.
const LONGEST_EXAMPLE: usize = 512;

/// A regular expression, anchored at both ends. Cheap to clone; compared and ordered by its text.
#[derive(Debug, Clone)]
pub struct AnchoredRegex {
    text: Arc<str>,
    compiled: Regex,
}

impl AnchoredRegex {
    /// Compiles `text`, which has to match a whole value.
    ///
    /// # Errors
    /// [`PatternProblem::InvalidRegex`] when it does not parse or is too large.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        // Alone first: what is unbalanced must not be mended by the group around it.
        syntax(text).map_err(|reason| PatternError::new(0, PatternProblem::InvalidRegex(reason)))?;
        let compiled = RegexBuilder::new(&format!("\\A(?:{text})\\z"))
            .unicode(false)
            .size_limit(SIZE_LIMIT)
            .dfa_size_limit(SIZE_LIMIT)
            .nest_limit(NEST_LIMIT)
            .build()
            .map_err(|error| {
                PatternError::new(0, PatternProblem::InvalidRegex(last_line(&error.to_string())))
            })?;
        Ok(Self { text: text.into(), compiled })
    }

    /// The expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the whole text matches.
    #[must_use]
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.compiled.is_match(text)
    }

    /// Whether a group has this name.
    pub(crate) fn names(&self, wanted: &str) -> bool {
        self.compiled.capture_names().flatten().any(|name| name == wanted)
    }

    /// Whether the whole text matches; tells each named group.
    pub(crate) fn capture(&self, text: &[u8], found: &mut dyn FnMut(&str, &[u8])) -> bool {
        if self.compiled.captures_len() == 1 {
            return self.is_match(text);
        }
        let Some(captures) = self.compiled.captures(text) else { return false };
        for name in self.compiled.capture_names().flatten() {
            if let Some(value) = captures.name(name) {
                found(name, value.as_bytes());
            }
        }
        true
    }

    /// The whole literal segments that every match begins with.
    pub(crate) fn literal_segments(&self) -> Vec<Box<str>> {
        let Ok(hir) = syntax(&self.text) else { return Vec::new() };
        let mut literal = Vec::new();
        let parts = match hir.kind() {
            HirKind::Concat(parts) => parts.as_slice(),
            _ => std::slice::from_ref(&hir),
        };
        for part in parts {
            let HirKind::Literal(piece) = part.kind() else { break };
            literal.extend_from_slice(&piece.0);
        }
        let whole = parts.iter().all(|part| matches!(part.kind(), HirKind::Literal(_)));
        let text = String::from_utf8_lossy(&literal).into_owned();
        let Some(inner) = text.strip_prefix('/') else { return Vec::new() };
        let mut segments: Vec<&str> = inner.split('/').collect();
        // The last piece may go on, unless the expression is nothing but a literal.
        if !whole {
            segments.pop();
        }
        segments.into_iter().map(Into::into).collect()
    }

    /// What stands in it as it is, piece by piece.
    pub(crate) fn literals(&self) -> Vec<String> {
        let mut literals = Vec::new();
        if let Ok(hir) = syntax(&self.text) {
            collect_literals(&hir, &mut literals);
        }
        literals
    }

    /// A short text that matches, if one can be made up.
    pub(crate) fn example(&self) -> Option<String> {
        let hir = syntax(&self.text).ok()?;
        let mut text = Vec::new();
        write_example(&hir, &mut text)?;
        let text = String::from_utf8(text).ok()?;
        self.is_match(text.as_bytes()).then_some(text)
    }
}

impl PartialEq for AnchoredRegex {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for AnchoredRegex {}

impl PartialOrd for AnchoredRegex {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for AnchoredRegex {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl std::hash::Hash for AnchoredRegex {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

fn syntax(text: &str) -> Result<Hir, String> {
    let mut parser =
        regex_syntax::ParserBuilder::new().unicode(false).utf8(false).nest_limit(NEST_LIMIT).build();
    parser.parse(text).map_err(|error| last_line(&error.to_string()))
}

/// The errors of the engine draw the expression over several lines; the last one says what is wrong.
fn last_line(text: &str) -> String {
    let line = text.lines().last().unwrap_or(text).trim();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

fn collect_literals(hir: &Hir, literals: &mut Vec<String>) {
    match hir.kind() {
        HirKind::Literal(literal) => literals.push(String::from_utf8_lossy(&literal.0).into_owned()),
        HirKind::Repetition(repeated) => collect_literals(&repeated.sub, literals),
        HirKind::Capture(group) => collect_literals(&group.sub, literals),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().for_each(|part| collect_literals(part, literals));
        }
        HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) => {}
    }
}

fn write_example(hir: &Hir, text: &mut Vec<u8>) -> Option<()> {
    if text.len() > LONGEST_EXAMPLE {
        return None;
    }
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(()),
        HirKind::Literal(literal) => {
            text.extend_from_slice(&literal.0);
            Some(())
        }
        HirKind::Class(class) => {
            text.push(character(class)?);
            Some(())
        }
        HirKind::Repetition(repetition) => {
            // One more than the least reads better: `/v1/x` instead of `/v1/`.
            let count = repetition.min.max(u32::from(repetition.max != Some(0)));
            (0..count).try_for_each(|_| write_example(&repetition.sub, text))
        }
        HirKind::Capture(capture) => write_example(&capture.sub, text),
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| write_example(part, text)),
        HirKind::Alternation(parts) => write_example(parts.first()?, text),
    }
}

/// A friendly byte of a class.
fn character(class: &Class) -> Option<u8> {
    let contains = |byte: u8| match class {
        Class::Bytes(class) => {
            class.ranges().iter().any(|range| range.start() <= byte && byte <= range.end())
        }
        Class::Unicode(class) => {
            let wanted = char::from(byte);
            class.ranges().iter().any(|range| range.start() <= wanted && wanted <= range.end())
        }
    };
    b"x1aA0-_".iter().copied().chain(b'!'..=b'~').find(|byte| contains(*byte))
}
