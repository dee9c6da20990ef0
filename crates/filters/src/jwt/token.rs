//! Reading and verifying one token (RFC 7515, RFC 7519).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};
use sha2::Sha256;
use std::fmt;
use std::sync::Arc;
use torana_config::written::Algorithm;
use torana_filter::Identity;
use torana_plan::JwtPlan;

/// The longest token that is looked at.
pub(super) const LONGEST: usize = 8 * 1024;

/// Why a credential is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Invalid {
    #[error("no bearer token")]
    Missing,
    #[error("more than one Authorization field")]
    Repeated,
    #[error("the token is longer than {LONGEST} bytes")]
    TooLong,
    #[error("the token does not have three parts")]
    Shape,
    #[error("the token's {0} is not base64url without padding")]
    Encoding(&'static str),
    #[error("the token's {0} is not a JSON object with distinct names")]
    Json(&'static str),
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    #[error("the token asks for extensions (crit)")]
    Critical,
    #[error("the signature is wrong")]
    Signature,
    #[error("the claim `{0}` is not a point in time")]
    Time(&'static str),
    #[error("the token expired")]
    Expired,
    #[error("the token is not valid yet")]
    TooEarly,
    #[error("the claim `{0}` does not say who calls")]
    Consumer(String),
    #[error("the claim `{0}` is not a list of roles")]
    Roles(String),
    #[error("the claim `{0}` cannot be sent in a field")]
    Field(String),
}

/// A token whose signature is right.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) identity: Arc<Identity>,
    /// Seconds since 1970-01-01 UTC.
    pub(super) expires: Option<u64>,
    /// The same.
    pub(super) not_before: Option<u64>,
    /// Fields for the service.
    pub(super) fields: Vec<(String, Vec<u8>)>,
}

/// Verifies the signature, then reads the claims. Times are only read, not compared.
pub(super) fn verify(token: &[u8], plan: &JwtPlan) -> Result<Verified, Invalid> {
    if token.len() > LONGEST {
        return Err(Invalid::TooLong);
    }
    let mut dots = memchr::memchr_iter(b'.', token);
    let (Some(first), Some(second), None) = (dots.next(), dots.next(), dots.next()) else {
        return Err(Invalid::Shape);
    };
    let part = |from: usize, to: usize| token.get(from..to).ok_or(Invalid::Shape);
    let header = object(part(0, first)?, "header")?;
    match header.get("alg").and_then(Value::as_str) {
        Some("HS256") if plan.algorithms.contains(&Algorithm::Hs256) => {}
        _ => return Err(Invalid::Algorithm),
    }
    // RFC 7515 section 4.1.11: what is critical and unknown must be refused, and we know no extension.
    if header.contains_key("crit") {
        return Err(Invalid::Critical);
    }
    let signature = decode(part(second.saturating_add(1), token.len())?, "signature")?;
    let mut mac =
        Hmac::<Sha256>::new_from_slice(plan.secret.expose().as_bytes()).map_err(|_| Invalid::Signature)?;
    mac.update(part(0, second)?);
    // Compares in constant time.
    mac.verify_slice(&signature).map_err(|_| Invalid::Signature)?;
    let claims = object(part(first.saturating_add(1), second)?, "payload")?;
    Ok(Verified {
        expires: time(&claims, "exp", f64::floor)?,
        not_before: time(&claims, "nbf", f64::ceil)?,
        fields: fields(&claims, plan)?,
        identity: Arc::new(Identity {
            consumer: consumer(&claims, &plan.consumer_claim)?,
            roles: roles(&claims, &plan.roles_claim)?,
            claims,
            ..Identity::default()
        }),
    })
}

fn decode(part: &[u8], name: &'static str) -> Result<Vec<u8>, Invalid> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Invalid::Encoding(name))
}

fn object(part: &[u8], name: &'static str) -> Result<Map<String, Value>, Invalid> {
    let text = decode(part, name)?;
    let Distinct(object) = serde_json::from_slice(&text).map_err(|_| Invalid::Json(name))?;
    Ok(object)
}

/// A JSON object without repeated names: two readers could take different ones (RFC 7519 section 4).
struct Distinct(Map<String, Value>);

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Distinct;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Distinct, A::Error> {
                let mut object = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if object.insert(name, value).is_some() {
                        return Err(serde::de::Error::custom("a name occurs twice"));
                    }
                }
                Ok(Distinct(object))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// A `NumericDate`, which may have a fraction; rounded so that the token is accepted for less time, not more.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range by the check before")]
fn time(
    claims: &Map<String, Value>,
    name: &'static str,
    round: fn(f64) -> f64,
) -> Result<Option<u64>, Invalid> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    if let Some(whole) = value.as_u64() {
        return Ok(Some(whole));
    }
    match value.as_f64().map(round) {
        Some(seconds) if (0.0..=9.0e15).contains(&seconds) => Ok(Some(seconds as u64)),
        _ => Err(Invalid::Time(name)),
    }
}

/// Text, or a whole number as some issuers write user identifiers.
fn consumer(claims: &Map<String, Value>, name: &str) -> Result<String, Invalid> {
    match claims.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(Value::Number(number)) if number.is_u64() || number.is_i64() => Ok(number.to_string()),
        _ => Err(Invalid::Consumer(name.to_owned())),
    }
}

/// A list of texts, or one text with roles between spaces as in `scope` (RFC 8693 section 4.2).
fn roles(claims: &Map<String, Value>, name: &str) -> Result<Vec<String>, Invalid> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(text.split_ascii_whitespace().map(str::to_owned).collect()),
        Some(Value::Array(items)) => {
            let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
            texts.collect::<Option<_>>().ok_or_else(|| Invalid::Roles(name.to_owned()))
        }
        Some(_) => Err(Invalid::Roles(name.to_owned())),
    }
}

/// Text as it is, lists of texts with commas, anything else as JSON. A claim that is absent sends nothing; one
/// that no field can carry refuses the token, because a service would take its absence for another meaning.
fn fields(claims: &Map<String, Value>, plan: &JwtPlan) -> Result<Vec<(String, Vec<u8>)>, Invalid> {
    let mut fields = Vec::with_capacity(plan.claims_to_headers.len());
    for (claim, field) in &plan.claims_to_headers {
        let text = match claims.get(claim) {
            None | Some(Value::Null) => continue,
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
                let texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
                texts.join(",")
            }
            Some(other) => other.to_string(),
        };
        let valid = text.bytes().all(|byte| byte >= b' ' && byte != 0x7f) && text.trim() == text;
        if !valid {
            return Err(Invalid::Field(claim.clone()));
        }
        fields.push((field.clone(), text.into_bytes()));
    }
    Ok(fields)
}
