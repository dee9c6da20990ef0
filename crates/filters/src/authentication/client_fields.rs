//! What clients are told by those who say who calls: sessions that were renewed, and what else an asked service says.

use std::sync::Arc;
use torana_filter::{Exchange, SetCookie};
use torana_http::{Fields, InvalidField, Known, ResponseHead};

/// Notes fields of an asked service's answer for the client; whether there are any. What an earlier answer said under these
/// names is said no longer, but for cookies: which of them are one is for the client to say.
pub(crate) fn note(exchange: &mut Exchange, names: &[Arc<str>], answer: &Fields) -> bool {
    let mut any = false;
    for name in names {
        let mut values = answer.get_all(&**name).peekable();
        if values.peek().is_none() {
            continue;
        }
        any = true;
        if !is_cookie(name) {
            exchange.client_fields.retain(|(noted, _)| !noted.eq_ignore_ascii_case(name));
        }
        exchange.client_fields.extend(values.map(|value| (Arc::clone(name), value.to_vec())));
    }
    any
}

/// Writes what is noted into a response, whatever it is. Each way that was tried may do so: it is said once. It stays noted,
/// because another response may take the place of this one.
pub(super) fn tell(exchange: &Exchange, response: &mut ResponseHead) -> Result<(), InvalidField> {
    let fields = &mut response.fields;
    if exchange.set_cookies.is_empty() && exchange.client_fields.is_empty() {
        return Ok(());
    }
    // No cache may give one caller's cookie to another, whatever the service says.
    fields.insert(Known::CacheControl, b"no-store")?;
    for (name, _) in exchange.client_fields.iter().filter(|(name, _)| !is_cookie(name)) {
        fields.remove(&**name);
    }
    for (name, value) in &exchange.client_fields {
        if is_cookie(name) {
            set_cookie(fields, value)?;
        } else {
            fields.append(&**name, value)?;
        }
    }
    for SetCookie { line, .. } in &exchange.set_cookies {
        set_cookie(fields, line.as_bytes())?;
    }
    Ok(())
}

fn set_cookie(fields: &mut Fields, line: &[u8]) -> Result<(), InvalidField> {
    if fields.get_all(Known::SetCookie).any(|said| said == line) {
        return Ok(());
    }
    fields.append(Known::SetCookie, line)
}

fn is_cookie(name: &str) -> bool {
    name.eq_ignore_ascii_case("Set-Cookie")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in lines {
            fields.append(*name, value.as_bytes()).unwrap();
        }
        fields
    }

    #[test]
    fn cookies_come_beside_those_of_the_service_and_other_fields_in_place_of_them() {
        let mut exchange = Exchange::default();
        let names: Vec<Arc<str>> = ["set-cookie", "X-Session", "X-Absent"].map(Arc::from).to_vec();
        assert!(!note(&mut exchange, &names, &fields(&[("X-Other", "1")])));
        let first = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=1"), ("X-Session", "one"), ("X-Other", "1")];
        assert!(note(&mut exchange, &names, &fields(&first)));
        assert!(note(&mut exchange, &names, &fields(&[("Set-Cookie", "a=2"), ("X-Session", "two")])));
        let mut head = ResponseHead::new(200);
        for (name, value) in
            [("Set-Cookie", "own=1"), ("X-Session", "own"), ("X-Absent", "own"), ("Cache-Control", "public")]
        {
            head.fields.append(name, value.as_bytes()).unwrap();
        }
        for _ in 0..2 {
            tell(&exchange, &mut head).unwrap();
            let all = |name: &str| -> Vec<String> {
                let values = head.fields.get_all(name);
                values.map(|value| String::from_utf8_lossy(value).into_owned()).collect()
            };
            assert_eq!(all("Set-Cookie"), ["own=1", "a=1", "b=1", "a=2"]);
            assert_eq!((all("X-Session"), all("X-Absent")), (vec!["two".into()], vec!["own".into()]));
            assert_eq!((all("Cache-Control"), all("X-Other")), (vec!["no-store".into()], Vec::new()));
        }
    }
}
