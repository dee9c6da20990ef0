//! Where a request says its signature: the parts of `Authorization`, or parameters of the query.

use super::ALGORITHM;
use crate::request::{Refusal, SignedRequest, is_token_byte, percent_decoded};

/// The longest text that is read, in bytes.
const LONGEST: usize = 4096;

/// What is said, as it is said.
#[derive(Debug)]
pub(super) struct Parameters {
    pub(super) credential: String,
    pub(super) signed_headers: String,
    pub(super) signature: String,
    /// Of the query form alone.
    pub(super) query: Option<QueryParameters>,
}

#[derive(Debug)]
pub(super) struct QueryParameters {
    pub(super) date: String,
    pub(super) expires: String,
    pub(super) token: Option<String>,
}

/// Whether a request shows a signature of this kind, well made or not.
#[must_use]
pub fn is_signed(request: &SignedRequest<'_>) -> bool {
    in_header(request) || in_query(request)
}

fn in_header(request: &SignedRequest<'_>) -> bool {
    request.values("authorization").any(|value| scheme(value).is_some())
}

fn in_query(request: &SignedRequest<'_>) -> bool {
    names(request.query).any(|name| name == b"X-Amz-Algorithm" || name == b"X-Amz-Signature")
}

/// What follows the scheme.
fn scheme(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(ALGORITHM.len())?;
    // Whatever ends the scheme, some reader takes it for one.
    let ends = !rest.first().is_some_and(is_token_byte);
    (scheme.eq_ignore_ascii_case(ALGORITHM.as_bytes()) && ends).then_some(rest)
}

impl Parameters {
    /// Reads them; `None` where there are none.
    ///
    /// # Errors
    /// They are in both places, repeated, missing or malformed.
    pub(super) fn find(request: &SignedRequest<'_>) -> Result<Option<Self>, Refusal> {
        match (in_header(request), in_query(request)) {
            (false, false) => Ok(None),
            (true, false) => Self::header(request).map(Some),
            (false, true) => Self::query(request).map(Some),
            (true, true) => Err(Refusal::Invalid("there is a signature in the query and another beside it")),
        }
    }

    fn header(request: &SignedRequest<'_>) -> Result<Self, Refusal> {
        const MALFORMED: Refusal = Refusal::Invalid("the signature field is malformed");
        let value = request.single("authorization").and_then(scheme);
        let value = value.ok_or(Refusal::Invalid("there is more than one Authorization field"))?;
        if value.len() > LONGEST {
            return Err(Refusal::Invalid("the signature field is too long"));
        }
        let text = std::str::from_utf8(value).map_err(|_| MALFORMED)?;
        let mut found: [Option<&str>; 3] = [None; 3];
        for part in text.split(',') {
            let (name, value) = part.trim_ascii().split_once('=').ok_or(MALFORMED)?;
            let names = ["Credential", "SignedHeaders", "Signature"];
            let place = names.iter().position(|known| *known == name).ok_or(MALFORMED)?;
            if found.get_mut(place).is_none_or(|slot| slot.replace(value).is_some()) {
                return Err(Refusal::Invalid("a part of the signature field is repeated"));
            }
        }
        let [Some(credential), Some(signed_headers), Some(signature)] =
            found.map(|part| part.map(str::to_owned))
        else {
            return Err(Refusal::Invalid("a part of the signature field is missing"));
        };
        Ok(Self { credential, signed_headers, signature, query: None })
    }

    fn query(request: &SignedRequest<'_>) -> Result<Self, Refusal> {
        let missing = Refusal::Invalid("a parameter of the signature is missing");
        let one = |name| parameter(request.query, name);
        if one("X-Amz-Algorithm")?.as_deref() != Some(ALGORITHM) {
            return Err(Refusal::Invalid("the algorithm of the signature is not the one there is"));
        }
        Ok(Self {
            credential: one("X-Amz-Credential")?.ok_or(missing)?,
            signed_headers: one("X-Amz-SignedHeaders")?.ok_or(missing)?,
            signature: one("X-Amz-Signature")?.ok_or(missing)?,
            query: Some(QueryParameters {
                date: one("X-Amz-Date")?.ok_or(missing)?,
                expires: one("X-Amz-Expires")?.ok_or(missing)?,
                token: one("X-Amz-Security-Token")?,
            }),
        })
    }
}

fn pairs(query: Option<&[u8]>) -> impl Iterator<Item = (&[u8], &[u8])> {
    let pairs = query.unwrap_or_default().split(|byte| *byte == b'&');
    pairs.map(|pair| {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        (halves.next().unwrap_or_default(), halves.next().unwrap_or_default())
    })
}

/// The decoded names of parameters; one whose encoding is broken stands for itself.
fn names(query: Option<&[u8]>) -> impl Iterator<Item = Vec<u8>> {
    pairs(query).map(|(name, _)| percent_decoded(name, false).unwrap_or_else(|| name.to_vec()))
}

/// The value of a parameter of a signature, which stands at most once.
fn parameter(query: Option<&[u8]>, wanted: &str) -> Result<Option<String>, Refusal> {
    let malformed = Refusal::Invalid("a parameter of the signature is malformed");
    let mut found = None;
    for (name, value) in pairs(query) {
        if percent_decoded(name, false).as_deref() != Some(wanted.as_bytes()) {
            continue;
        }
        let value = percent_decoded(value, false).filter(|value| value.len() <= LONGEST).ok_or(malformed)?;
        let value = String::from_utf8(value).map_err(|_| malformed)?;
        if found.replace(value).is_some() {
            return Err(Refusal::Invalid("a parameter of the signature is repeated"));
        }
    }
    Ok(found)
}
