//! Paths as services read them that are less strict than the router.

/// What a normalised path may mean to a service besides itself: without the slash at its end, in lower case, with
/// kept `%2F` and `%5C` as slashes; where `slash` is set, also with a slash at its end. Each once, and none
/// that is the path itself. Does not allocate where there is nothing to say, as for most paths.
#[must_use]
pub fn looser(path: &[u8], slash: bool) -> Vec<Vec<u8>> {
    let plain = !slash
        && !path.ends_with(b"/")
        && !path.iter().any(|byte| byte.is_ascii_uppercase() || matches!(byte, b'%'));
    if plain {
        return Vec::new();
    }
    let whole = with_slashes(path);
    let bare = match whole.strip_suffix(b"/") {
        Some(bare) if !bare.is_empty() => bare.to_vec(),
        _ => whole,
    };
    let lower = lowered(&bare);
    let mut readings = vec![bare, lower];
    if slash {
        let with = |reading: &Vec<u8>| [reading.as_slice(), b"/"].concat();
        let more: Vec<Vec<u8>> =
            readings.iter().filter(|reading| !reading.ends_with(b"/")).map(with).collect();
        readings.extend(more);
    }
    readings.dedup();
    readings.retain(|reading| reading != path);
    readings
}

/// Escaped slashes as slashes, and no segment that is empty for it.
fn with_slashes(path: &[u8]) -> Vec<u8> {
    let mut read = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        let escaped = rest.starts_with(b"%2F") || rest.starts_with(b"%5C");
        rest = if escaped { rest.get(3..).unwrap_or_default() } else { after };
        let byte = if escaped { b'/' } else { *first };
        if byte != b'/' || read.last() != Some(&b'/') {
            read.push(byte);
        }
    }
    read
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
    use super::looser;
    use proptest::prelude::*;

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
            ("/a%5C%2FB%C3%A4", false, &["/a/B%C3%A4", "/a/b%C3%A4"]),
            ("/%C3%A4", false, &[]),
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
        fn readings_are_paths_that_are_read_no_looser(path in "(/[a-cA-C]{0,2}|/%2F|/%C3%A4|%5C){1,5}/?") {
            for reading in looser(path.as_bytes(), false) {
                prop_assert!(reading.starts_with(b"/"));
                for again in looser(&reading, false) {
                    prop_assert!(looser(path.as_bytes(), false).contains(&again));
                }
            }
        }
    }
}
