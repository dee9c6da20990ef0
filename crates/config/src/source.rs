//! The text of a configuration file, and where in it something stands.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

/// A place in a source: a range on one line.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Span {
    /// The name of the source, usually the path of the file.
    #[serde(serialize_with = "text")]
    pub file: Arc<str>,
    /// Line of the first character, from 1.
    pub line: usize,
    /// Column of the first character, in characters from 1.
    pub column: usize,
    /// Offset in bytes of the first character.
    pub start: usize,
    /// Offset in bytes after the last character; never beyond the end of the line.
    pub end: usize,
}

fn text<S: serde::Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A named text in which places can be found.
///
/// The text is kept twice: as it was read, and as it may be shown, where every secret that stands
/// in clear has been overwritten with `*` of the same length. Only the second ever leaves the crate.
#[derive(Clone)]
pub struct Source {
    name: Arc<str>,
    text: Arc<str>,
    shown: String,
    line_starts: Vec<usize>,
    /// How many characters begin before each block of [`BLOCK`] bytes: a column is found by looking at
    /// one block, however long the line is (generated files often have but one).
    characters_before_block: Vec<usize>,
}

const BLOCK: usize = 1024;

fn characters_in(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| (**byte & 0xC0) != 0x80).count()
}

impl Source {
    /// Takes the text in and finds its lines.
    #[must_use]
    pub fn new(name: &str, text: &str) -> Self {
        let after_breaks =
            text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at.saturating_add(1));
        let line_starts = std::iter::once(0).chain(after_breaks).collect();
        let mut characters = 0_usize;
        let characters_before_block = text
            .as_bytes()
            .chunks(BLOCK)
            .map(|block| {
                let before = characters;
                characters = characters.saturating_add(characters_in(block));
                before
            })
            .collect();
        let mut source = Self {
            characters_before_block,
            name: name.into(),
            text: text.into(),
            shown: text.to_owned(),
            line_starts,
        };
        source.hide_by_key_name();
        source
    }

    /// The name, usually the path of the file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text that may be shown: no secret stands in it.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// What stands at a place, as it may be shown; between backticks.
    #[must_use]
    pub fn shown_at(&self, span: &Span) -> String {
        format!("`{}`", self.shown.get(span.start..span.end).unwrap_or("").escape_debug())
    }

    /// The place of a part of a text, where the text stands at `whole` as it is.
    #[must_use]
    pub fn part(&self, whole: &Span, text: &str, part: Range<usize>) -> Option<Span> {
        let from = self.shown.get(whole.start..)?;
        // Quotes and the marks of a block stand before it, on one line at most.
        let begin = from.find(text).filter(|begin| *begin <= 256)?;
        let start = whole.start.checked_add(begin)?.checked_add(part.start)?;
        let end = start.checked_add(part.len().max(1))?;
        Some(self.span(start..end.min(self.shown.len())))
    }

    pub(crate) fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The place of a range of bytes, cut at the end of its first line.
    pub(crate) fn span(&self, range: Range<usize>) -> Span {
        let start = self.floor_boundary(range.start);
        let line = self.line_starts.partition_point(|line_start| *line_start <= start).max(1);
        let line_start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let line_end = self.line_starts.get(line).map_or(self.text.len(), |next| next.saturating_sub(1));
        let rest = self.text.get(start..line_end.max(start)).unwrap_or("").trim_end();
        let end = self.floor_boundary(range.end).min(start.saturating_add(rest.len())).max(start);
        let column = self
            .characters_before(start)
            .saturating_sub(self.characters_before(line_start))
            .saturating_add(1);
        Span { file: Arc::clone(&self.name), line, column, start, end }
    }

    /// How many characters begin before the offset.
    fn characters_before(&self, offset: usize) -> usize {
        let block = offset.checked_div(BLOCK).unwrap_or(0);
        let block_start = block.saturating_mul(BLOCK).min(offset);
        let inside = self.text.as_bytes().get(block_start..offset).map_or(0, characters_in);
        // An offset at the very end may begin a block that was never counted: then all characters do.
        let before = self.characters_before_block.get(block).copied();
        before.map_or_else(|| characters_in(self.text.as_bytes()), |before| before.saturating_add(inside))
    }

    /// The offset of a line (from 1) and a column in characters (from 0).
    pub(crate) fn offset(&self, line: usize, column: usize) -> usize {
        let start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(self.text.len());
        let rest = self.text.get(start..).unwrap_or("");
        rest.char_indices().nth(column).map_or(self.text.len(), |(at, _)| start.saturating_add(at))
    }

    fn floor_boundary(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset = offset.saturating_sub(1);
        }
        offset
    }

    /// Overwrites the shown text of a range with `*`, leaving line breaks where they are.
    pub(crate) fn hide(&mut self, range: Range<usize>) {
        let (start, end) = (self.floor_boundary(range.start), self.floor_boundary(range.end));
        let Some(inside) = self.shown.get(start..end) else { return };
        let stars: String = inside.bytes().map(|byte| if byte == b'\n' { '\n' } else { '*' }).collect();
        self.shown.replace_range(start..end, &stars);
    }

    /// Hides what follows a key called `secret` on its line, and what a private key in PEM holds, so that not even a file that cannot be
    /// parsed shows one. A parsed file hides by type ([`Source::hide`]), this only goes before.
    fn hide_by_key_name(&mut self) {
        let mut ranges = Vec::new();
        for (at, key) in self.shown.match_indices("secret") {
            let after_key = at.saturating_add(key.len());
            let rest = self.shown.get(after_key..).unwrap_or("");
            let rest = rest.lines().next().unwrap_or("");
            let Some(value) = rest.trim_start_matches(['"', '\'', ' ']).strip_prefix(':') else { continue };
            let value = value.trim_start();
            let start = after_key.saturating_add(rest.len().saturating_sub(value.len()));
            if !is_only_a_reference(value) {
                let before = self.shown.get(..at).and_then(|before| before.rsplit('\n').next()).unwrap_or("");
                ranges.push(start..start.saturating_add(scalar_length(value, is_in_braces(before))));
            }
        }
        for (at, _) in self.shown.match_indices("PRIVATE KEY-----\n") {
            let line = self.shown.get(..at).and_then(|before| before.rsplit('\n').next()).unwrap_or("");
            if !line.contains("-----BEGIN") {
                continue;
            }
            let rest = self.shown.get(at..).unwrap_or("");
            let end = rest.find("-----END").unwrap_or(rest.len());
            let start = rest.find('\n').unwrap_or(end);
            ranges.push(at.saturating_add(start)..at.saturating_add(end));
        }
        for range in ranges {
            self.hide(range);
        }
    }
}

