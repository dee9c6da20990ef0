//! Paths as services read them that are less strict than the router.

use crate::spelling::all_spellings;

/// Paths up to this length get a slash without room being asked for.
const SHORT: usize = 256;

/// Whether `is_so` is true of what a normalised path may mean to a service besides itself: without the slash at
/// its end, in lower case, with escapes decoded (`%3A`, and kept `%2F` and `%5C` as slashes), without parameters of segments,
/// without dots and spaces at the end of its segments (as files have none on Windows); where `slash` is set, also with a
/// slash at its end. Each is asked about once, and the path itself is not. Where only a slash makes the difference, as for
/// most paths, nothing is allocated.
pub fn any_looser(path: &[u8], slash: bool, mut is_so: impl FnMut(&[u8]) -> bool) -> bool {
    if path == b"/" {
        return false;
    }
    let mut before = b'/';
    let is_loose = |byte: &u8| {
        let after = std::mem::replace(&mut before, *byte);
        byte.is_ascii_uppercase() || matches!(byte, b'%' | b';') || (after == b'.' && *byte == b'/')
    };
    if path.ends_with(b".") || path.iter().any(is_loose) {
        return looser(path, slash).iter().any(|reading| is_so(reading));
    }
    match path.strip_suffix(b"/") {
        Some(bare) => is_so(bare),
        None => slash && with_slash(path, is_so),
    }
}

fn with_slash(path: &[u8], mut is_so: impl FnMut(&[u8]) -> bool) -> bool {
    let mut short = [0; SHORT];
    let Some(room) = short.get_mut(..=path.len()) else { return is_so(&[path, b"/"].concat()) };
    let (start, end) = room.split_at_mut(path.len());
    start.copy_from_slice(path);
    end.fill(b'/');
    is_so(room)
}

fn looser(path: &[u8], slash: bool) -> Vec<Vec<u8>> {
    let mut readings = Vec::new();
    if memchr::memchr2(b'%', b';', path).is_none() {
        read_loosely(path.to_vec(), &mut readings);
    } else {
        all_spellings(path).into_iter().for_each(|spelling| read_loosely(spelling, &mut readings));
    }
    if slash {
        let with = |reading: &Vec<u8>| [reading.as_slice(), b"/"].concat();
        let more: Vec<Vec<u8>> =
            readings.iter().filter(|reading| !reading.ends_with(b"/")).map(with).collect();
        readings.extend(more);
    }
    readings.retain(|reading| reading != path);
    readings
}

/// Adds what one spelling means without the slash at its end, in lower case and without dots and spaces.
fn read_loosely(spelling: Vec<u8>, readings: &mut Vec<Vec<u8>>) {
    let bare = match spelling.strip_suffix(b"/") {
        Some(bare) if !bare.is_empty() => bare.to_vec(),
        _ => spelling,
    };
    let trimmed = without_ends(&bare);
    let (lower, trimmed_lower) = (lowered(&bare), lowered(&trimmed));
    for reading in [bare, lower, trimmed, trimmed_lower] {
        if !readings.contains(&reading) {
            readings.push(reading);
        }
    }
}

/// Segments without dots and spaces at their end, and no segment that is empty for it.
fn without_ends(path: &[u8]) -> Vec<u8> {
    let mut read = Vec::with_capacity(path.len());
    for mut segment in path.split(|byte| *byte == b'/') {
        while let Some(rest) = segment.strip_suffix(b".").or_else(|| segment.strip_suffix(b"%20")) {
            segment = rest;
        }
        if !segment.is_empty() {
            read.push(b'/');
            read.extend_from_slice(segment);
        }
    }
    if read.is_empty() { b"/".to_vec() } else { read }
}

/// A normalised path in lower case; `None` where it is already.
#[must_use]
pub fn lower_case(path: &[u8]) -> Option<Vec<u8>> {
    let lower = lowered(path);
    (lower != path).then_some(lower)
}

/// Letters in lower case; the digits of escapes stay in upper case, as they are normal.
fn lowered(path: &[u8]) -> Vec<u8> {
    let mut digits = 0_u8;
    let lower = |byte: &u8| {
        if *byte == b'%' {
            digits = 2;
        } else if digits > 0 {
            digits = digits.saturating_sub(1);
            return *byte;
        }
        byte.to_ascii_lowercase()
    };
    path.iter().map(lower).collect()
}

