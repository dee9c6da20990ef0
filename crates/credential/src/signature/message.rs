//! HTTP Message Signatures (RFC 9421) over requests.
//!
//! Understood: the derived components of requests, fields as they are, with `bs` and with `key`. Refused: `sf`
//! (it needs to know the type of every field), `tr`, `req`, and whatever of responses. A component that cannot be
//! derived from the request refuses it.

use super::parts;
use crate::request::{Refusal, SignedRequest, is_token, percent_decoded, percent_encode};
use sfv::{BareItem, InnerList, Item, Key, ListEntry, Parameters};

/// The most components that are covered.
const MOST: usize = 32;
/// The most of them that have a parameter: each costs a reading of its whole field.
const MOST_READ: usize = 8;
/// The longest text in a parameter, in bytes.
const LONGEST: usize = 256;
/// The longest query of which a single parameter is covered, in bytes.
const LONGEST_QUERY: usize = 8192;

/// A signature and what it says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageSignature {
    /// When it was made, in seconds since 1970-01-01 UTC.
    pub created: Option<u64>,
    /// When it ends to be good, in the same.
    pub expires: Option<u64>,
    /// Whose key it is.
    pub key_id: String,
    /// The algorithm, where it is told.
    pub algorithm: Option<String>,
    /// A word that stands once only.
    pub nonce: Option<String>,
    /// What it is for.
    pub tag: Option<String>,
    /// The signature.
    pub signature: Vec<u8>,
    covered: InnerList,
}

impl MessageSignature {
    /// Reads `Signature-Input` and `Signature`; `None` where neither is. `label` and `tag` choose among several;
    /// where they leave more than one, nothing is chosen.
    ///
    /// # Errors
    /// They are malformed, none is chosen or more than one, or a parameter is missing or malformed.
    pub fn find(
        request: &SignedRequest<'_>,
        label: Option<&str>,
        tag: Option<&str>,
    ) -> Result<Option<Self>, Refusal> {
        let input = parts::combined(request, "signature-input");
        let signature = parts::combined(request, "signature");
        let (input, signatures) = match (input, signature) {
            (None, None) => return Ok(None),
            (Some(input), Some(signature)) => (parts::dictionary(&input)?, parts::dictionary(&signature)?),
            _ => return Err(Refusal::Invalid("of Signature-Input and Signature one is missing")),
        };
        let mut chosen = input.iter().filter(|(name, member)| {
            let params = match member {
                ListEntry::InnerList(list) => &list.params,
                ListEntry::Item(item) => &item.params,
            };
            label.is_none_or(|label| name.as_str() == label)
                && tag.is_none_or(|tag| text(params, "tag").is_ok_and(|own| own.as_deref() == Some(tag)))
        });
        let (name, member) =
            chosen.next().ok_or(Refusal::Invalid("there is no signature of that label and tag"))?;
        if chosen.next().is_some() {
            return Err(Refusal::Invalid("more than one signature, and nothing says which counts"));
        }
        let ListEntry::InnerList(covered) = member else {
            return Err(Refusal::Invalid("what a signature covers is not a list"));
        };
        let Some(ListEntry::Item(Item { bare_item: BareItem::ByteSequence(signature), .. })) =
            signatures.get(name)
        else {
            return Err(Refusal::Invalid("the signature of that label is missing or no bytes"));
        };
        Self::read(covered, signature.clone()).map(Some)
    }