/// Whether what follows a line's beginning stands within braces or brackets that are open on that line. What
/// spans lines is not seen; more is hidden there.
fn is_in_braces(before: &str) -> bool {
    let count = |marks: [char; 2]| before.matches(marks).count();
    count(['{', '[']) > count(['}', ']'])
}

/// How long the scalar at the head of the text is (YAML 1.2 sections 7.3.1 to 7.3.3); when in doubt, all of it.
fn scalar_length(value: &str, in_braces: bool) -> usize {
    let whole = value.trim_end().len();
    let bytes = value.as_bytes();
    let end = match bytes.first() {
        Some(quote @ (b'"' | b'\'')) => closing_quote(bytes, *quote),
        _ if in_braces => plain_end(bytes),
        _ => None,
    };
    end.unwrap_or(whole)
}

/// Where a quoted scalar ends; `None` when that is not on this line.
fn closing_quote(bytes: &[u8], quote: u8) -> Option<usize> {
    let mut at = 1_usize;
    loop {
        match (bytes.get(at)?, bytes.get(at.saturating_add(1))) {
            (b'\\', _) if quote == b'"' => at = at.saturating_add(2),
            (byte, Some(next)) if *byte == quote && quote == b'\'' && *next == quote => {
                at = at.saturating_add(2);
            }
            (byte, _) if *byte == quote => return Some(at.saturating_add(1)),
            _ => at = at.saturating_add(1),
        }
    }
}

