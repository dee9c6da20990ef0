//! What a signed request claims, and whether its signature bears it out.

use super::parameters::Parameters;
use super::time::Timestamp;
use super::{ALGORITHM, PathForm, canonical, from_hexadecimal, hexadecimal};
use crate::request::{Refusal, SignedRequest, is_token};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use std::fmt;

/// The most fields that are signed.
const MOST_HEADERS: usize = 64;
/// The longest life of a presigned request, in seconds: seven days.
const LONGEST_LIFE: u64 = 604_800;

/// Where a signature is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The day, as `20130524`.
    pub day: String,
    /// The region, as `us-east-1`.
    pub region: String,
    /// The service, as `s3`.
    pub service: String,
}

impl Scope {
    pub(super) fn text(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.day, self.region, self.service)
    }
}

/// What is said of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Its SHA-256, in hexadecimal.
    Hash(String),
    /// Nothing: the signature does not cover it.
    Unsigned,
    /// It comes in chunks that are signed one after the other.
    Chunked,
    /// Nothing in the head: its SHA-256 is signed all the same.
    Silent,
}

/// What a signed request claims.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Whose secret it is.
    pub access_key: String,
    /// Where it is good.
    pub scope: Scope,
    /// When it was signed.
    pub time: Timestamp,
    /// For how many seconds it is good, where it says so itself (presigned).
    pub expires: Option<u64>,
    /// The token of a session, which is not verified here.
    pub token: Option<String>,
    /// What is said of the body.
    pub payload: Payload,
    signed_headers: Vec<String>,
    signature: String,
}

/// The key of one day, region and service.
pub struct SigningKey(hmac::Key);

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningKey")
    }
}

impl SigningKey {
    /// Whether the signature, in hexadecimal, is of this text. In constant time.
    pub(super) fn verifies(&self, text: &[u8], signature: &str) -> bool {
        from_hexadecimal(signature).is_some_and(|bytes| hmac::verify(&self.0, text, &bytes).is_ok())
    }

    /// The signature over a text, in hexadecimal.
    #[must_use]
    pub fn sign(&self, text: &[u8]) -> String {
        hexadecimal(hmac::sign(&self.0, text).as_ref())
    }
}

impl Claim {
    /// Reads what a request claims; `None` where it shows no signature of this kind.
    ///
    /// # Errors
    /// The signature is malformed, or leaves out a field that has to be signed.
    pub fn find(request: &SignedRequest<'_>) -> Result<Option<Self>, Refusal> {
        let Some(said) = Parameters::find(request)? else { return Ok(None) };
        let (access_key, scope) = credential(&said.credential)?;
        let signed_headers = signed_headers(&said.signed_headers, request)?;
        if from_hexadecimal(&said.signature).is_none() {
            return Err(Refusal::Invalid("the signature is not 64 hexadecimal digits"));
        }
        let (time, expires, token) = match &said.query {
            Some(query) => {
                let time = Timestamp::parse(&query.date).ok_or(Refusal::Invalid("the date is malformed"))?;
                (time, Some(life(&query.expires)?), query.token.clone())
            }
            None => (header_time(request, &signed_headers)?, None, None),
        };
        if time.day() != scope.day {
            return Err(Refusal::Invalid("the day of the signature is not that of the request"));
        }
        let token = match (token, text(request, "x-amz-security-token")?) {
            (Some(_), Some(_)) => return Err(Refusal::Invalid("the token of the session is repeated")),
            (query, header) => query.or(header),
        };
        let payload = payload(request, expires.is_some(), &scope.service)?;
        let signature = said.signature;
        Ok(Some(Self { access_key, scope, time, expires, token, payload, signed_headers, signature }))
    }

    /// Whether the signature is of now, in seconds since 1970-01-01 UTC: within `skew` seconds, or for as long as
    /// a presigned request says, at most `longest` seconds. Gives the first second at which it is not.
    ///
    /// # Errors
    /// It is not.
    pub fn is_current(&self, now: u64, skew: u64, longest: u64) -> Result<u64, Refusal> {
        let made = self.time.seconds();
        if made > now.saturating_add(skew) {
            return Err(Refusal::Invalid("the request was signed in the future"));
        }
        let end = match self.expires {
            Some(expires) if expires > longest => {
                return Err(Refusal::Invalid("the request is good for longer than it may be"));
            }
            Some(expires) => made.saturating_add(expires),
            None => made.saturating_add(skew).saturating_add(1),
        };
        if now >= end { Err(Refusal::Expired("the signature is past its end")) } else { Ok(end) }
    }

