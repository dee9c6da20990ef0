//! Kong's `hmac` scheme: `hmac username="…", algorithm="…", headers="…", signature="…"`.
//!
//! The signed text has a line for each name in `headers`, in that order, joined by line feeds: `name: value` with
//! the name as it is listed, `name:` alone for a field that is missing; `request-line` is the request line as it
//! was sent, `@request-target` the method in lower case and the target. Fields come before the signed text as they
//! stand in the request; a covered field that is repeated is refused, for Kong has no rule for it.

use super::mac::MacAlgorithm;
use crate::request::{Refusal, SignedRequest, http_date, is_token, is_token_byte};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The longest `Authorization` that is read, in bytes.
const LONGEST: usize = 4096;
/// The most names that are covered.
const MOST_NAMES: usize = 64;
const REQUEST_LINE: &str = "request-line";
const REQUEST_TARGET: &str = "@request-target";
/// Names of no fields. In another case they would be taken for fields, and sign nothing.
const SPECIAL: [&str; 2] = [REQUEST_LINE, REQUEST_TARGET];

/// What a caller shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KongSignature<'r> {
    /// Whose secret it is.
    pub username: &'r str,
    /// What the MAC was made with.
    pub algorithm: MacAlgorithm,
    /// The MAC.
    pub mac: Vec<u8>,
    names: Vec<&'r str>,
}

impl<'r> KongSignature<'r> {
    /// Reads the value of `Authorization`; `None` when it is of another scheme.
    ///
    /// # Errors
    /// A parameter is missing, repeated, unknown or malformed.
    pub fn parse(value: &'r [u8]) -> Result<Option<Self>, Refusal> {
        let value = value.trim_ascii();
        let (scheme, rest) = value.split_at_checked(4).unwrap_or((value, &[]));
        // Whatever ends the scheme, some reader takes it for one.
        if !scheme.eq_ignore_ascii_case(b"hmac") || rest.first().is_some_and(is_token_byte) {
            return Ok(None);
        }
        if value.len() > LONGEST {
            return Err(Refusal::Invalid("the signature field is too long"));
        }
        let text = std::str::from_utf8(rest).map_err(|_| Refusal::Invalid("the signature is not text"))?;
        let [username, algorithm, headers, signature] = parameters(text)?;
        let algorithm =
            MacAlgorithm::from_name(algorithm).ok_or(Refusal::Invalid("the algorithm is unknown"))?;
        let mac = STANDARD.decode(signature).map_err(|_| Refusal::Invalid("the signature is not base64"))?;
        let names: Vec<&str> = headers.split(' ').filter(|name| !name.is_empty()).collect();
        let good = |name: &&str| is_token(name.as_bytes()) || **name == *REQUEST_TARGET;
        if names.is_empty() || names.len() > MOST_NAMES || !names.iter().all(good) {
            return Err(Refusal::Invalid("the list of signed fields is empty, too long or malformed"));
        }
        let written_otherwise =
            |name: &&str| SPECIAL.iter().any(|own| own.eq_ignore_ascii_case(name) && own != name);
        if names.iter().any(written_otherwise) {
            return Err(Refusal::Invalid("`request-line` and `@request-target` are written in lower case"));
        }
        Ok(Some(Self { username, algorithm, mac, names }))
    }

    /// Whether a field (or `request-line`, `@request-target`) is covered. The request line holds the target, so
    /// it stands for it.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        let has = |name: &str| self.names.iter().any(|own| own.eq_ignore_ascii_case(name));
        has(name) || (name == REQUEST_TARGET && has(REQUEST_LINE))
    }

    /// The text that was signed.
    ///
    /// # Errors
    /// A covered field is repeated.
    pub fn signed_text(&self, request: &SignedRequest<'_>) -> Result<Vec<u8>, Refusal> {
        let mut text = Vec::new();
        for name in &self.names {
            if !text.is_empty() {
                text.push(b'\n');
            }
            match *name {
                REQUEST_LINE => {
                    text.extend_from_slice(request.method);
                    text.push(b' ');
                    text.extend_from_slice(&request.target());
                    text.extend_from_slice(b" HTTP/");
                    text.extend_from_slice(request.version.as_bytes());
                }
                REQUEST_TARGET => {
                    text.extend_from_slice(b"@request-target: ");
                    text.extend(request.method.to_ascii_lowercase());
                    text.push(b' ');
                    text.extend_from_slice(&request.target());
                }
                name => {
                    text.extend_from_slice(name.as_bytes());
                    text.push(b':');
                    let mut values = request.values(name);
                    if let Some(value) = values.next() {
                        text.push(b' ');
                        text.extend_from_slice(value);
                    }
                    if values.next().is_some() {
                        return Err(Refusal::Invalid("a signed field is repeated"));
                    }
                }
            }
        }
        Ok(text)
    }

    /// When the request was made, by `X-Date` or `Date`: whichever is within `skew` seconds of `now`, both in
    /// seconds since 1970-01-01 UTC. With `signed` one that is not covered does not count.
    ///
    /// # Errors
    /// Neither is.
    pub fn made_at(
        &self,
        request: &SignedRequest<'_>,
        now: u64,
        skew: u64,
        signed: bool,
    ) -> Result<u64, Refusal> {
        let mut seen = false;
        for name in ["x-date", "date"] {
            if signed && !self.covers(name) {
                continue;
            }
            let Some(made) = request.single(name).and_then(http_date) else { continue };
            seen = true;
            if now.abs_diff(made) <= skew {
                return Ok(made);
            }
        }
        Err(if seen {
            Refusal::Expired("the date of the request is too far from now")
        } else {
            Refusal::Invalid("there is no date, or none that is signed")
        })
    }
}

