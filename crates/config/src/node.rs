//! The tree of a YAML document, where every node knows its place.

use std::fmt;
use std::ops::Range;

/// A node and the bytes of the source it was read from.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) span: Range<usize>,
    pub(crate) kind: Kind,
}

#[derive(Clone)]
pub(crate) enum Kind {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// A key and its value in a mapping.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Range<usize>,
    pub(crate) value: Node,
}

/// A leaf of the tree.
#[derive(Clone)]
pub(crate) struct Scalar {
    /// The value, after references were replaced.
    pub(crate) text: String,
    /// Written without quotes, so that it may be a number, a boolean or nothing.
    pub(crate) plain: bool,
    pub(crate) origin: Origin,
}

/// Where the text of a scalar came from.
#[derive(Clone)]
pub(crate) enum Origin {
    /// It stands in the file.
    File,
    /// At least partly from a reference: may never be shown. Keeps what the file says, and whether
    /// nothing but references without defaults stood there.
    Reference { written: String, whole: bool },
    /// From a reference that could not be resolved, which has been reported.
    Unresolved { written: String },
}

/// What a plain scalar stands for in the core schema of YAML 1.2 (section 10.3.2).
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Core {
    Null,
    Boolean(bool),
    /// Whole numbers; those beyond 128 bits are text.
    Integer(i128),
    Float(f64),
    Text,
}

impl Scalar {
    /// What the scalar stands for. One from a reference may be a number whatever its quotes, because
    /// the reference itself often needs them.
    pub(crate) fn core(&self) -> Core {
        if self.plain || matches!(self.origin, Origin::Reference { .. }) {
            core(&self.text)
        } else {
            Core::Text
        }
    }
}

fn core(text: &str) -> Core {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Core::Null,
        "true" | "True" | "TRUE" => return Core::Boolean(true),
        "false" | "False" | "FALSE" => return Core::Boolean(false),
        _ => {}
    }
    let radix =
        |prefix, radix| text.strip_prefix(prefix).and_then(|digits| i128::from_str_radix(digits, radix).ok());
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_or(Core::Text, Core::Integer);
    }
    if let Some(number) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Core::Integer(number);
    }
    let numeric = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
    let has_digit = digits.bytes().any(|byte| byte.is_ascii_digit());
    if has_digit && !digits.starts_with(['e', 'E']) && digits.bytes().all(numeric) {
        return text.parse().map_or(Core::Text, Core::Float);
    }
    Core::Text
}

impl Node {
    /// What the node is, as a noun phrase for messages. Never shows a value.
    pub(crate) fn describe(&self) -> &'static str {
        match &self.kind {
            Kind::Sequence(_) => "a list",
            Kind::Mapping(_) => "a mapping",
            Kind::Scalar(scalar) => match scalar.core() {
                Core::Null => "nothing",
                Core::Boolean(_) => "a boolean",
                Core::Integer(_) | Core::Float(_) => "a number",
                Core::Text => "text",
            },
        }
    }

    /// Entries or items; none for a scalar.
    pub(crate) fn length(&self) -> usize {
        match &self.kind {
            Kind::Scalar(_) => 0,
            Kind::Sequence(items) => items.len(),
            Kind::Mapping(entries) => entries.len(),
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(scalar) if scalar.core() == Core::Null)
    }

    /// The entry of a mapping by its key.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.kind {
            Kind::Mapping(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The item of a sequence by its place.
    pub(crate) fn item(&self, index: usize) -> Option<&Self> {
        match &self.kind {
            Kind::Sequence(items) => items.get(index),
            _ => None,
        }
    }

    /// How many nodes there are, this one included.
    pub(crate) fn size(&self) -> usize {
        let below: usize = match &self.kind {
            Kind::Scalar(_) => 0,
            Kind::Sequence(items) => items.iter().map(Self::size).fold(0, usize::saturating_add),
            Kind::Mapping(entries) => {
                entries.iter().map(|entry| entry.value.size()).fold(0, usize::saturating_add)
            }
        };
        below.saturating_add(1)
    }
}

impl fmt::Debug for Node {
    /// Shows the place alone: the text may be a secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} at bytes {:?}", self.describe(), self.span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        assert_eq!(core("~"), Core::Null);
        assert_eq!(core("off"), Core::Text);
        assert_eq!(core("yes"), Core::Text);
        assert_eq!(core("True"), Core::Boolean(true));
        assert_eq!(core("-12"), Core::Integer(-12));
        assert_eq!(core("0x1F"), Core::Integer(31));
        assert_eq!(core("1.5e3"), Core::Float(1500.0));
        for text in ["1.2.3.4", "10.0.0.0/8", "5s", "-", "+", ".", "e5", "127.0.0.1:80", "0x", "1-2"] {
            assert_eq!(core(text), Core::Text, "{text}");
        }
    }
}
