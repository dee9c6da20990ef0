//! What of a request an answer depends on (`Vary`, RFC 9111 section 4.1).

use crate::Fields;

/// More fields than these depend on everything.
const MOST: usize = 16;

/// Fields of a request by which an answer was chosen, with what they said; blanks around lines do not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant(Box<[Named]>);

/// A field and what it said, if it was there.
type Named = (Box<str>, Option<Box<[u8]>>);

impl Variant {
    /// The fields of `request` that the `Vary` of `answer` names, and `always` some. Nothing when it depends on more
    /// than fields (`*`), or nobody can say on what.
    pub fn of<'n>(
        answer: &(impl Fields + ?Sized),
        request: &(impl Fields + ?Sized),
        always: impl IntoIterator<Item = &'n str>,
    ) -> Option<Self> {
        let mut names: Vec<Box<str>> = always.into_iter().map(Box::from).collect();
        let most = names.len().saturating_add(MOST);
        for name in answer.values("vary").flat_map(|line| line.split(|byte| *byte == b',')) {
            let name = name.trim_ascii();
            if name.is_empty() {
                continue;
            }
            let is_name = |byte: &u8| byte.is_ascii_graphic() && !b"*\"(),/:;<=>?@[\\]{}".contains(byte);
            if !name.iter().all(is_name) || names.len() >= most {
                return None;
            }
            let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
            if !names.iter().any(|known| **known == *name) {
                names.push(name.into());
            }
        }
        let valued = names.into_iter().map(|name| {
            let said = said(request, &name);
            (name, said)
        });
        Some(Self(valued.collect()))
    }

    /// Whether a request says the same.
    pub fn matches(&self, request: &(impl Fields + ?Sized)) -> bool {
        self.0.iter().all(|(name, expected)| match expected {
            None => !request.has(name),
            Some(expected) => says(request, name, expected),
        })
    }

    /// What it takes in memory, in bytes.
    #[must_use]
    pub fn weight(&self) -> usize {
        let each = |(name, value): &Named| {
            let value = value.as_ref().map_or(0, |value| value.len());
            size_of::<Named>().saturating_add(name.len()).saturating_add(value)
        };
        self.0.iter().map(each).fold(0, usize::saturating_add)
    }
}

/// Lines of one field are one list.
fn said(request: &(impl Fields + ?Sized), name: &str) -> Option<Box<[u8]>> {
    let mut lines = request.values(name).map(<[u8]>::trim_ascii);
    let mut said = lines.next()?.to_vec();
    for line in lines {
        said.extend_from_slice(b", ");
        said.extend_from_slice(line);
    }
    Some(said.into())
}

/// As to compare with [`said`], without making it.
fn says(request: &(impl Fields + ?Sized), name: &str, expected: &[u8]) -> bool {
    let mut lines = request.values(name).map(<[u8]>::trim_ascii);
    let Some(mut rest) = lines.next().and_then(|line| expected.strip_prefix(line)) else { return false };
    for line in lines {
        match rest.strip_prefix(b", ").and_then(|rest| rest.strip_prefix(line)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Lines = [(&'static str, &'static str)];

    fn variant(vary: &Lines, request: &Lines) -> Option<Variant> {
        Variant::of(vary, request, ["x-always"])
    }

    #[test]
    fn the_fields_that_vary_names_decide() {
        let french: &Lines = &[("Accept-Language", " fr "), ("X-Other", "1")];
        let made =
            variant(&[("Vary", "accept-language, ,Accept-Encoding"), ("vary", "ACCEPT-ENCODING")], french);
        let made = made.unwrap();
        for (request, same) in [
            (french, true),
            (&[("accept-language", "fr")], true),
            (&[("Accept-Language", "FR")], false),
            (&[("Accept-Language", "fr, de")], false),
            (&[("Accept-Language", "f")], false),
            (&[("Accept-Language", "fr"), ("Accept-Encoding", "")], false),
            (&[("Accept-Language", "fr"), ("X-Always", "a")], false),
            (&[], false),
        ] {
            assert_eq!(made.matches(request), same, "{request:?}");
        }
        assert!(made.weight() > 40);
    }

    #[test]
    fn lines_of_a_field_are_one_list() {
        let two: &Lines = &[("A", "1"), ("A", " 2")];
        let made = variant(&[("Vary", "a")], two).unwrap();
        assert!(made.matches(two));
        assert!(made.matches(&[("a", "1, 2")] as &Lines));
        assert!(!made.matches(&[("a", "1"), ("a", "2"), ("a", "3")] as &Lines));
        assert!(!made.matches(&[("a", "1")] as &Lines));
    }

    #[test]
    fn what_depends_on_everything_is_none() {
        for vary in ["*", "a, *", "a b", "a;q=1", "\"a\"", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"] {
            assert_eq!(variant(&[("Vary", vary)], &[]), None, "{vary}");
        }
        assert!(variant(&[("Vary", "")], &[]).unwrap().matches(&[] as &Lines));
    }
}
