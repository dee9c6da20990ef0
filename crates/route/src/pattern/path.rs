//! Path patterns: segments and how they end, or a regular expression.

use super::{AnchoredRegex, PatternError, PatternProblem};
use crate::normalize::{NormalizeOptions, normalize};
use std::cmp::Ordering;
use std::fmt;

/// One segment that must be there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Segment {
    /// These bytes; empty only as the last, for a path that ends with a slash.
    Literal(Box<str>),
    /// Any that is not empty, with its name.
    One(Option<Box<str>>),
}

/// What follows the segments.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ending {
    /// Nothing.
    End,
    /// The whole path matches this expression; the segments before it are the literals it begins with.
    Regex(AnchoredRegex),
    /// Anything, also nothing, with its name.
    Rest(Option<Box<str>>),
}

/// How specific a place in a pattern is: the smaller, the more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SegmentKind {
    /// A literal segment.
    Literal,
    /// Exactly one segment, `{name}` or `*`.
    One,
    /// The end of the path.
    End,
    /// A regular expression.
    Regex,
    /// The rest of the path, `{name...}` or a last `*`.
    Rest,
}

/// A path pattern. Displays what was written.
#[derive(Debug, Clone)]
pub struct PathPattern {
    text: Box<str>,
    pub(crate) segments: Vec<Segment>,
    pub(crate) ending: Ending,
}

impl PartialEq for PathPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for PathPattern {}

impl std::hash::Hash for PathPattern {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl PathPattern {
    /// How many segments a pattern may have.
    pub const MAX_SEGMENTS: usize = 64;

