//! Paths as services read them that ignore parameters of segments (RFC 3986 section 3.3).

/// A normalised path without the parameters of its segments: `/admin;v=1/users` is `/admin/users`. A segment
/// that was nothing but parameters is gone, as an empty one is: `/;x/admin` is `/admin`. An escaped semicolon
/// (`%3B`) counts too, for services that decode first. `None` when there is no parameter.
pub(crate) fn without_parameters(path: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr2(b';', b'%', path)?;
    let mut plain = Vec::with_capacity(path.len());
    let mut segments = path.split(|byte| *byte == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let name = name(segment);
        if !name.is_empty() || segments.peek().is_none() {
            plain.push(b'/');
            plain.extend_from_slice(name);
        }
    }
    (plain != path).then_some(plain)
}

/// What stands before the first semicolon.
fn name(segment: &[u8]) -> &[u8] {
    let end = memchr::memchr2_iter(b';', b'%', segment).find(|at| {
        let rest = segment.get(*at..).unwrap_or_default();
        rest.starts_with(b";") || rest.starts_with(b"%3B")
    });
    end.and_then(|end| segment.get(..end)).unwrap_or(segment)
}

#[cfg(test)]
mod tests {
    use super::without_parameters;

    #[test]
    fn parameters_and_what_is_nothing_else_are_gone() {
        for (path, plain) in [
            ("/a;v=1/b;w", "/a/b"),
            ("/;/admin", "/admin"),
            ("/;x/;y/admin;z", "/admin"),
            ("/a/;x", "/a/"),
            ("/;", "/"),
            ("/;;/a;;", "/a"),
            ("/admin%3Bx/%20%3B", "/admin/%20"),
        ] {
            assert_eq!(without_parameters(path.as_bytes()).unwrap(), plain.as_bytes(), "{path}");
        }
        for plain in ["/", "/a/b", "/a/b/", "/a%20b", "/%3A"] {
            assert_eq!(without_parameters(plain.as_bytes()), None, "{plain}");
        }
    }
}
