//! Cookies of a request (RFC 6265 section 4.2.1), read and taken out without an allocation where there is nothing
//! to take out. Names are compared byte by byte, without the white space around them: readers that take it off would
//! find in `name =value` a cookie that nobody has verified. For the same reason what stands behind white space or a comma
//! within a pair is read as one more: of `a=b name=value` Python's `http.cookies` makes two, and CGI.pm of `a=b,name=value`.

use crate::{Fields, Known};

/// The values of a cookie, in order. Double quotes around a value are taken off.
pub fn values<'f>(fields: &'f Fields, name: &'f [u8]) -> impl Iterator<Item = &'f [u8]> {
    values_where(fields, move |own| own == name)
}

/// The values of the cookies whose name `is_named` is true of.
pub fn values_where(fields: &Fields, is_named: impl Fn(&[u8]) -> bool) -> impl Iterator<Item = &[u8]> {
    pairs(fields)
        .flat_map(readings)
        .filter_map(move |(own, value)| is_named(own).then_some(value?).map(unquoted))
}

/// The names of all cookies, in order.
pub fn names(fields: &Fields) -> impl Iterator<Item = &[u8]> {
    pairs(fields).map(|pair| parts(pair).0)
}

/// Takes out the cookies whose name `goes` is true of, and the pairs in which one stands behind white space; the others
/// stay as they were written.
pub fn remove(fields: &mut Fields, goes: impl Fn(&[u8]) -> bool) {
    let goes = |pair: &[u8]| readings(pair).any(|(name, _)| goes(name));
    if !pairs(fields).any(goes) {
        return;
    }
    let kept = |line: &[u8]| -> Vec<u8> {
        let stay = split(line).filter(|pair| !goes(pair));
        stay.collect::<Vec<_>>().join(&b"; "[..])
    };
    let lines: Vec<Vec<u8>> = fields.get_all(Known::Cookie).map(kept).collect();
    fields.remove(Known::Cookie);
    for line in lines.iter().filter(|line| !line.is_empty()) {
        // What is left of a valid value is valid.
        let _ = fields.append(Known::Cookie, line);
    }
}

fn pairs(fields: &Fields) -> impl Iterator<Item = &[u8]> {
    fields.get_all(Known::Cookie).flat_map(split)
}

fn split(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b';').map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty())
}

/// A cookie: its name, and its value where there is one.
type Cookie<'f> = (&'f [u8], Option<&'f [u8]>);

/// What a pair is as it stands, and each cookie behind white space or a comma in it for readers that part them there, too.
/// However many of these there are, the pair is looked at once or twice.
fn readings(pair: &[u8]) -> impl Iterator<Item = Cookie<'_>> {
    let behind =
        memchr::memchr3_iter(b' ', b'\t', b',', pair).filter_map(|at| pair.get(at.saturating_add(1)..));
    std::iter::once(parts(pair)).chain(behind.filter_map(named))
}

/// The cookie that begins here; its name has no white space and no comma. `None` where something else follows the name than
/// `=` or the end.
fn named(rest: &[u8]) -> Option<Cookie<'_>> {
    let length =
        rest.iter().position(|byte| matches!(byte, b' ' | b'\t' | b',' | b'=')).unwrap_or(rest.len());
    let (name, behind) = rest.split_at(length);
    if name.is_empty() {
        // Before what follows is looked at: of a run of white space each byte begins a reading.
        return None;
    }
    let value = match behind.trim_ascii_start().split_first() {
        None => None,
        Some((b'=', value)) => Some(value),
        Some(_) => return None,
    };
    Some((name, value))
}

/// The name, and the value where there is one.
fn parts(pair: &[u8]) -> Cookie<'_> {
    let mut halves = pair.splitn(2, |byte| *byte == b'=');
    (halves.next().unwrap_or_default().trim_ascii_end(), halves.next())
}

fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(lines: &[&str]) -> Fields {
        let mut fields = Fields::default();
        lines.iter().for_each(|line| fields.append(Known::Cookie, line.as_bytes()).unwrap());
        fields
    }

    #[test]
    fn a_cookie_is_found_among_others_and_taken_out_alone() {
        let mut fields = request(&["a=1; session=\"x.y\";b=2", "session=z"]);
        assert_eq!(values(&fields, b"session").collect::<Vec<_>>(), [&b"x.y"[..], b"z"]);
        assert_eq!(values(&fields, b"Session").count(), 0);
        assert_eq!(names(&fields).collect::<Vec<_>>(), [&b"a"[..], b"session", b"b", b"session"]);
        remove(&mut fields, |name| name == b"session");
        assert_eq!(fields.get_all("Cookie").collect::<Vec<_>>(), [b"a=1; b=2"]);
        remove(&mut fields, |name| name == b"none");
        assert_eq!(fields.get_str("Cookie"), Some("a=1; b=2"));
    }

    #[test]
    fn white_space_before_the_equals_sign_makes_no_other_name() {
        let mut fields = request(&["s=x; s =y;s\t \t= z; s s=1", "s ; s\t"]);
        assert_eq!(values(&fields, b"s").collect::<Vec<_>>(), [&b"x"[..], b"y", b" z", b"1"]);
        assert_eq!(names(&fields).collect::<Vec<_>>(), [&b"s"[..], b"s", b"s", b"s s", b"s", b"s"]);
        remove(&mut fields, |name| name == b"s");
        assert_eq!(fields.get_all("Cookie").count(), 0);
    }

    #[test]
    fn what_stands_behind_white_space_is_a_cookie_too_and_goes_with_its_pair() {
        let mut fields =
            request(&["s=x; a=b s=y;c=d\t s =z; e=f =g; h= s=i; n=1,s=j;o=1, s=k; p=s,t", "k s ; l=m"]);
        assert_eq!(values(&fields, b"s").collect::<Vec<_>>(), [&b"x"[..], b"y", b"z", b"i", b"j", b"k"]);
        assert_eq!(values(&fields, b"").count(), 0);
        assert_eq!(values(&fields, b"a").collect::<Vec<_>>(), [b"b s=y"]);
        assert_eq!(values_where(&fields, |name| name.eq_ignore_ascii_case(b"L")).collect::<Vec<_>>(), [b"m"]);
        remove(&mut fields, |name| name == b"s");
        assert_eq!(fields.get_all("Cookie").collect::<Vec<_>>(), [&b"e=f =g; p=s,t"[..], b"l=m"]);
    }

    #[test]
    fn white_space_without_end_costs_no_more_than_its_length() {
        let repeated = |piece: &str| piece.repeat((1 << 20) / piece.len());
        let runs = [" ", "\t", ",", "=", " \t"].map(|piece| format!("a=b{}x", repeated(piece)));
        let pieces = ["x ", "s =", "  s", "s s=", "s\t\t", ",s", ", "].map(repeated);
        for text in runs.iter().chain(&pieces) {
            let fields = request(&[text]);
            let piece = text.get(..8);
            let started = std::time::Instant::now();
            let found = values(&fields, b"s").count();
            // By the square of its length it would take minutes.
            assert!(
                started.elapsed() < std::time::Duration::from_secs(10),
                "{piece:?}: {found} in {:?}",
                started.elapsed()
            );
        }
    }

    #[test]
    fn odd_pairs_are_read_as_they_stand() {
        let mut fields = request(&[";; a ;=b; c=; d==\"e\"; f=\"", " ; "]);
        assert_eq!(names(&fields).collect::<Vec<_>>(), [&b"a"[..], b"", b"c", b"d", b"f"]);
        assert_eq!(values(&fields, b"a").count(), 0);
        for (name, value) in [(&b""[..], &b"b"[..]), (b"c", b""), (b"d", b"=\"e\""), (b"f", b"\"")] {
            assert_eq!(values(&fields, name).collect::<Vec<_>>(), [value]);
        }
        remove(&mut fields, |name| name == b"a");
        assert_eq!(fields.get_all("Cookie").collect::<Vec<_>>(), [&b"=b; c=; d==\"e\"; f=\""[..]]);
    }
}