    fn read(covered: &InnerList, signature: Vec<u8>) -> Result<Self, Refusal> {
        const KNOWN: [&str; 6] = ["created", "expires", "keyid", "alg", "nonce", "tag"];
        let params = &covered.params;
        let read = covered.items.iter().filter(|item| !item.params.is_empty()).count();
        if covered.items.len() > MOST || read > MOST_READ {
            return Err(Refusal::Invalid("a signature covers too many components"));
        }
        if !params.keys().all(|name| KNOWN.contains(&name.as_str())) {
            return Err(Refusal::Invalid("a signature has a parameter that is not known"));
        }
        Ok(Self {
            created: seconds(params, "created")?,
            expires: seconds(params, "expires")?,
            key_id: text(params, "keyid")?.ok_or(Refusal::Invalid("a signature does not say whose it is"))?,
            algorithm: text(params, "alg")?,
            nonce: text(params, "nonce")?,
            tag: text(params, "tag")?,
            signature,
            covered: covered.clone(),
        })
    }

    /// Whether a component is covered whole. The target stands for its parts: `@target-uri` for `@scheme`,
    /// `@authority`, `@path` and `@query`, `@request-target` for the last two.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        let has = |name: &str| {
            let whole =
                |item: &&Item| item.params.is_empty() || item.params.keys().all(|key| key.as_str() == "bs");
            let mut names = self.covered.items.iter().filter(whole).filter_map(name_of);
            names.any(|own| own == name)
        };
        has(name)
            || match name {
                "@path" | "@query" => has("@target-uri") || has("@request-target"),
                "@authority" | "@scheme" => has("@target-uri"),
                _ => false,
            }
    }

    /// Whether the signature is of now, in seconds since 1970-01-01 UTC: made at most `max_age` seconds ago, at
    /// most `skew` seconds ahead, and not at its end. Gives the first second at which it is not.
    ///
    /// # Errors
    /// It is not, or does not say when it was made.
    pub fn is_current(&self, now: u64, max_age: u64, skew: u64) -> Result<u64, Refusal> {
        let created = self.created.ok_or(Refusal::Invalid("a signature does not say when it was made"))?;
        if created > now.saturating_add(skew) {
            return Err(Refusal::Invalid("a signature was made in the future"));
        }
        let oldest = created.saturating_add(max_age).saturating_add(1);
        let end = self.expires.map_or(oldest, |expires| expires.min(oldest));
        if now >= end { Err(Refusal::Expired("a signature is past its end")) } else { Ok(end) }
    }

    /// The signature base (RFC 9421 section 2.5).
    ///
    /// # Errors
    /// A component is repeated, not understood, or not in the request.
    pub fn base(&self, request: &SignedRequest<'_>) -> Result<Vec<u8>, Refusal> {
        let mut base = Vec::new();
        let mut seen: Vec<String> = Vec::with_capacity(self.covered.items.len());
        for item in &self.covered.items {
            let identifier = parts::item_text(item);
            if seen.contains(&identifier) {
                return Err(Refusal::Invalid("a signature covers a component twice"));
            }
            base.extend_from_slice(identifier.as_bytes());
            base.extend_from_slice(b": ");
            base.extend_from_slice(&value(item, request)?);
            base.push(b'\n');
            seen.push(identifier);
        }
        base.extend_from_slice(b"\"@signature-params\": ");
        base.extend_from_slice(parts::inner_list_text(&self.covered).as_bytes());
        Ok(base)
    }
}

fn name_of(item: &Item) -> Option<&str> {
    item.bare_item.as_string().map(sfv::StringRef::as_str)
}

fn seconds(params: &Parameters, name: &str) -> Result<Option<u64>, Refusal> {
    let Some(value) = params.get(name) else { return Ok(None) };
    let number = value.as_integer().and_then(|number| u64::try_from(i64::from(number)).ok());
    number.map(Some).ok_or(Refusal::Invalid("a time of a signature is not a number of seconds"))
}

fn text(params: &Parameters, name: &str) -> Result<Option<String>, Refusal> {
    let Some(value) = params.get(name) else { return Ok(None) };
    let text = value.as_string().map(sfv::StringRef::as_str).filter(|text| text.len() <= LONGEST);
    text.map(|text| Some(text.to_owned())).ok_or(Refusal::Invalid("a parameter of a signature is not a text"))
}

