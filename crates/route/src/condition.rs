//! Conditions on header fields and query parameters.

use crate::alike::is_alike_parameter;
use crate::pattern::AnchoredRegex;
use crate::request::RequestView;
use crate::wide::without_wide_escapes;
use std::borrow::Cow;

/// What is asked of a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValueTest {
    /// There is exactly one, and it is this.
    Exact(Box<str>),
    /// There is exactly one, and this expression matches all of it.
    Regex(AnchoredRegex),
    /// Whether there is any.
    Present(bool),
}

/// How often a value occurs, and the first.
pub(crate) struct Values<'a> {
    pub(crate) count: usize,
    pub(crate) first: Option<Cow<'a, [u8]>>,
}

impl ValueTest {
    fn holds(&self, values: &Values<'_>) -> bool {
        match (self, values) {
            (Self::Present(wanted), values) => *wanted == (values.count > 0),
            // Two lines are two readings: neither is believed.
            (Self::Exact(exact), Values { count: 1, first: Some(value) }) => exact.as_bytes() == &**value,
            (Self::Regex(regex), Values { count: 1, first: Some(value) }) => regex.is_match(value),
            (Self::Exact(_) | Self::Regex(_), _) => false,
        }
    }

    /// Whether it holds where only this value counts.
    fn is(&self, value: &[u8]) -> bool {
        match self {
            Self::Present(wanted) => *wanted,
            Self::Exact(exact) => exact.as_bytes() == value,
            Self::Regex(regex) => regex.is_match(value),
        }
    }

    /// Whether one request can satisfy both; `None` when that cannot be told.
    pub(crate) fn compatible(&self, other: &Self) -> Option<bool> {
        Some(match (self, other) {
            (Self::Present(one), Self::Present(other)) => one == other,
            (Self::Present(present), _) | (_, Self::Present(present)) => *present,
            (Self::Exact(one), Self::Exact(other)) => one == other,
            (Self::Exact(exact), Self::Regex(regex)) | (Self::Regex(regex), Self::Exact(exact)) => {
                regex.is_match(exact.as_bytes())
            }
            (Self::Regex(one), Self::Regex(other)) if one == other => true,
            (Self::Regex(_), Self::Regex(_)) => return None,
        })
    }

    /// A value that satisfies it; `None` for an absent one.
    pub(crate) fn example(&self) -> Option<String> {
        match self {
            Self::Exact(exact) => Some(exact.to_string()),
            Self::Regex(regex) => regex.example(),
            Self::Present(true) => Some("x".into()),
            Self::Present(false) => None,
        }
    }
}

/// A condition on a header field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeaderCondition {
    /// The field's name, in lower case.
    pub name: Box<str>,
    /// What is asked.
    pub test: ValueTest,
}

impl HeaderCondition {
    pub(crate) fn holds(&self, request: &impl RequestView) -> bool {
        let (count, first) = request.header(&self.name);
        self.test.holds(&Values { count, first: first.map(Cow::Borrowed) })
            || (request.is_loose() && request.any_header(&self.name, &mut |value| self.test.is(value)))
    }
}

/// A condition on a query parameter, compared after percent-decoding. What stands behind a `;`, has a name that is only
/// alike ([`is_alike_parameter`]) or an escape that some undo ([`without_wide_escapes`]) is one more value to some services:
/// it makes a value one of several, and is one for a loose service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryCondition {
    /// The parameter's name.
    pub name: Box<str>,
    /// What is asked.
    pub test: ValueTest,
}

impl QueryCondition {
    pub(crate) fn holds(&self, request: &impl RequestView) -> bool {
        let query = request.query().unwrap_or_default();
        let mut values = Values { count: 0, first: None };
        let mut others = false;
        for pair in query.split(|byte| *byte == b'&') {
            match self.reads(pair) {
                Some((Reading::Own, value)) => {
                    values.count = values.count.saturating_add(1);
                    values.first.get_or_insert_with(|| decode(value));
                }
                Some((Reading::Alike, _)) => others = true,
                None => {}
            }
        }
        let strictly_absent = values.count == 0;
        let wide = without_wide_escapes(query);
        // A service that finds another value there may take that one.
        if self.test != ValueTest::Present(true)
            && (others
                || self.is_behind_semicolon(query)
                || wide.as_ref().is_some_and(|read| self.is_another(query, read)))
        {
            values.count = values.count.saturating_add(1);
        }
        self.test.holds(&values)
            || (request.is_loose()
                && match self.test {
                    ValueTest::Present(false) => strictly_absent,
                    _ => self.holds_for_one(query) || wide.is_some_and(|read| self.holds_for_one(&read)),
                })
    }

    /// Whether a value is another one in this reading of the query, or is one there alone.
    fn is_another(&self, query: &[u8], read: &[u8]) -> bool {
        let pairs = |text| <[u8]>::split(text, |byte: &u8| matches!(byte, b'&' | b';'));
        pairs(query).zip(pairs(read)).any(|(own, read)| own != read && self.reads(read).is_some())
    }

    /// Whether a value stands behind a `;`.
    fn is_behind_semicolon(&self, query: &[u8]) -> bool {
        memchr::memchr(b';', query).is_some()
            && query
                .split(|byte| *byte == b'&')
                .flat_map(|pair| pair.split(|byte| *byte == b';').skip(1))
                .any(|piece| self.reads(piece).is_some())
    }

