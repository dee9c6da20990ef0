//! The directives of `Cache-Control` (RFC 9111 section 5.2), in both directions.

/// The longest time in seconds; longer ones are taken for it (RFC 9111 section 1.2.2).
const LONGEST: u64 = 1 << 31;

/// What the lines of `Cache-Control` say together.
///
/// A directive with an argument that narrows it (`private="x"`, `no-cache="set-cookie"`) counts as the whole. Of
/// times that are given twice the shorter counts. A line that is not by the grammar, or a time that is none, says
/// `no-store`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// Whether there was any.
    pub said: bool,
    /// `no-store`, or nothing that can be understood.
    pub no_store: bool,
    /// `no-cache`.
    pub no_cache: bool,
    /// `private`.
    pub private: bool,
    /// `public`.
    pub public: bool,
    /// `must-revalidate`, `proxy-revalidate`, or `s-maxage`, which means the latter (section 5.2.2.10).
    pub revalidate: bool,
    /// `max-age`, in seconds.
    pub max_age: Option<u64>,
    /// `stale-if-error` (RFC 5861 section 4), in seconds.
    pub stale_if_error: Option<u64>,
}

impl Directives {
    /// Reads all lines of the field.
    #[must_use]
    pub fn read<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut read = Self::default();
        for line in lines {
            read.said = true;
            if read.line(line).is_none() {
                read.no_store = true;
            }
        }
        read
    }

    /// One line; `None` when it is malformed.
    fn line(&mut self, mut rest: &[u8]) -> Option<()> {
        loop {
            rest = skip(rest, |byte| matches!(byte, b' ' | b'\t' | b','));
            if rest.is_empty() {
                return Some(());
            }
            let (name, after) = token(rest)?;
            let (argument, after) = match after.split_first() {
                Some((b'=', value)) => argument(value).map(|(argument, after)| (Some(argument), after))?,
                _ => (None, after),
            };
            self.note(name, argument)?;
            rest = skip(after, |byte| matches!(byte, b' ' | b'\t'));
            if rest.first().is_some_and(|byte| *byte != b',') {
                return None;
            }
        }
    }

    fn note(&mut self, name: &[u8], argument: Option<&[u8]>) -> Option<()> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("no-store") {
            self.no_store = true;
        } else if is("no-cache") {
            self.no_cache = true;
        } else if is("private") {
            self.private = true;
        } else if is("must-revalidate") || is("proxy-revalidate") || is("s-maxage") {
            self.revalidate = true;
        } else if is("public") {
            // What an argument would narrow it to is not known.
            self.public |= argument.is_none();
            argument.is_none().then_some(())?;
        } else if is("max-age") {
            note_shorter(&mut self.max_age, argument)?;
        } else if is("stale-if-error") {
            note_shorter(&mut self.stale_if_error, argument)?;
        }
        Some(())
    }
}

fn note_shorter(known: &mut Option<u64>, argument: Option<&[u8]>) -> Option<()> {
    let seconds = seconds(argument?)?;
    *known = Some(known.map_or(seconds, |known| known.min(seconds)));
    Some(())
}

/// A number of seconds (RFC 9111 section 1.2.2); what is too large is the largest.
pub(crate) fn seconds(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte.wrapping_sub(b'0')))?;
        Some(sum.saturating_mul(10).saturating_add(digit).min(LONGEST))
    })
}

/// What follows `=`, without its quotes, and what is left. An escaped byte keeps its backslash: no argument that is
/// read here has one.
fn argument(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let Some((b'"', quoted)) = text.split_first() else { return token(text) };
    let mut escaped = false;
    let end = quoted.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    })?;
    let (value, after) = quoted.split_at_checked(end)?;
    Some((value, after.split_first()?.1))
}

/// A token that is not empty, and what is left.
fn token(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let end = text.iter().position(|byte| !is_token(byte)).unwrap_or(text.len());
    text.split_at_checked(end).filter(|(token, _)| !token.is_empty())
}

fn skip(text: &[u8], goes: impl Fn(u8) -> bool) -> &[u8] {
    let start = text.iter().position(|byte| !goes(*byte)).unwrap_or(text.len());
    text.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Directives {
        Directives::read(lines.iter().map(|line| line.as_bytes()))
    }

    #[test]
    fn every_form_is_read() {
        let said = Directives { said: true, ..Directives::default() };
        let (public, no_store) = (Directives { public: true, ..said }, Directives { no_store: true, ..said });
        let max_age = |seconds| Directives { max_age: Some(seconds), ..said };
        for (lines, expected) in [
            (&[][..], Directives::default()),
            (&[""], said),
            (&[" , ,\t,"], said),
            (&["public"], public),
            (&["PubLic ,"], public),
            (&["x=1, public, y=\"a,b\\\", no-store\""], public),
            (&["max-age=60"], max_age(60)),
            (&["max-age=\"60\""], max_age(60)),
            (&["max-age=60", "max-age=5, max-age=70"], max_age(5)),
            (&["max-age=99999999999999999999999999"], max_age(LONGEST)),
            (&["public", "max-age=1"], Directives { public: true, ..max_age(1) }),
            (&["stale-if-error=7"], Directives { stale_if_error: Some(7), ..said }),
            (&["no-store"], no_store),
            (&["no-store=x"], no_store),
            (&["private"], Directives { private: true, ..said }),
            (&["private=\"x, y\", public"], Directives { private: true, ..public }),
            (&["No-Cache=\"set-cookie\""], Directives { no_cache: true, ..said }),
            (&["must-revalidate"], Directives { revalidate: true, ..said }),
            (&["proxy-revalidate"], Directives { revalidate: true, ..said }),
            (&["s-maxage=5"], Directives { revalidate: true, ..said }),
        ] {
            assert_eq!(read(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn what_is_unclear_keeps_nothing() {
        for line in [
            "max-age",
            "max-age=",
            "max-age=-1",
            "max-age=1.5",
            "max-age=1x",
            "max-age= 1",
            "max-age =1",
            "max-age=\"1",
            "max-age=\"\\1\"",
            "public=1",
            "public private",
            "private=\"x",
            "=1",
            "a=\"b\"c",
            "public;max-age=1",
            "stale-if-error=soon",
            "public, \u{e9}",
            "\"public\"",
            "a=,",
        ] {
            assert!(read(&["public", line]).no_store, "{line}");
        }
    }
}
