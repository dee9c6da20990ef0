//! Origins of browsers' pages (RFC 6454, the Fetch standard).

use torana_http::{Fields, Known};
use torana_plan::OriginPattern;

/// The request's `Origin`, if there is exactly one.
pub(crate) fn of(fields: &Fields) -> Option<&str> {
    let mut all = fields.get_all(Known::Origin);
    let first = all.next()?;
    if all.next().is_some() { None } else { std::str::from_utf8(first).ok() }
}

/// Scheme and host of an origin; the port only where it is not the scheme's own. `None` for `null` and for
/// what is no origin.
pub(crate) fn parts(origin: &str) -> Option<(&str, &str)> {
    let (scheme, host) = origin.split_once("://")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    if scheme.is_empty() || host.is_empty() || !host.bytes().all(plain) {
        return None;
    }
    Some((scheme, without_own_port(scheme, host)))
}

fn without_own_port<'h>(scheme: &str, host: &'h str) -> &'h str {
    let own = if scheme.eq_ignore_ascii_case("https") {
        ":443"
    } else if scheme.eq_ignore_ascii_case("http") {
        ":80"
    } else {
        return host;
    };
    host.strip_suffix(own).unwrap_or(host)
}

/// Whether the origin is one of these.
pub(crate) fn is_one_of(origin: &str, patterns: &[OriginPattern]) -> bool {
    let Some((scheme, host)) = parts(origin) else { return false };
    patterns.iter().any(|pattern| match pattern {
        OriginPattern::Any => true,
        OriginPattern::Exact(exact) => exact.split_once("://").is_some_and(|(own_scheme, own_host)| {
            own_scheme.eq_ignore_ascii_case(scheme) && own_host.eq_ignore_ascii_case(host)
        }),
        OriginPattern::Below(prefix, suffix) => {
            let below = host.len().checked_sub(suffix.len()).and_then(|at| host.split_at_checked(at));
            prefix.strip_suffix("://").is_some_and(|own| own.eq_ignore_ascii_case(scheme))
                && below.is_some_and(|(name, end)| !name.is_empty() && end.eq_ignore_ascii_case(suffix))
        }
        OriginPattern::Regex(regex) => regex.is_match(format!("{scheme}://{host}").as_bytes()),
    })
}

/// Whether the origin is the very host that the request is for.
pub(crate) fn is_host(origin: &str, authority: &[u8]) -> bool {
    let Some((scheme, host)) = parts(origin) else { return false };
    let Ok(authority) = std::str::from_utf8(authority) else { return false };
    host.eq_ignore_ascii_case(without_own_port(scheme, authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_compared_as_a_whole() {
        let exact = [OriginPattern::Exact("https://app.test".into())];
        for yes in ["https://app.test", "https://app.test:443", "HTTPS://App.Test"] {
            assert!(is_one_of(yes, &exact), "{yes}");
        }
        for no in [
            "http://app.test",
            "https://app.test:8443",
            "https://app.test.evil.test",
            "https://evilapp.test",
            "https://app.test/",
            "https://app.test@evil.test",
            "null",
            "",
            "https://",
            "app.test",
        ] {
            assert!(!is_one_of(no, &exact), "{no}");
        }
        let below = [OriginPattern::Below("https://".into(), ".app.test".into())];
        for (origin, yes) in [
            ("https://a.app.test", true),
            ("https://a.b.APP.test", true),
            ("https://app.test", false),
            ("https://.app.test", false),
            ("https://evilapp.test", false),
            ("http://a.app.test", false),
            ("https://a.app.test:8443", false),
            ("https://evil.test/.app.test", false),
        ] {
            assert_eq!(is_one_of(origin, &below), yes, "{origin}");
        }
    }

    #[test]
    fn a_page_of_the_host_itself_is_known() {
        assert!(is_host("https://api.test", b"api.test"));
        assert!(is_host("https://api.test", b"API.test:443"));
        assert!(is_host("http://api.test:8080", b"api.test:8080"));
        assert!(!is_host("https://api.test:8080", b"api.test"));
        assert!(!is_host("null", b"null"));
        assert!(!is_host("https://evil.test", b"api.test"));
    }
}
