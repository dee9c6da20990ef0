//! Where in a request a credential may stand, and how it is taken out again.

use std::borrow::Cow;
use torana_http::{Fields, RequestHead, cookie};
use torana_route::{is_alike_parameter, without_wide_escapes};

/// The values of a query parameter, decoded (`+` is a space), in order.
pub(crate) fn parameters<'q>(query: &'q [u8], name: &str) -> impl Iterator<Item = Cow<'q, [u8]>> {
    values(query, move |own| *own == *name.as_bytes())
}

fn values<'q>(query: &'q [u8], is_named: impl Fn(&[u8]) -> bool) -> impl Iterator<Item = Cow<'q, [u8]>> {
    query.split(|byte| *byte == b'&').filter_map(move |pair| {
        let (own, value) = split(pair, b'=').unwrap_or((pair, &[]));
        is_named(&decoded(own)).then(|| decoded(value))
    })
}

/// What a parameter that carries a credential says to any reader. Some services take `;` for another `&`: what stands
/// behind one counts too, so that no second credential hides in the value of something else.
pub(crate) fn shown_in<'q>(query: &'q [u8], name: &str) -> impl Iterator<Item = Cow<'q, [u8]>> {
    read_by_any(query, move |own| *own == *name.as_bytes())
}

/// The same of all that services take for the parameter, also with `%uXXXX` undone. No credential is looked for under
/// another name than its own, but one there is a second one.
pub(crate) fn alike_in<'q>(query: &'q [u8], name: &str) -> impl Iterator<Item = Cow<'q, [u8]>> {
    let is_named = move |own: &[u8]| is_alike_parameter(own, name);
    let wide = query.split(|byte| *byte == b'&').filter_map(without_wide_escapes);
    let again = wide.flat_map(move |pair| {
        read_by_any(&pair, is_named).map(|value| Cow::Owned(value.into_owned())).collect::<Vec<_>>()
    });
    read_by_any(query, is_named).chain(again)
}

fn read_by_any<'q>(
    query: &'q [u8],
    is_named: impl Fn(&[u8]) -> bool + Copy,
) -> impl Iterator<Item = Cow<'q, [u8]>> {
    let torn = memchr::memchr(b';', query).map(|_| query).unwrap_or_default();
    let torn = torn.split(|byte| *byte == b'&').filter(|pair| pair.contains(&b';'));
    let pieces = torn.flat_map(|pair| pair.split(|byte| *byte == b';'));
    values(query, is_named).chain(pieces.flat_map(move |piece| values(piece, is_named)))
}

/// Whether one that is not empty is another credential than this.
pub(crate) fn is_another(value: &[u8], credential: &[u8]) -> bool {
    !value.is_empty() && value != credential
}

/// Takes a query parameter out, however it is separated from the others, and what services may take for it; the others
/// stay byte for byte.
pub(crate) fn remove_parameter(request: &mut RequestHead, name: &str) {
    let Some(query) = request.query() else { return };
    if let Some(kept) = without(query, |own| is_alike_parameter(own, name)) {
        // What is left of a valid query is valid.
        let _ = request.set_query((!kept.is_empty()).then_some(&kept));
    }
}

/// The pairs without those of a name; `None` where none has it. A pair that has it goes with every `;` in it, because
/// that is its value for whoever separates by `&` alone.
pub(crate) fn without(pairs: &[u8], is_named: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    let goes = |pair: &[u8]| {
        let name = split(pair, b'=').map_or(pair, |(name, _)| name);
        is_named(&decoded(name)) || without_wide_escapes(name).is_some_and(|name| is_named(&decoded(&name)))
    };
    if !pairs.split(|byte| matches!(byte, b'&' | b';')).any(goes) {
        return None;
    }
    let stays = |pair: &[u8]| -> Option<Vec<u8>> {
        if goes(pair) {
            return None;
        }
        let mut pieces = pair.split(|byte| *byte == b';').filter(|piece| !goes(piece)).peekable();
        pieces.peek()?;
        Some(pieces.collect::<Vec<_>>().join(&b";"[..]))
    };
    Some(pairs.split(|byte| *byte == b'&').filter_map(stays).collect::<Vec<_>>().join(&b"&"[..]))
}