    /// The key that the request has to be signed with.
    #[must_use]
    pub fn signing_key(&self, secret: &str) -> SigningKey {
        let step = |key: &[u8], text: &str| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
        };
        let first = zeroize::Zeroizing::new(format!("AWS4{secret}"));
        let day = step(first.as_bytes(), &self.scope.day);
        let service = step(&step(&day, &self.scope.region), &self.scope.service);
        SigningKey(hmac::Key::new(hmac::HMAC_SHA256, &step(&service, "aws4_request")))
    }

    /// The text that has to be signed. `body` is what the signature covers of the body where the head says nothing.
    ///
    /// # Errors
    /// Percent-encoding of the path or the query is broken.
    pub fn signed_text(
        &self,
        request: &SignedRequest<'_>,
        body: &[u8],
        form: PathForm,
    ) -> Result<Vec<u8>, Refusal> {
        let hash;
        let payload = match &self.payload {
            Payload::Hash(told) => told,
            Payload::Unsigned => UNSIGNED,
            Payload::Chunked => CHUNKED,
            Payload::Silent => {
                hash = hexadecimal(digest(&SHA256, body).as_ref());
                &hash
            }
        };
        let presigned = self.expires.is_some();
        let canonical = canonical::request(request, &self.signed_headers, payload, form, presigned)?;
        let hash = hexadecimal(digest(&SHA256, &canonical).as_ref());
        Ok(format!("{ALGORITHM}\n{}\n{}\n{hash}", self.time.text(), self.scope.text()).into_bytes())
    }

    /// Whether the signature over the text was made with this key. In constant time.
    #[must_use]
    pub fn verifies(&self, key: &SigningKey, text: &[u8]) -> bool {
        key.verifies(text, &self.signature)
    }

    /// Whether the body is the one that the head says, where it says a hash.
    #[must_use]
    pub fn is_of(&self, body: &[u8]) -> bool {
        match &self.payload {
            Payload::Hash(told) => *told == hexadecimal(digest(&SHA256, body).as_ref()),
            _ => true,
        }
    }

    pub(super) fn signature(&self) -> &str {
        &self.signature
    }
}

const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
const CHUNKED: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";

/// `AKID/20130524/us-east-1/s3/aws4_request`.
fn credential(text: &str) -> Result<(String, Scope), Refusal> {
    let malformed = Refusal::Invalid("the credential of the signature is malformed");
    let mut parts = text.rsplitn(5, '/');
    let mut next = || {
        let good =
            |part: &&str| !part.is_empty() && part.len() <= 128 && part.bytes().all(|b| b.is_ascii_graphic());
        parts.next().filter(good).map(str::to_owned).ok_or(malformed)
    };
    let (end, service, region, day, access_key) = (next()?, next()?, next()?, next()?, next()?);
    if end != "aws4_request" {
        return Err(malformed);
    }
    Ok((access_key, Scope { day, region, service }))
}

/// The names, in lower case and in order; what has to be among them.
fn signed_headers(text: &str, request: &SignedRequest<'_>) -> Result<Vec<String>, Refusal> {
    let names: Vec<String> = text.split(';').map(str::to_owned).collect();
    let good =
        |name: &String| is_token(name.as_bytes()) && !name.bytes().any(|byte| byte.is_ascii_uppercase());
    if names.len() > MOST_HEADERS
        || !names.iter().all(good)
        || !names.is_sorted_by(|left, right| left < right)
    {
        return Err(Refusal::Invalid(
            "the list of signed fields is malformed, repeats one or is not in order",
        ));
    }
    let is_signed = |name: &[u8]| names.iter().any(|own| own.as_bytes().eq_ignore_ascii_case(name));
    let meant = |name: &[u8]| name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"x-amz-"));
    if !is_signed(b"host") {
        return Err(Refusal::Invalid("the host is not signed"));
    }
    if request.fields.iter().any(|(name, _)| meant(name) && !is_signed(name)) {
        return Err(Refusal::Invalid("an x-amz- field is not signed"));
    }
    if names.iter().any(|name| request.values(name).next().is_none()) {
        return Err(Refusal::Invalid("a signed field is missing"));
    }
    Ok(names)
}

/// `X-Amz-Date`, else `Date`; signed.
fn header_time(request: &SignedRequest<'_>, signed: &[String]) -> Result<Timestamp, Refusal> {
    let malformed = Refusal::Invalid("the date is missing, repeated, malformed or not signed");
    let time = if request.values("x-amz-date").next().is_some() {
        Timestamp::parse(&text(request, "x-amz-date")?.ok_or(malformed)?)
    } else if signed.iter().any(|name| name == "date") {
        request.single("date").and_then(|value| {
            let text = std::str::from_utf8(value).ok()?;
            // AWS's own clients write the zone of RFC 5322.
            let date = text.strip_suffix("-0000").or_else(|| text.strip_suffix("+0000"));
            let date = date.map_or_else(|| text.to_owned(), |date| format!("{date}GMT"));
            Timestamp::parse(text).or_else(|| Timestamp::from_http_date(date.as_bytes()))
        })
    } else {
        None
    };
    time.ok_or(malformed)
}

fn life(text: &str) -> Result<u64, Refusal> {
    let digits = (1..=6).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let life = if digits { text.parse().ok() } else { None };
    life.filter(|life| (1..=LONGEST_LIFE).contains(life))
        .ok_or(Refusal::Invalid("the life of a presigned request is not 1 to 604800 seconds"))
}

/// The one value of a field as text; an error when it is repeated.
fn text(request: &SignedRequest<'_>, name: &str) -> Result<Option<String>, Refusal> {
    let mut values = request.values(name);
    let Some(value) = values.next() else { return Ok(None) };
    match (std::str::from_utf8(value), values.next()) {
        (Ok(text), None) => Ok(Some(text.to_owned())),
        _ => Err(Refusal::Invalid("a field of the signature is repeated or not text")),
    }
}

/// S3 leaves the body of a presigned request out of the signature.
fn payload(request: &SignedRequest<'_>, presigned: bool, service: &str) -> Result<Payload, Refusal> {
    Ok(match text(request, "x-amz-content-sha256")?.as_deref() {
        Some(UNSIGNED) => Payload::Unsigned,
        Some(CHUNKED) => Payload::Chunked,
        Some(hash) if from_hexadecimal(hash).is_some() => Payload::Hash(hash.to_owned()),
        Some(_) => return Err(Refusal::Invalid("what is said of the body is not understood")),
        None if presigned && service == "s3" => Payload::Unsigned,
        None => Payload::Silent,
    })
}