#[cfg(test)]
mod tests {
    use super::any_looser;
    use crate::normalize::{EncodedSlashes, NormalizeOptions, normalize};
    use proptest::prelude::*;

    fn normal(path: &str) -> Option<Vec<u8>> {
        let options = NormalizeOptions { encoded_slashes: EncodedSlashes::Keep };
        normalize(path.as_bytes(), &options, &mut Vec::new()).ok().map(<[u8]>::to_vec)
    }

    fn looser(path: &[u8], slash: bool) -> Vec<Vec<u8>> {
        let mut readings = Vec::new();
        assert!(!any_looser(path, slash, |reading| {
            readings.push(reading.to_vec());
            false
        }));
        readings
    }

    #[test]
    fn the_search_ends_with_what_is_sought() {
        let long = [b"/".as_slice(), &[b'a'; 300]].concat();
        for (path, slash) in [(&b"/a/"[..], false), (b"/a", true), (&long, true), (b"/A/", false)] {
            let mut asked = 0;
            assert!(any_looser(path, slash, |_| {
                asked += 1;
                true
            }));
            assert_eq!(asked, 1);
        }
        assert_eq!(looser(&long, true), [[&long[..], b"/"].concat()]);
    }

    #[test]
    fn what_a_loose_service_may_mean() {
        for (path, slash, readings) in [
            ("/admin", false, &[][..]),
            ("/", false, &[]),
            ("/", true, &[]),
            ("/admin/", false, &["/admin"]),
            ("/Admin/x", false, &["/admin/x"]),
            ("/Admin/", false, &["/Admin", "/admin"]),
            ("/admin", true, &["/admin/"]),
            ("/A", true, &["/a", "/A/", "/a/"]),
            ("/a/", true, &["/a"]),
            ("/a%2Fb", false, &["/a/b"]),
            ("/a%5C%2FB%C3%A4", false, &["/a%5C%2Fb%C3%A4", "/a/B%C3%A4", "/a/b%C3%A4"]),
            ("/a%3Ab", false, &["/a:b"]),
            ("/V%3Ax", false, &["/v%3Ax", "/V:x", "/v:x"]),
            ("/%40me.", true, &["/%40me", "/@me.", "/@me", "/%40me./", "/%40me/", "/@me./", "/@me/"]),
            ("/a;x", false, &["/a"]),
            ("/a%3Bx", false, &["/a", "/a;x"]),
            ("/a;x%2Fb", false, &["/a", "/a;x/b", "/a/b"]),
            ("/%C3%A4", false, &[]),
            ("/.well-known/a.b", false, &[]),
            ("/admin.", false, &["/admin"]),
            ("/admin.", true, &["/admin", "/admin./", "/admin/"]),
            ("/admin.%20..", false, &["/admin"]),
            ("/admin./x", false, &["/admin/x"]),
            ("/admin%20/", false, &["/admin%20", "/admin"]),
            ("/.../a", false, &["/a"]),
            ("/...", false, &["/"]),
            ("/A./b", false, &["/a./b", "/A/b", "/a/b"]),
            ("/a.%2Fb", false, &["/a./b", "/a/b"]),
        ] {
            let said: Vec<String> = looser(path.as_bytes(), slash)
                .into_iter()
                .map(|one| String::from_utf8(one).unwrap())
                .collect();
            assert_eq!(said, readings, "{path}");
        }
    }

    proptest! {
        #[test]
        fn readings_are_paths(path in "/[aA]?(/[a-cA-C]{1,2}|/%2F|/%C3%A4|%5C|[.]|%20|/%20|/[.]{3}|%3A|:|;|%3B){1,5}/?") {
            for reading in normal(&path).map(|path| looser(&path, false)).unwrap_or_default() {
                prop_assert!(reading.starts_with(b"/"));
                prop_assert!(!reading.windows(2).any(|two| two == b"//"));
            }
        }

        // Without escaped slashes and parameters, since no service looks for these once segments are cut.
        #[test]
        fn readings_are_read_no_looser(path in "/[aA]?(/[a-cA-C]{1,2}|/%C3%A4|[.]|%20|/%20|/[.]{3}|%3A|:){1,5}/?") {
            let all = normal(&path).map(|path| looser(&path, false)).unwrap_or_default();
            for reading in &all {
                for again in looser(reading, false) {
                    prop_assert!(all.contains(&again), "{:?}", String::from_utf8_lossy(&again));
                }
            }
        }
    }
}