/// What cookies of a name, or of one that services take for it (PHP reads their names as those of parameters, ASP.NET
/// without case), say to any reader.
pub(crate) fn alike_cookies<'f>(fields: &'f Fields, name: &'f str) -> impl Iterator<Item = &'f [u8]> {
    cookie::values_where(fields, move |own| is_alike_parameter(own, name))
}

/// Takes these out.
pub(crate) fn remove_cookies(fields: &mut Fields, name: &str) {
    cookie::remove(fields, |own| is_alike_parameter(own, name));
}

/// Splits at the first such byte.
pub(crate) fn split(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = memchr::memchr(at, text)?;
    Some((text.get(..place)?, text.get(place.saturating_add(1)..)?))
}

/// Splits credentials behind their scheme, which ends with the first byte that no scheme may have (RFC 9110 section
/// 11.4): what follows begins with that byte, a space where the credentials are well made.
pub(crate) fn scheme(credentials: &[u8]) -> (&[u8], &[u8]) {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let credentials = credentials.trim_ascii();
    let length = credentials.iter().take_while(|byte| is_token(byte)).count();
    credentials.split_at_checked(length).unwrap_or((credentials, &[]))
}

/// What credentials of a scheme, whose case does not matter, show after it; `None` where they are of another. Where
/// something else than a space stands between them it belongs to what is shown: readers disagree, so it is wrong.
pub(crate) fn shown_by<'c>(credentials: &'c [u8], wanted: &str) -> Option<&'c [u8]> {
    let (own, rest) = scheme(credentials);
    let shown = if rest.starts_with(b" ") { rest.trim_ascii_start() } else { rest };
    own.eq_ignore_ascii_case(wanted.as_bytes()).then_some(shown)
}

