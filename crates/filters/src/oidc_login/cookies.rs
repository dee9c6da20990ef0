//! Cookies (RFC 6265) that hold what was sealed, in pieces where it is longer than browsers keep in one.
//!
//! The first piece says how many there are, so that pieces of an earlier, longer value are never joined to a
//! shorter one. A name that stands twice is believed in neither value.

use crate::authentication::locations::split;
use torana_http::{Fields, cookie};

/// Characters in one cookie: with name and attributes below the 4096 bytes that browsers keep.
const PIECE: usize = 3800;
/// The most pieces: more would not fit a request's head beside what else stands there.
const PIECES: usize = 6;

/// A cookie of the gateway, by its name, and how it is set.
#[derive(Clone, Debug)]
pub struct SealedCookie {
    name: String,
    secure: bool,
}

impl SealedCookie {
    /// Of this name; `secure` cookies come by TLS alone.
    #[must_use]
    pub fn new(name: &str, secure: bool) -> Self {
        Self { name: name.to_owned(), secure }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Another cookie of the same kind, whose name begins with this one's.
    pub(super) fn sub(&self, name: &str) -> Self {
        Self { name: format!("{}.{name}", self.name), secure: self.secure }
    }

    /// The whole value; nothing where there is none, or a piece is missing or stands twice.
    #[must_use]
    pub fn read(&self, fields: &Fields) -> Option<Vec<u8>> {
        let first = once(fields, &self.name)?;
        let (count, first) = split(first, b'.')?;
        let count: usize = std::str::from_utf8(count).ok()?.parse().ok().filter(|count| *count <= PIECES)?;
        let mut whole = first.to_vec();
        for number in 1..count {
            whole.extend_from_slice(once(fields, &format!("{}.{number}", self.name))?);
        }
        Some(whole)
    }

    /// Whether anything of it came along.
    pub(super) fn is_there(&self, fields: &Fields) -> bool {
        cookie::values(fields, self.name.as_bytes()).next().is_some()
    }

    /// The values of `Set-Cookie` that keep a value for so many seconds, and take away what is left of a
    /// longer one in the request; nothing where the value is too long.
    #[must_use]
    pub fn write(&self, value: &str, seconds: u64, fields: &Fields) -> Option<Vec<String>> {
        let count = value.len().div_ceil(PIECE).max(1);
        if count > PIECES {
            return None;
        }
        let mut set = Vec::with_capacity(count);
        let mut rest = value;
        for number in 0..count {
            let (piece, after) = rest.split_at_checked(PIECE.min(rest.len()))?;
            rest = after;
            let value = if number == 0 { format!("{count}.{piece}") } else { piece.to_owned() };
            set.push(self.line(number, &value, seconds));
        }
        set.extend(self.cleared(fields, count));
        Some(set)
    }

    /// The values of `Set-Cookie` that take away every piece of the request.
    pub(super) fn clear(&self, fields: &Fields) -> Vec<String> {
        self.cleared(fields, 0).collect()
    }

    fn cleared<'c>(&'c self, fields: &'c Fields, from: usize) -> impl Iterator<Item = String> + 'c {
        let there =
            move |number: &usize| cookie::values(fields, self.piece(*number).as_bytes()).next().is_some();
        (from..PIECES).filter(there).map(|number| self.line(number, "", 0))
    }

    fn piece(&self, number: usize) -> String {
        if number == 0 { self.name.clone() } else { format!("{}.{number}", self.name) }
    }

    fn line(&self, number: usize, value: &str, seconds: u64) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        format!("{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}", self.piece(number))
    }
}

fn once<'f>(fields: &'f Fields, name: &'f str) -> Option<&'f [u8]> {
    let mut values = cookie::values(fields, name.as_bytes());
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// What follows `prefix.` in the names of cookies, in the order of the request.
pub(super) fn names_after(fields: &Fields, prefix: &str) -> Vec<String> {
    let names = cookie::names(fields).filter_map(|name| std::str::from_utf8(name).ok());
    names.filter_map(|name| name.strip_prefix(prefix)?.strip_prefix('.').map(str::to_owned)).collect()
}

/// Takes a cookie of the gateway and all that belongs to it (`NAME` and `NAME.…`) out of a request: no service
/// may see it. The others stay as they were written.
pub fn strip_login_cookies(fields: &mut Fields, name: &str) {
    let own = |cookie: &[u8]| {
        let rest = cookie.strip_prefix(name.as_bytes());
        rest.is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'.'))
    };
    cookie::remove(fields, own);
}

#[cfg(test)]
mod tests {
    use super::*;
    use torana_http::Known;

    fn request(lines: &[&str]) -> Fields {
        let mut fields = Fields::default();
        lines.iter().for_each(|line| fields.append(Known::Cookie, line.as_bytes()).unwrap());
        fields
    }

    /// What a browser sends after these lines.
    fn kept(set: &[String]) -> String {
        let pairs: Vec<&str> = set.iter().map(|line| line.split(';').next().unwrap()).collect();
        pairs.join("; ")
    }

    #[test]
    fn a_long_value_comes_in_pieces_that_browsers_keep() {
        let cookie = SealedCookie::new("__Host-s", true);
        for length in [0, 1, PIECE, PIECE + 1, 3 * PIECE, PIECES * PIECE] {
            let value = "x".repeat(length);
            let set = cookie.write(&value, 60, &Fields::default()).unwrap();
            assert!(set.iter().all(|line| line.len() < 4096), "{length}");
            assert!(set.iter().all(|line| line.ends_with("; HttpOnly; SameSite=Lax; Secure")));
            assert_eq!(cookie.read(&request(&[&kept(&set)])).unwrap(), value.as_bytes());
        }
        assert_eq!(cookie.write(&"x".repeat(PIECES * PIECE + 1), 60, &Fields::default()), None);
    }

    #[test]
    fn pieces_of_a_longer_value_are_taken_away_and_never_joined() {
        let cookie = SealedCookie::new("s", false);
        let long = cookie.write(&"x".repeat(2 * PIECE + 1), 60, &Fields::default()).unwrap();
        let before = request(&[&kept(&long)]);
        let short = cookie.write("y", 60, &before).unwrap();
        assert_eq!(short.len(), 3);
        assert!(short[1].starts_with("s.1=; Path=/; Max-Age=0") && short[2].starts_with("s.2=;"));
        assert_eq!(cookie.clear(&before).len(), 3);
        assert_eq!(cookie.read(&request(&["s=1.y; s.1=xxx; s.2=x"])).unwrap(), b"y");
    }

    #[test]
    fn what_is_not_whole_or_stands_twice_is_nothing() {
        let cookie = SealedCookie::new("s", false);
        for line in ["", "s", "s=", "s=y", "s=2.y", "s=7.y", "s=x.y", "s=1.y; s=1.z", "s=2.y; s.1=a; s.1=b"] {
            assert_eq!(cookie.read(&request(&[line])), None, "{line}");
        }
    }

    #[test]
    fn services_see_every_cookie_but_the_gateways() {
        let mut fields = request(&["a=1; s=x; s.1=y; sa=2", "s.login.z=1", "b=3;s", "; c=4"]);
        assert_eq!(names_after(&fields, "s.login"), ["z"]);
        strip_login_cookies(&mut fields, "s");
        assert_eq!(fields.get_all(Known::Cookie).collect::<Vec<_>>(), [&b"a=1; sa=2"[..], b"b=3", b"c=4"]);
    }
}
