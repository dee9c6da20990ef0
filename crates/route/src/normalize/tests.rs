use super::*;
use proptest::prelude::*;

fn with(path: &[u8], encoded_slashes: EncodedSlashes) -> Result<Vec<u8>, PathError> {
    let mut scratch = Vec::new();
    normalize(path, &NormalizeOptions { encoded_slashes }, &mut scratch).map(<[u8]>::to_vec)
}

fn normal(path: &str) -> Result<String, PathError> {
    with(path.as_bytes(), EncodedSlashes::Reject).map(|path| String::from_utf8(path).unwrap())
}

#[test]
fn brings_every_spelling_into_one_form() {
    for (path, expected) in [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a/b/", "/a/b/"),
        ("/%61%2Db", "/a-b"),
        ("/%7euser", "/~user"),
        ("/a%20b%c3%bc", "/a%20b%C3%BC"),
        ("/a b", "/a%20b"),
        ("/gr\u{fc}n", "/gr%C3%BCn"),
        ("/{x}|[y]", "/%7Bx%7D%7C%5By%5D"),
        ("/a/./b/../c", "/a/c"),
        ("/a/%2e%2E/c", "/c"),
        ("/a/.%2e", "/"),
        ("/a/b/..", "/a/"),
        ("/a/b/.", "/a/b/"),
        ("//a///b//", "/a/b/"),
        ("/a//../b", "/b"),
        ("/.well-known/x", "/.well-known/x"),
        ("/...", "/..."),
        ("/..a/.b", "/..a/.b"),
        ("/a;v=1/b", "/a;v=1/b"),
        ("/%252e%252e/x", "/%252e%252e/x"),
        ("/a%3ab:c", "/a%3Ab:c"),
    ] {
        assert_eq!(normal(path).as_deref(), Ok(expected), "{path}");
    }
}

#[test]
fn refuses_what_has_no_single_meaning() {
    for (path, expected) in [
        ("", PathError::NotAbsolute),
        ("a", PathError::NotAbsolute),
        ("*", PathError::NotAbsolute),
        ("/..", PathError::AboveRoot { offset: 1 }),
        ("/a/../../b", PathError::AboveRoot { offset: 6 }),
        ("/a/%2e%2e/%2E./b", PathError::AboveRoot { offset: 10 }),
        ("/a%2fb", PathError::EncodedSlash { offset: 2 }),
        ("/a%5Cb", PathError::EncodedSlash { offset: 2 }),
        ("/a\\b", PathError::Backslash { offset: 2 }),
        ("/a%00", PathError::EncodedNull { offset: 2 }),
        ("/a%0d%0a", PathError::Control { offset: 2 }),
        ("/a\tb", PathError::Control { offset: 2 }),
        ("/a%7F", PathError::Control { offset: 2 }),
        ("/a%", PathError::InvalidEscape { offset: 2 }),
        ("/a%4", PathError::InvalidEscape { offset: 2 }),
        ("/a%4/x", PathError::InvalidEscape { offset: 2 }),
        ("/a%zz", PathError::InvalidEscape { offset: 2 }),
        ("/a%+1", PathError::InvalidEscape { offset: 2 }),
        ("/a#b", PathError::Fragment { offset: 2 }),
        ("/a?b", PathError::QuestionMark { offset: 2 }),
        ("/a/..;x/b", PathError::DotSegmentParameter { offset: 3 }),
        ("/a/.;x/b", PathError::DotSegmentParameter { offset: 3 }),
        ("/a/%2e%2e%3bx", PathError::DotSegmentParameter { offset: 3 }),
    ] {
        assert_eq!(normal(path), Err(expected), "{path}");
    }
}

#[test]
fn keeps_encoded_slashes_as_data_but_never_a_dot_segment_between_them() {
    let keep = |path: &str| with(path.as_bytes(), EncodedSlashes::Keep);
    assert_eq!(keep("/a%2fb%5cc"), Ok(b"/a%2Fb%5Cc".to_vec()));
    for path in ["/a/..%2fb", "/a%2f..", "/a%2f%2e%2e%2fb", "/a%5c.%5cb", "/x%2F..;a"] {
        assert!(
            matches!(
                keep(path),
                Err(PathError::HiddenDotSegment { .. } | PathError::DotSegmentParameter { .. })
            ),
            "{path}"
        );
    }
}

#[test]
fn a_normal_path_is_borrowed() {
    let mut scratch = Vec::new();
    for path in ["/", "/api/users/1/", "/a%20b", "/.well-known", "/...", "/..%20x", "/a;b=c"] {
        let result = normalize(path.as_bytes(), &NormalizeOptions::default(), &mut scratch).unwrap();
        assert_eq!(result.as_ptr(), path.as_ptr(), "{path}");
    }
}

fn nasty_path() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec!["/", ".", "..", "a", "b;c", "%2e", "%2E", "%2f", "%5C", ";", "%3b", "%20",
            "%c3%bc", "%41", "%", "%0", " ", "{", "\u{fc}", "//", "%25"]).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..3),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| {
        let mut path = vec![b'/'];
        path.extend(pieces.concat());
        path
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn normalising_twice_changes_nothing(path in nasty_path(), keep in any::<bool>()) {
        let slashes = if keep { EncodedSlashes::Keep } else { EncodedSlashes::Reject };
        if let Ok(once) = with(&path, slashes) {
            prop_assert_eq!(with(&once, slashes), Ok(once.clone()));
            prop_assert!(once.iter().all(u8::is_ascii_graphic));
            let segments: Vec<&[u8]> = once.split(|&byte| byte == b'/').skip(1).collect();
            for (index, segment) in segments.iter().enumerate() {
                prop_assert!(!matches!(*segment, b"." | b".."));
                prop_assert!(!segment.is_empty() || index + 1 == segments.len());
            }
        }
    }

    #[test]
    fn the_fast_scan_agrees_with_the_rewrite(path in nasty_path(), keep in any::<bool>()) {
        let slashes = if keep { EncodedSlashes::Keep } else { EncodedSlashes::Reject };
        let mut out = Vec::new();
        let rewritten = rewrite(&path, &NormalizeOptions { encoded_slashes: slashes }, &mut out);
        if is_normal(&path) {
            prop_assert_eq!(rewritten, Ok(()));
            prop_assert_eq!(&out, &path);
        }
    }
}
