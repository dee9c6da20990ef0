//! Paths as services read them that decode escapes before they look.
//!
//! Normalisation keeps the escape of a byte that may stand in a segment as it is (`%3A`, `%40`, `%24`): RFC 3986 section
//! 2.2 lets the two differ, and some services tell them apart. Most do not: `/items%3Adelete` is `/items:delete` to them.

use crate::normalize::{decode_escape, is_path_character};
use crate::parameters::without_parameters;

/// A normalised path and what else it is to services: to one that ignores parameters of segments, to one that decodes before
/// it looks and to one that does both. Most paths are nothing else, and then nothing is allocated. Slashes stay escaped.
#[derive(Debug)]
pub struct Spellings<'p> {
    written: &'p [u8],
    plain: Option<Vec<u8>>,
    decoded: Option<Vec<u8>>,
    /// Where that is not the plain one.
    both: Option<Vec<u8>>,
}

/// What a path is besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spelling<'s> {
    /// The path in it.
    pub path: &'s [u8],
    /// The one with escapes that it was decoded from. What is written for that is meant for it in place of what takes both
    /// ([`PathPattern::is_for_escapes`](crate::PathPattern::is_for_escapes)).
    pub escaped: Option<&'s [u8]>,
}

impl<'p> Spellings<'p> {
    /// Those of a path.
    #[must_use]
    pub fn of(written: &'p [u8]) -> Self {
        let (plain, decoded) = (without_parameters(written), decoded(written));
        let both = decoded.as_deref().and_then(without_parameters);
        let both = both.filter(|both| plain.as_ref() != Some(both));
        Self { written, plain, decoded, both }
    }

    /// Without parameters of segments, where it has some.
    #[must_use]
    pub fn plain(&self) -> Option<&[u8]> {
        self.plain.as_deref()
    }

    /// With the escapes decoded of what may stand in a segment as it is, where it has some.
    #[must_use]
    pub fn decoded(&self) -> Option<&[u8]> {
        self.decoded.as_deref()
    }

    /// To a service that decodes and ignores parameters; the path itself where it is nothing else.
    #[must_use]
    pub fn plainest(&self) -> &[u8] {
        let other = self.both.as_ref().or(self.plain.as_ref()).or(self.decoded.as_ref());
        other.map_or(self.written, Vec::as_slice)
    }

    /// All but the one that is written: plain, decoded, both.
    pub fn others(&self) -> impl Iterator<Item = Spelling<'_>> {
        let plain = self.plain().map(|path| Spelling { path, escaped: None });
        let decoded = self.decoded().map(|path| Spelling { path, escaped: Some(self.written) });
        let both = self.both.as_deref().map(|path| Spelling { path, escaped: self.plain() });
        plain.into_iter().chain(decoded).chain(both)
    }
}

/// A normalised path with the escapes decoded of what may stand in a segment as it is (`!$&'()*+,;=:@`, RFC 3986 section
/// 3.3). `None` when there is none, and then nothing is allocated. Slashes stay escaped.
#[must_use]
pub fn decoded(path: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr_iter(b'%', path)
        .any(|at| path.get(at..).and_then(escaped).is_some_and(is_path_character))
        .then(|| decode(path, true, false))
}

/// Every way in which a service may decode a normalised path before it looks, with parameters and without; that as it is
/// comes first. With escaped slashes as slashes, too.
pub(crate) fn all_spellings(path: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![path.to_vec()];
    for (characters, slashes) in [(false, false), (true, false), (false, true), (true, true)] {
        let read = decode(path, characters, slashes);
        let plain = without_parameters(&read);
        for spelling in std::iter::once(read).chain(plain) {
            if !all.contains(&spelling) {
                all.push(spelling);
            }
        }
    }
    all
}

/// Escapes decoded, and no segment that is empty for it.
fn decode(path: &[u8], characters: bool, slashes: bool) -> Vec<u8> {
    let mut read = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        let byte = escaped(rest).and_then(|byte| match byte {
            b'/' | b'\\' => slashes.then_some(b'/'),
            byte => (characters && is_path_character(byte)).then_some(byte),
        });
        rest = if byte.is_some() { rest.get(3..).unwrap_or_default() } else { after };
        let byte = byte.unwrap_or(*first);
        if byte != b'/' || read.last() != Some(&b'/') {
            read.push(byte);
        }
    }
    read
}

/// The byte that the escape at the start stands for.
fn escaped(rest: &[u8]) -> Option<u8> {
    match rest {
        &[b'%', high, low, ..] => decode_escape(high, low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(all: Vec<Vec<u8>>) -> Vec<String> {
        all.into_iter().map(|one| String::from_utf8(one).unwrap()).collect()
    }

    #[test]
    fn what_may_stand_as_it_is_is_decoded_and_nothing_else() {
        let path = b"/%21%24%26%27%28%29%2A%2B%2C%3B%3D%3A%40/%20%25%2F%22%3C%5B%5E%7B%7C%C3%A4";
        let read = decoded(path).unwrap();
        assert_eq!(String::from_utf8(read).unwrap(), "/!$&'()*+,;=:@/%20%25%2F%22%3C%5B%5E%7B%7C%C3%A4");
        for plain in ["/", "/a:b", "/a%20b", "/a%2Fb", "/%2540", "/%C3%A4"] {
            let spellings = Spellings::of(plain.as_bytes());
            assert_eq!((spellings.decoded(), spellings.plainest()), (None, plain.as_bytes()), "{plain}");
            assert_eq!(spellings.others().count(), 0, "{plain}");
        }
    }

    #[test]
    fn decoding_and_parameters_go_together() {
        for (path, said) in [
            ("/a;v/b", &[("/a/b", None)][..]),
            ("/%40me", &[("/@me", Some("/%40me"))]),
            ("/a%3Bv", &[("/a", None), ("/a;v", Some("/a%3Bv"))]),
            ("/%40me;v", &[("/%40me", None), ("/@me;v", Some("/%40me;v")), ("/@me", Some("/%40me"))]),
        ] {
            let spellings = Spellings::of(path.as_bytes());
            let text = |path| std::str::from_utf8(path).unwrap();
            let others: Vec<_> =
                spellings.others().map(|other| (text(other.path), other.escaped.map(text))).collect();
            assert_eq!(others, said, "{path}");
            let plainest = spellings.plainest();
            assert!(!plainest.contains(&b';') && !plainest.contains(&b'%'), "{path}");
        }
        assert_eq!(texts(all_spellings(b"/a")), ["/a"]);
        assert_eq!(texts(all_spellings(b"/a;x%2Fb")), ["/a;x%2Fb", "/a", "/a;x/b", "/a/b"]);
        assert_eq!(
            texts(all_spellings(b"/a%2F%40")),
            ["/a%2F%40", "/a%2F@", "/a/%40", "/a/@"],
            "a slash may be data to a service that decodes segments"
        );
    }
}