    /// Reads a path with `*`, `{name}` and `{name...}`, or `~` and a regular expression.
    ///
    /// # Errors
    /// [`PatternError`] says what is wrong, where, and what to write.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if let Some(expression) = text.strip_prefix('~') {
            let shift =
                |error: PatternError| PatternError::new(error.offset.saturating_add(1), error.problem);
            let regex = AnchoredRegex::parse(expression).map_err(shift)?;
            let segments = regex.literal_segments().into_iter().map(Segment::Literal).collect();
            return Ok(Self { text: text.into(), segments, ending: Ending::Regex(regex) });
        }
        let Some(rest) = text.strip_prefix('/') else {
            let problem = if text.is_empty() { PatternProblem::Empty } else { PatternProblem::NotAbsolute };
            return Err(PatternError::new(0, problem));
        };
        let mut pattern = Self { text: text.into(), segments: Vec::new(), ending: Ending::End };
        let mut offset = 1_usize;
        let mut parts = rest.split('/').peekable();
        while let Some(part) = parts.next() {
            pattern.add(part, offset, parts.peek().is_none())?;
            offset = offset.saturating_add(part.len()).saturating_add(1);
        }
        if pattern.segments.len() > Self::MAX_SEGMENTS {
            return Err(PatternError::new(0, PatternProblem::TooManySegments));
        }
        Ok(pattern)
    }

    fn add(&mut self, part: &str, offset: usize, last: bool) -> Result<(), PatternError> {
        let fail = |problem| Err(PatternError::new(offset, problem));
        match part {
            "" if !last => return fail(PatternProblem::EmptySegment),
            "." | ".." => return fail(PatternProblem::DotSegment),
            "*" if last => self.ending = Ending::Rest(None),
            "*" => self.segments.push(Segment::One(None)),
            _ => match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                Some(name) => {
                    let rest = name.strip_suffix("...");
                    let name = rest.unwrap_or(name);
                    self.check_name(name, offset)?;
                    match rest {
                        Some(_) if !last => return fail(PatternProblem::RestNotLast(name.into())),
                        Some(_) => self.ending = Ending::Rest(Some(name.into())),
                        None => self.segments.push(Segment::One(Some(name.into()))),
                    }
                }
                None if part.contains(['*', '{', '}']) => return fail(PatternProblem::PartialWildcard),
                None => self.segments.push(Segment::Literal(literal(part, offset)?)),
            },
        }
        Ok(())
    }

    fn check_name(&self, name: &str, offset: usize) -> Result<(), PatternError> {
        let mut characters = name.chars();
        let valid = characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
            && characters.all(|other| other.is_ascii_alphanumeric() || matches!(other, '_' | '-'));
        if !valid {
            return Err(PatternError::new(offset, PatternProblem::InvalidName(name.into())));
        }
        let known = |segment: &Segment| matches!(segment, Segment::One(Some(known)) if **known == *name);
        if self.segments.iter().any(known) {
            return Err(PatternError::new(offset, PatternProblem::RepeatedName(name.into())));
        }
        Ok(())
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How specific each place is, from the left.
    pub fn kinds(&self) -> impl Iterator<Item = SegmentKind> {
        let segments = self.segments.iter().map(|segment| match segment {
            Segment::Literal(_) => SegmentKind::Literal,
            Segment::One(_) => SegmentKind::One,
        });
        segments.chain(std::iter::once(match self.ending {
            Ending::End => SegmentKind::End,
            Ending::Regex(_) => SegmentKind::Regex,
            Ending::Rest(_) => SegmentKind::Rest,
        }))
    }

    /// Whether it matches one path only.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.kinds().all(|kind| matches!(kind, SegmentKind::Literal | SegmentKind::End))
    }

    /// Whether a normalised path matches. The plain definition, independent of the tree.
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        self.capture(path, &mut |_, _| {})
    }

    /// The named parts of a path that matches, still percent-encoded, in the order of the pattern.
    #[must_use]
    pub fn parameters(&self, path: &[u8]) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let matched = self.capture(path, &mut |name, value| found.push((name.to_owned(), text(value))));
        if matched { found } else { Vec::new() }
    }

    /// Writes the named part of a path that matches, still percent-encoded; `false`: there is none.
    #[must_use]
    pub fn parameter(&self, path: &[u8], wanted: &str, room: &mut Vec<u8>) -> bool {
        let mut there = false;
        let matched = self.capture(path, &mut |name, value| {
            if name == wanted {
                room.extend_from_slice(value);
                there = true;
            }
        });
        matched && there
    }

    /// Whether this is written for a path as it is, with its escapes: it matches that, and not the same path decoded. A regular
    /// expression that says nothing of escapes only misses what is decoded.
    #[must_use]
    pub fn is_for_escapes(&self, decoded: &[u8]) -> bool {
        let text = self.as_str();
        (!text.starts_with('~') || text.contains('%')) && !self.matches(decoded)
    }

    /// Whether the pattern names such a part.
    #[must_use]
    pub fn names(&self, wanted: &str) -> bool {
        let is = |name: &Option<Box<str>>| name.as_deref() == Some(wanted);
        self.segments.iter().any(|segment| matches!(segment, Segment::One(name) if is(name)))
            || match &self.ending {
                Ending::End => false,
                Ending::Rest(name) => is(name),
                Ending::Regex(regex) => regex.names(wanted),
            }
    }

    fn capture(&self, path: &[u8], found: &mut dyn FnMut(&str, &[u8])) -> bool {
        if let Ending::Regex(regex) = &self.ending {
            return regex.capture(path, found);
        }
        let mut rest = path.strip_prefix(b"/");
        for segment in &self.segments {
            let Some(current) = rest else { return false };
            let (part, next) = split_segment(current);
            match segment {
                Segment::Literal(literal) if literal.as_bytes() != part => return false,
                Segment::One(_) if part.is_empty() => return false,
                Segment::One(Some(name)) => found(name, part),
                Segment::Literal(_) | Segment::One(None) => {}
            }
            rest = next;
        }
        match (&self.ending, rest) {
            (Ending::End, rest) => rest.is_none(),
            (Ending::Rest(Some(name)), rest) => {
                found(name, rest.unwrap_or_default());
                true
            }
            (_, _) => true,
        }
    }

    /// A path that matches, if one can be made up.
    pub(crate) fn example(&self) -> Option<String> {
        if let Ending::Regex(regex) = &self.ending {
            return regex.example().filter(|path| path.starts_with('/') && self.matches(path.as_bytes()));
        }
        let mut path = String::new();
        for segment in &self.segments {
            path.push('/');
            path.push_str(match segment {
                Segment::Literal(literal) => literal,
                Segment::One(name) => name.as_deref().unwrap_or("x"),
            });
        }
        if matches!(self.ending, Ending::Rest(_)) {
            path.push_str("/x");
        }
        Some(path)
    }

    /// Orders patterns as requests meet them: more specific first, then by text so that it is total.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let places = self.kinds().cmp(other.kinds());
        places.then_with(|| self.text.cmp(&other.text))
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// The first segment, and what follows its slash; `None` when no slash follows.
pub(crate) fn split_segment(path: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b'/', path).and_then(|slash| path.split_at_checked(slash)) {
        Some((segment, rest)) => (segment, rest.get(1..)),
        None => (path, None),
    }
}