/// The value of a component (RFC 9421 section 2).
fn value(item: &Item, request: &SignedRequest<'_>) -> Result<Vec<u8>, Refusal> {
    let name = name_of(item).ok_or(Refusal::Invalid("the name of a component is not a text"))?;
    let params: Vec<(&Key, &BareItem)> = item.params.iter().collect();
    if name.starts_with('@') {
        return match *params {
            [] => derived(name, request),
            [(key, BareItem::String(wanted))] if name == "@query-param" && key.as_str() == "name" => {
                query_parameter(request, wanted.as_str())
            }
            _ => Err(Refusal::Invalid("a derived component has a parameter that is not understood")),
        };
    }
    if !is_token(name.as_bytes()) || name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(Refusal::Invalid("the name of a component is not a field in lower case"));
    }
    let missing = Refusal::Invalid("a component that a signature covers is not in the request");
    match *params {
        [] => parts::combined(request, name).ok_or(missing),
        [(key, BareItem::Boolean(true))] if key.as_str() == "bs" => {
            let wrapped = |value: &[u8]| parts::item_text(&Item::new(BareItem::ByteSequence(value.to_vec())));
            let values: Vec<String> = request.values(name).map(wrapped).collect();
            if values.is_empty() { Err(missing) } else { Ok(values.join(", ").into_bytes()) }
        }
        [(key, BareItem::String(member))] if key.as_str() == "key" => {
            let members = parts::dictionary(&parts::combined(request, name).ok_or(missing)?)?;
            let member = members.get(member.as_str()).ok_or(missing)?;
            Ok(parts::member_text(member).into_bytes())
        }
        _ => Err(Refusal::Invalid("a component has a parameter that is not understood")),
    }
}

/// RFC 9421 section 2.2.
fn derived(name: &str, request: &SignedRequest<'_>) -> Result<Vec<u8>, Refusal> {
    let scheme = if request.secure { "https" } else { "http" };
    Ok(match name {
        "@method" => request.method.to_vec(),
        "@scheme" => scheme.into(),
        "@authority" => authority(request)?,
        "@path" => request.path.to_vec(),
        "@query" => [b"?", request.query.unwrap_or_default()].concat(),
        "@request-target" => request.target(),
        "@target-uri" => [scheme.as_bytes(), b"://", &authority(request)?, &request.target()].concat(),
        _ => return Err(Refusal::Invalid("a derived component is not one of requests")),
    })
}

/// The host in lower case, without the port that its scheme has anyway.
fn authority(request: &SignedRequest<'_>) -> Result<Vec<u8>, Refusal> {
    let host = request.host.to_ascii_lowercase();
    if host.is_empty() {
        return Err(Refusal::Invalid("a signature covers the host, and there is none"));
    }
    let usual: &[u8] = if request.secure { b":443" } else { b":80" };
    Ok(host.strip_suffix(usual).map_or_else(|| host.clone(), <[u8]>::to_vec))
}

/// A parameter that stands once, decoded and encoded anew (RFC 9421 section 2.2.8).
fn query_parameter(request: &SignedRequest<'_>, wanted: &str) -> Result<Vec<u8>, Refusal> {
    let missing = Refusal::Invalid("a signature covers a parameter that is missing, repeated or malformed");
    let anew = |text: &[u8]| {
        let mut out = Vec::new();
        // The set of application/x-www-form-urlencoded, but for the space (URL Standard section 1.3).
        percent_encode(&percent_decoded(text, true)?, b"*-._", &mut out);
        Some(out)
    };
    let mut found = None;
    let query = request.query.filter(|query| query.len() <= LONGEST_QUERY).ok_or(missing)?;
    for pair in query.split(|byte| *byte == b'&') {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let (name, value) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
        if anew(name).ok_or(missing)? == wanted.as_bytes() {
            let value = anew(value).ok_or(missing)?;
            if found.replace(value).is_some() {
                return Err(missing);
            }
        }
    }
    found.ok_or(missing)
}