/// The four parameters, each once, in any order.
fn parameters(mut text: &str) -> Result<[&str; 4], Refusal> {
    const NAMES: [&str; 4] = ["username", "algorithm", "headers", "signature"];
    let malformed = Refusal::Invalid("the parameters of the signature are malformed");
    let mut found: [Option<&str>; 4] = [None; 4];
    loop {
        let (name, rest) = text.split_once("=\"").ok_or(malformed)?;
        let (value, rest) = rest.split_once('"').ok_or(malformed)?;
        let place = NAMES.iter().position(|known| *known == name.trim_ascii()).ok_or(malformed)?;
        let slot = found.get_mut(place).ok_or(malformed)?;
        if slot.replace(value).is_some() {
            return Err(Refusal::Invalid("a parameter of the signature is repeated"));
        }
        let rest = rest.trim_ascii();
        if rest.is_empty() {
            break;
        }
        text = rest.strip_prefix(',').ok_or(malformed)?;
    }
    match found {
        [Some(username), Some(algorithm), Some(headers), Some(signature)] if !username.is_empty() => {
            Ok([username, algorithm, headers, signature])
        }
        _ => Err(Refusal::Invalid("a parameter of the signature is missing")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> SignedRequest<'static> {
        SignedRequest {
            method: b"GET",
            host: b"api.example",
            path: b"/a%2fb",
            query: Some(b"x=1&y=%20"),
            version: "1.1",
            fields: vec![(b"Date", b"Thu, 01 Jan 1970 00:16:40 GMT"), (b"X-Two", b"a"), (b"x-two", b"b")],
            ..SignedRequest::default()
        }
    }

    fn shown(headers: &str) -> String {
        format!("hmac username=\"u\", algorithm=\"hmac-sha256\", headers=\"{headers}\", signature=\"AAAA\"")
    }

    #[test]
    fn the_signed_text_is_what_kong_signs() {
        let value = shown("Date request-line @request-target host missing");
        let parsed = KongSignature::parse(value.as_bytes()).unwrap().unwrap();
        let text = parsed.signed_text(&request()).unwrap();
        let wanted = "Date: Thu, 01 Jan 1970 00:16:40 GMT\nGET /a%2fb?x=1&y=%20 HTTP/1.1\n\
            @request-target: get /a%2fb?x=1&y=%20\nhost: api.example\nmissing:";
        assert_eq!(String::from_utf8(text).unwrap(), wanted);
        let value = shown("x-two");
        let parsed = KongSignature::parse(value.as_bytes()).unwrap().unwrap();
        assert!(parsed.signed_text(&request()).is_err());
    }

    #[test]
    fn what_is_not_the_scheme_is_left_to_others_and_what_is_malformed_is_refused() {
        for other in ["Bearer x", "hma", "", "hmacx username=\"u\""] {
            assert_eq!(KongSignature::parse(other.as_bytes()), Ok(None), "{other}");
        }
        let good = shown("date");
        for wrong in [
            "hmac".to_owned(),
            "hmac username=\"u\"".into(),
            good.replacen(' ', ",", 1),
            good.replacen(' ', "\u{a0}", 1),
            good.replace("AAAA", "A"),
            good.replace("sha256", "md5"),
            good.replace("\"u\"", "\"\""),
            good.replace("\"date\"", "\"\""),
            good.replace("\"date\"", "\"da\tte\""),
            good.replace("\"date\"", "\"a:b\""),
            format!("{good}, username=\"v\""),
            format!("{good}, other=\"v\""),
            format!("{good},"),
            format!("{good} x"),
            shown("date Request-Line"),
            shown("date REQUEST-LINE request-line"),
            shown("date @Request-Target"),
            shown(&"date ".repeat(65)),
            shown(&"d".repeat(5000)),
        ] {
            assert!(KongSignature::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_a_date_that_is_near_counts() {
        let at = |headers: &str, now, signed| {
            let value = shown(headers);
            let parsed = KongSignature::parse(value.as_bytes()).unwrap().unwrap();
            parsed.made_at(&request(), now, 300, signed)
        };
        assert_eq!(at("date", 1_300, true), Ok(1_000));
        assert_eq!(at("date", 700, true), Ok(1_000));
        assert!(matches!(at("date", 1_301, true), Err(Refusal::Expired(_))));
        assert!(matches!(at("date", 699, true), Err(Refusal::Expired(_))));
        assert!(matches!(at("host", 1_000, true), Err(Refusal::Invalid(_))));
        assert_eq!(at("host", 1_000, false), Ok(1_000));
    }
}