/// A literal segment in the form that requests have.
fn literal(part: &str, offset: usize) -> Result<Box<str>, PatternError> {
    let invalid = |error| PatternError::new(offset, PatternProblem::InvalidLiteral(error));
    let mut scratch = Vec::new();
    let path = format!("/{part}");
    // An encoded slash is kept: whether requests may have one is for the server to say.
    let options = NormalizeOptions { encoded_slashes: crate::EncodedSlashes::Keep };
    let normal = normalize(path.as_bytes(), &options, &mut scratch).map_err(invalid)?;
    let segment = normal.strip_prefix(b"/").unwrap_or(normal);
    Ok(String::from_utf8_lossy(segment).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> PatternProblem {
        PathPattern::parse(text).unwrap_err().problem
    }

    #[test]
    fn patterns_match_what_they_say() {
        for (pattern, yes, no) in [
            ("/", &["/"][..], &["/a"][..]),
            ("/a/b", &["/a/b"], &["/a/b/", "/a", "/a/c"]),
            ("/a/", &["/a/"], &["/a"]),
            ("/a/*/c", &["/a/b/c"], &["/a//c", "/a/b", "/a/b/c/d"]),
            ("/a/{x}", &["/a/b"], &["/a/", "/a", "/a/b/"]),
            ("/a/*", &["/a", "/a/", "/a/b", "/a/b/c"], &["/ab", "/"]),
            ("/*", &["/", "/a/b"], &[]),
            ("/a/{x...}", &["/a", "/a/b/c"], &["/b"]),
            ("~/v[0-9]+/.*", &["/v1/", "/v22/a"], &["/v/a", "/v1", "/x/v1/"]),
            ("/grün", &["/gr%C3%BCn"], &["/grün"]),
        ] {
            let parsed = PathPattern::parse(pattern).unwrap();
            for path in yes {
                assert!(parsed.matches(path.as_bytes()), "{pattern} {path}");
            }
            for path in no {
                assert!(!parsed.matches(path.as_bytes()), "{pattern} {path}");
            }
            assert_eq!(parsed.to_string(), pattern);
            let example = parsed.example().unwrap();
            assert!(parsed.matches(example.as_bytes()), "{pattern} {example}");
        }
    }

    #[test]
    fn parameters_are_named() {
        let pattern = PathPattern::parse("/users/{id}/files/{path...}").unwrap();
        let found = pattern.parameters(b"/users/7/files/a/b");
        assert_eq!(found, [("id".into(), "7".into()), ("path".into(), "a/b".into())]);
        let pattern = PathPattern::parse("~/v(?<major>[0-9]+)/.*").unwrap();
        assert_eq!(pattern.parameters(b"/v3/x"), [("major".into(), "3".into())]);
    }

    #[test]
    fn what_can_never_match_is_refused() {
        assert_eq!(problem(""), PatternProblem::Empty);
        assert_eq!(problem("a"), PatternProblem::NotAbsolute);
        assert_eq!(problem("/a//b"), PatternProblem::EmptySegment);
        assert_eq!(problem("/a/../b"), PatternProblem::DotSegment);
        assert_eq!(problem("/a*/b"), PatternProblem::PartialWildcard);
        assert_eq!(problem("/{a...}/b"), PatternProblem::RestNotLast("a".into()));
        assert_eq!(problem("/{1}"), PatternProblem::InvalidName("1".into()));
        assert_eq!(problem("/{a}/{a}"), PatternProblem::RepeatedName("a".into()));
        assert!(matches!(problem("/a%zz"), PatternProblem::InvalidLiteral(_)));
        assert!(matches!(problem("~/a("), PatternProblem::InvalidRegex(_)));
    }
}