/// Undoes percent-encoding; what is not encoded properly stands for itself.
pub(crate) fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let pair = (digit(after.first()), digit(after.get(1)));
        match (first, pair) {
            (b'%', (Some(high), Some(low))) => {
                out.push(u8::try_from(high.wrapping_mul(16).wrapping_add(low)).unwrap_or(b'%'));
                rest = after.get(2..).unwrap_or_default();
                continue;
            }
            (b'+', _) => out.push(b' '),
            (other, _) => out.push(*other),
        }
        rest = after;
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(query: &str) -> RequestHead {
        let mut request = RequestHead::default();
        assert!(request.set_query(Some(query.as_bytes())));
        request
    }

    #[test]
    fn a_parameter_is_found_however_it_is_encoded_and_taken_out_alone() {
        let mut head = request("a=%2f&key=one%20two&%6bey=x+y&keys=3&b");
        let found: Vec<_> = parameters(head.query().unwrap(), "key").map(Cow::into_owned).collect();
        assert_eq!(found, [&b"one two"[..], b"x y"]);
        remove_parameter(&mut head, "key");
        assert_eq!(head.query(), Some(&b"a=%2f&keys=3&b"[..]));
        let mut only = request("key=1");
        remove_parameter(&mut only, "key");
        assert_eq!(only.query(), None);
    }

    #[test]
    fn a_semicolon_hides_no_parameter_and_keeps_none() {
        for (query, shown, left) in [
            ("a=1;key=x&b=2", &["x"][..], "a=1&b=2"),
            ("key=x&a=1;%6bey=y;c", &["x", "y"], "a=1;c"),
            ("key=x;y", &["x;y", "x"], ""),
            ("a;key;b=1&c", &[""], "a;b=1&c"),
            ("a=1;;keys=2;", &[], "a=1;;keys=2;"),
            ("a=1%3Bkey=x", &[], "a=1%3Bkey=x"),
        ] {
            let mut head = request(query);
            let found: Vec<_> = shown_in(query.as_bytes(), "key").map(Cow::into_owned).collect();
            assert_eq!(found, shown.iter().map(|value| value.as_bytes()).collect::<Vec<_>>(), "{query}");
            remove_parameter(&mut head, "key");
            assert_eq!(head.query().unwrap_or_default(), left.as_bytes(), "{query}");
        }
    }

    #[test]
    fn a_name_that_services_take_for_it_hides_no_parameter_and_keeps_none() {
        for (query, shown, left) in [
            ("a=1&KEY=x&b=2", &["x"][..], "a=1&b=2"),
            ("key=x&Key=y&%20key=z&key%00=0", &["x", "y", "z", "0"], ""),
            ("key[]=x&a=1;%4bey=y;c&key.=1", &["x", "y"], "a=1;c&key.=1"),
            ("keys=1&a.key=2", &[], "keys=1&a.key=2"),
            ("]key=x&[[key]]=y&key]=z&a]=1", &["x", "y", "z"], "a]=1"),
            ("%u006bey=x&b=%u006b&a=1;%u004BEY=%u0079", &["x", "y"], "b=%u006b&a=1"),
            ("key=%u006b", &["%u006b", "k"], ""),
        ] {
            let mut head = request(query);
            let found: Vec<_> = alike_in(query.as_bytes(), "key").map(Cow::into_owned).collect();
            assert_eq!(found, shown.iter().map(|value| value.as_bytes()).collect::<Vec<_>>(), "{query}");
            remove_parameter(&mut head, "key");
            assert_eq!(head.query().unwrap_or_default(), left.as_bytes(), "{query}");
        }
        for shown in [parameters(b"Key=1&key=2", "key").next(), shown_in(b"Key=1&key=2", "key").next()] {
            assert_eq!(shown.as_deref(), Some(&b"2"[..]));
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_out_no_reader_finds(
            pieces in prop::collection::vec(prop::sample::select(vec!["key", "%6b", "KEY", "%u006b", "]", "ey", "a", "[", "%00", "=", "=", "&", ";", ";", "+", "%"]), 0..16),
        ) {
            let query = pieces.concat();
            let mut head = request(&query);
            remove_parameter(&mut head, "key");
            let left = head.query().unwrap_or_default().to_vec();
            prop_assert_eq!(alike_in(&left, "key").count(), 0);
            let is_key = |piece: &[u8]| {
                let name = piece.split(|byte| *byte == b'=').next().unwrap();
                let wide = without_wide_escapes(name).unwrap_or_default();
                is_alike_parameter(&decoded(name), "key") || is_alike_parameter(&decoded(&wide), "key")
            };
            prop_assert!(!left.split(|byte| b"&;".contains(byte)).any(is_key));
            let others = |query: &[u8]| -> Vec<Vec<u8>> {
                let pairs = query.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty() && !is_key(pair));
                let pieces = pairs.flat_map(|pair| pair.split(|byte| *byte == b';'));
                pieces.filter(|piece| !piece.is_empty() && !is_key(piece)).map(<[u8]>::to_vec).collect()
            };
            prop_assert_eq!(others(&left), others(query.as_bytes()));
        }
    }

    #[test]
    fn a_scheme_ends_where_no_scheme_goes_on_and_only_a_space_parts_it_from_what_is_shown() {
        for (credentials, shown) in [
            ("Bearer x", Some("x")),
            (" bEARER  \tx ", Some("x")),
            ("Bearer", Some("")),
            ("Bearer\tx", Some("\tx")),
            ("Bearer,x", Some(",x")),
            ("Bearer\u{a0}x", Some("\u{a0}x")),
            ("Bearerx", None),
            ("Bearer-x y", None),
            ("Beare", None),
            ("", None),
        ] {
            assert_eq!(shown_by(credentials.as_bytes(), "Bearer"), shown.map(str::as_bytes), "{credentials}");
        }
    }

    #[test]
    fn broken_encoding_stands_for_itself() {
        for (text, meaning) in [("%zz", "%zz"), ("%4", "%4"), ("%", "%"), ("%41%", "A%"), ("", "")] {
            assert_eq!(*decoded(text.as_bytes()), *meaning.as_bytes(), "{text}");
        }
    }
}
