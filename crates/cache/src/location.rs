//! Which URL a field of an answer names (RFC 3986 section 5.2), as far as it is one of the same service.

/// The path and query that `reference` names, seen from `path`; nothing where it is at another authority than those
/// that `is_own` is true of, or is no reference to HTTP.
pub fn resolve(path: &[u8], reference: &[u8], is_own: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    let reference = reference.trim_ascii();
    let end = reference.iter().position(|byte| *byte == b'#').unwrap_or(reference.len());
    let reference = reference.get(..end)?;
    let authority = reference.strip_prefix(b"//").or_else(|| {
        let schemes: [&[u8]; 2] = [b"http://", b"https://"];
        schemes.into_iter().find_map(|scheme| {
            let (start, rest) = reference.split_at_checked(scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then_some(rest)
        })
    });
    let (path, rest) = match authority {
        Some(rest) => {
            let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
            let (authority, rest) = rest.split_at_checked(end)?;
            is_own(authority).then_some(())?;
            (&b"/"[..], rest)
        }
        None => (path, reference),
    };
    let end = rest.iter().position(|byte| *byte == b'?').unwrap_or(rest.len());
    let (named, query) = rest.split_at_checked(end)?;
    // Another scheme.
    if authority.is_none() && named.split(|byte| *byte == b'/').next()?.contains(&b':') {
        return None;
    }
    let mut resolved = match named {
        [] => path.to_vec(),
        [b'/', ..] => without_dots(named),
        _ => {
            let directory =
                path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash.saturating_add(1));
            without_dots(&[path.get(..directory)?, named].concat())
        }
    };
    resolved.extend_from_slice(query);
    Some(resolved)
}

/// RFC 3986 section 5.2.4.
fn without_dots(path: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut segments = path.split(|byte| *byte == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let dots = matches!(segment, b"." | b"..");
        if segment == b".." {
            kept.pop();
        }
        if !dots {
            kept.push(segment);
        } else if segments.peek().is_none() {
            kept.push(b"");
        }
    }
    let mut whole = vec![b'/'];
    whole.extend_from_slice(&kept.join(&b'/'));
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_where_they_are_ours() {
        for (reference, expected) in [
            ("/b", Some("/b")),
            ("/b?x=1#f", Some("/b?x=1")),
            ("/a/../b/./c", Some("/b/c")),
            ("7", Some("/items/7")),
            ("7?q", Some("/items/7?q")),
            ("../up", Some("/up")),
            ("..", Some("/")),
            ("./", Some("/items/")),
            ("?q=2", Some("/items/new?q=2")),
            ("", Some("/items/new")),
            ("http://own/b?c", Some("/b?c")),
            ("HTTPS://own", Some("/")),
            ("//own/x", Some("/x")),
            ("http://own?c", Some("/?c")),
            ("http://other/b", None),
            ("//other/b", None),
            ("mailto:a", None),
            ("ftp://own/b", None),
        ] {
            let resolved = resolve(b"/items/new", reference.as_bytes(), |authority| authority == b"own");
            assert_eq!(
                resolved.map(|path| String::from_utf8(path).unwrap()).as_deref(),
                expected,
                "{reference}"
            );
        }
    }
}