/// Where a plain scalar within braces ends; references in it belong to it.
fn plain_end(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in bytes.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        match byte {
            b'{' if before == Some(&b'$') => depth = depth.saturating_add(1),
            b'}' if depth > 0 => depth = depth.saturating_sub(1),
            b',' | b'}' | b']' if depth == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

/// Whether the value at the head of the text is one reference without a default.
fn is_only_a_reference(value: &str) -> bool {
    let inside = value.trim_start_matches(['"', '\'']).strip_prefix("${");
    let Some((reference, after)) = inside.and_then(|inside| inside.split_once('}')) else { return false };
    let after = after.trim_start_matches(['"', '\'']).trim_start();
    !reference.contains(":-") && (after.is_empty() || after.starts_with([',', '}', '#']))
}

impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Source").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_lines_and_columns_in_characters() {
        let source = Source::new("a.yaml", "é: 1\nbö: zwei\n");
        let span = source.span(11..15);
        assert_eq!((span.line, span.column), (2, 5));
        assert_eq!(span.to_string(), "a.yaml:2:5");
        assert_eq!(source.offset(2, 4), 11);
    }

    #[test]
    fn columns_are_right_far_into_a_long_line() {
        let text = "é".repeat(1_500) + "x";
        let source = Source::new("a.yaml", &text);
        assert_eq!(source.span(3_000..3_001).column, 1_501);
        assert_eq!(Source::new("b", &"x".repeat(1_024)).span(1_024..1_024).column, 1_025);
    }

    #[test]
    fn a_span_ends_with_its_line() {
        let source = Source::new("a.yaml", "a:\n  b: 1   \n  c: 2\n");
        let span = source.span(5..19);
        assert_eq!((span.start, span.end), (5, 9));
    }

    #[test]
    fn offsets_beyond_the_text_or_inside_a_character_are_moved_back() {
        let source = Source::new("a.yaml", "é");
        assert_eq!(source.span(1..99).start, 0);
        assert_eq!(source.span(99..99).line, 1);
    }

    #[test]
    fn hides_secrets_even_before_parsing() {
        let shown = |text: &str| Source::new("a", text).shown().to_owned();
        assert!(!shown("jwt: { secret: hunter2 ").contains("hunter2"));
        assert!(!shown("\"secret\" : \"hunter2\"\n").contains("hunter2"));
        assert!(!shown("secret: \"${env:A:-hunter2}\"\n").contains("hunter2"));
        assert_eq!(shown("secret: \"${env:A}\" # fine\nx: 1"), "secret: \"${env:A}\" # fine\nx: 1");
        for (before, value, after) in [
            ("- { jwt: { secret: ", "hunter2", ", algorithms: [HS256] }, path: /x }"),
            ("- { jwt: { secret: ", "'hun''ter, 2'", " }, path: /x }"),
            ("- { secret: ", r#""hun\"ter } 2""#, ", path: /x }"),
            ("{ secret: ", "x${env:A:-hunter2}y", ", path: /x }"),
            // Not closed, or not within braces: the rest of the line.
            ("- { secret: ", "\"hunter2, path: /x }", ""),
            ("secret: ", "hunter2, 3 }", ""),
        ] {
            let stars = "*".repeat(value.len());
            assert_eq!(shown(&format!("{before}{value}{after}")), format!("{before}{stars}{after}"));
        }
        let key =
            shown("a: |\n  -----BEGIN PRIVATE KEY-----\n  hunter2\n  -----END PRIVATE KEY-----\nb: 1\n");
        assert!(!key.contains("hunter2") && key.ends_with("-----END PRIVATE KEY-----\nb: 1\n"), "{key}");
        assert_eq!(shown("secret: höre\nx: 1").len(), "secret: höre\nx: 1".len());
    }
}
