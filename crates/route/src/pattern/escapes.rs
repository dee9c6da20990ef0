//! Escapes in patterns, and how paths have them.

use super::{Ending, PathPattern, Segment};
use crate::normalize::{EncodedSlashes, NormalizeOptions, normalize};

/// An escape that a pattern asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternEscape {
    /// As it is written, such as `%3a`; in upper case where the pattern was brought into the form that paths have.
    pub written: String,
    /// As a path has it that is matched: `%3A`; `a` for `%61`. Nothing where no path may have it (`%00`).
    pub normal: Option<String>,
}

impl PatternEscape {
    fn read(written: &str) -> Self {
        // Between letters, so that no dot is a segment.
        let path = format!("/x{written}x");
        let options = NormalizeOptions { encoded_slashes: EncodedSlashes::Keep };
        let normal = normalize(path.as_bytes(), &options, &mut Vec::new()).ok().map(|path| {
            let inner = path.get(2..path.len().saturating_sub(1)).unwrap_or_default();
            String::from_utf8_lossy(inner).into_owned()
        });
        Self { written: written.to_owned(), normal }
    }

    /// Whether it is a slash or a backslash, which paths have only where the server lets them.
    #[must_use]
    pub fn is_slash(&self) -> bool {
        matches!(self.normal.as_deref(), Some("%2F" | "%5C"))
    }
}

impl PathPattern {
    /// The escapes that paths must have to match, each once; of an expression those that stand in it as they are.
    #[must_use]
    pub fn escapes(&self) -> Vec<PatternEscape> {
        let texts = match &self.ending {
            Ending::Regex(regex) => regex.literals(),
            Ending::End | Ending::Rest(_) => {
                let literal = |segment: &Segment| match segment {
                    Segment::Literal(literal) => Some(literal.to_string()),
                    Segment::One(_) => None,
                };
                self.segments.iter().filter_map(literal).collect()
            }
        };
        let mut all: Vec<PatternEscape> = Vec::new();
        for written in texts.iter().flat_map(|text| escapes_in(text)) {
            if all.iter().all(|known| known.written != written) {
                all.push(PatternEscape::read(written));
            }
        }
        all
    }
}

fn escapes_in(text: &str) -> impl Iterator<Item = &str> {
    let is_escape = |three: &&str| three.bytes().skip(1).all(|digit| digit.is_ascii_hexdigit());
    text.match_indices('%').filter_map(|(at, _)| text.get(at..at.saturating_add(3))).filter(is_escape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_told_with_their_form_in_paths() {
        for (pattern, told) in [
            ("/a/{b}/*", &[][..]),
            ("/%61%2f/%3a%3A/{x}/%20/*", &[("%2F", Some("%2F")), ("%3A", Some("%3A")), ("%20", Some("%20"))]),
            ("~/a%3a(%61|x%2Fy)?", &[("%3a", Some("%3A")), ("%61", Some("a")), ("%2F", Some("%2F"))]),
            ("~/%2e/%00", &[("%2e", Some(".")), ("%00", None)]),
            // In any case, or one of several characters: nobody can say what was meant.
            ("~/(?i:%3a)[%3a]%", &[]),
        ] {
            let escapes = PathPattern::parse(pattern).unwrap().escapes();
            let found: Vec<_> = escapes.iter().map(|one| (&*one.written, one.normal.as_deref())).collect();
            assert_eq!(found, told, "{pattern}");
        }
    }
}