    /// Whether it holds for one value of several, or behind a `;`, or of a name that is alike.
    fn holds_for_one(&self, query: &[u8]) -> bool {
        let is = |pair: &[u8]| self.reads(pair).is_some_and(|(_, value)| self.test.is(&decode(value)));
        query.split(|byte| *byte == b'&').any(|pair| is(pair) || pair.split(|byte| *byte == b';').any(is))
    }

    /// The value of a pair, not decoded, if it has the name or one that is alike.
    fn reads<'q>(&self, pair: &'q [u8]) -> Option<(Reading, &'q [u8])> {
        let cut = memchr::memchr(b'=', pair).unwrap_or(pair.len());
        let (name, value) = pair.split_at_checked(cut).unwrap_or((pair, b""));
        let name = decode(name);
        let reading = if name.is_empty() {
            return None;
        } else if *name == *self.name.as_bytes() {
            Reading::Own
        } else if is_alike_parameter(&name, &self.name) {
            Reading::Alike
        } else {
            return None;
        };
        Some((reading, value.get(1..).unwrap_or_default()))
    }
}

/// Whose value a pair has.
enum Reading {
    /// The parameter's.
    Own,
    /// That of one which some services take for it.
    Alike,
}

/// `application/x-www-form-urlencoded`: `+` is a space. What is no escape stays as it is.
fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'+', _) => decoded.push(b' '),
            (b'%', [high, low, tail @ ..]) => match crate::normalize::decode_escape(*high, *low) {
                Some(value) => {
                    decoded.push(value);
                    rest = tail;
                }
                None => decoded.push(byte),
            },
            _ => decoded.push(byte),
        }
    }
    Cow::Owned(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Request {
        query: &'static str,
        lines: &'static [&'static str],
        loose: bool,
    }

    impl RequestView for Request {
        fn host(&self) -> &[u8] {
            b""
        }

        fn port(&self) -> Option<u16> {
            None
        }

        fn method(&self) -> &[u8] {
            b"GET"
        }

        fn path(&self) -> &[u8] {
            b"/"
        }

        fn query(&self) -> Option<&[u8]> {
            Some(self.query.as_bytes())
        }

        fn header(&self, _: &str) -> (usize, Option<&[u8]>) {
            (self.lines.len(), self.lines.first().map(|line| line.as_bytes()))
        }

        fn is_loose(&self) -> bool {
            self.loose
        }

        fn any_header(&self, _: &str, is_so: &mut dyn FnMut(&[u8]) -> bool) -> bool {
            self.lines.iter().any(|line| is_so(line.as_bytes()))
        }
    }

    #[test]
    fn one_of_several_values_is_enough_only_for_a_loose_service() {
        let one = ValueTest::Exact("1".into());
        for (query, test, strictly, loosely) in [
            ("a=1", &one, true, true),
            ("a=2", &one, false, false),
            ("a=2&a=1", &one, false, true),
            ("a=1&%61=2", &one, false, true),
            ("b=2;a=1", &one, false, true),
            ("a=1;b=2", &one, false, true),
            ("a=1&b=2;a=2", &one, false, true),
            ("a=1&b=2;c=2", &one, true, true),
            ("b=1&c=a", &one, false, false),
            ("b=2;a", &ValueTest::Present(true), false, true),
            ("b=2;a", &ValueTest::Present(false), false, true),
            ("A=1", &one, false, true),
            ("%20a=1", &one, false, true),
            ("a%00=1", &one, false, true),
            ("a[]=1", &one, false, true),
            ("A=2", &one, false, false),
            ("a=1&A=2", &one, false, true),
            ("a=2&b=3;A=1", &one, false, true),
            ("a=1&Ab=2", &one, true, true),
            ("]a=1", &one, false, true),
            ("[[a]=1", &one, false, true),
            ("%u0061=1", &one, false, true),
            ("%u0061=2", &one, false, false),
            ("a=%u0031", &one, false, true),
            ("a=1&b=%u0031", &one, true, true),
            ("a=1&b=2;%u0041=2", &one, false, true),
            ("%u0061", &ValueTest::Present(true), false, true),
            ("%u0061", &ValueTest::Present(false), false, true),
            ("a=%u0031", &ValueTest::Present(true), true, true),
            ("A", &ValueTest::Present(true), false, true),
            ("a&A", &ValueTest::Present(true), true, true),
            ("A", &ValueTest::Present(false), false, true),
            ("a&A", &ValueTest::Present(false), false, false),
            ("a", &ValueTest::Present(false), false, false),
            ("b", &ValueTest::Present(false), true, true),
        ] {
            let condition = QueryCondition { name: "a".into(), test: test.clone() };
            let holds = |loose| condition.holds(&Request { query, lines: &[], loose });
            assert_eq!((holds(false), holds(true)), (strictly, loosely), "{query} {test:?}");
        }
        for (lines, strictly, loosely) in [
            (&["1"][..], true, true),
            (&["2", "1"], false, true),
            (&["2", "3"], false, false),
            (&[], false, false),
        ] {
            let condition = HeaderCondition { name: "x-a".into(), test: one.clone() };
            let holds = |loose| condition.holds(&Request { query: "", lines, loose });
            assert_eq!((holds(false), holds(true)), (strictly, loosely), "{lines:?}");
        }
    }
}
