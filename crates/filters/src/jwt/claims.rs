//! What a verified token says (RFC 7519 section 4).

use super::invalid::Invalid;
use super::mint::Minted;
use crate::authentication::cache::{SentFields, Weight, fields_weight};
use crate::listed::{item, told};
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use std::io;
use std::sync::{Arc, Mutex};
use torana_config::written::TokenTime;
use torana_credential::jose::Token;
use torana_filter::{Claims, Consumer, Credential, CredentialKind, Identity, Json};
use torana_plan::JwtPlan;

/// A token whose signature is right.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) identity: Arc<Identity>,
    /// Seconds since 1970-01-01 UTC.
    pub(super) expires: Option<u64>,
    not_before: Option<u64>,
    issued: Option<u64>,
    /// Fields for the service.
    pub(crate) fields: SentFields,
    /// Whose it is, and by which keys of theirs it was verified.
    pub(super) issuer: usize,
    pub(super) generation: u64,
    /// What the gateway signed in its place, and until when that is good.
    pub(super) minted: Mutex<Option<Minted>>,
}

/// Who vouches for a token.
#[derive(Debug)]
pub(crate) enum Vouched {
    /// An issuer, by its place.
    Issuer(usize),
    /// A consumer, by its own key.
    Consumer(Arc<Identity>),
    /// The provider of a login.
    Login,
}

impl Vouched {
    pub(super) const fn issuer(&self) -> usize {
        match self {
            Self::Issuer(place) => *place,
            Self::Consumer(_) | Self::Login => 0,
        }
    }

    fn record(&self) -> Option<Arc<Consumer>> {
        match self {
            Self::Consumer(known) => known.record.clone(),
            Self::Issuer(_) | Self::Login => None,
        }
    }

    fn credential(&self, id: Arc<str>) -> Credential {
        let named = |kind| Credential { kind, id };
        match self {
            Self::Consumer(known) => known.credential.clone().unwrap_or_else(|| named(CredentialKind::Jwt)),
            Self::Issuer(_) => named(CredentialKind::Jwt),
            Self::Login => named(CredentialKind::Oidc),
        }
    }
}

/// RFC 8725 section 3.11.
pub(super) fn check_type(token: &Token<'_>, plan: &JwtPlan) -> Result<(), Invalid> {
    if plan.types.is_empty() {
        return Ok(());
    }
    let own = token.media_type().unwrap_or_default().to_ascii_lowercase();
    let own = own.strip_prefix("application/").unwrap_or(&own);
    if plan.types.iter().any(|accepted| accepted == own) { Ok(()) } else { Err(Invalid::Type) }
}

impl Verified {
    /// Reads the claims. Times are only read, not compared.
    pub(crate) fn new(
        mut claims: Claims,
        plan: &JwtPlan,
        from: &Vouched,
        called: Arc<str>,
        generation: u64,
    ) -> Result<Self, Invalid> {
        if let Some(missing) = plan.required_claims.iter().find(|name| !claims.contains(name)) {
            return Err(Invalid::ClaimMissing(missing.clone()));
        }
        let checked = |which, name, round: fn(f64) -> f64| {
            if plan.unchecked_times.contains(&which) { Ok(None) } else { time(&claims, name, round) }
        };
        let expires = checked(TokenTime::Exp, "exp", f64::floor)?;
        let issued = checked(TokenTime::Iat, "iat", f64::ceil)?;
        if plan.max_lifetime.is_some() && expires.is_none() {
            return Err(Invalid::ClaimMissing("exp".into()));
        }
        if plan.max_age.is_some() && issued.is_none() {
            return Err(Invalid::ClaimMissing("iat".into()));
        }
        let not_before = checked(TokenTime::Nbf, "nbf", f64::ceil)?;
        let fields = fields(&claims, &plan.claims_to_headers);
        let consumer = match from {
            Vouched::Consumer(known) => known.consumer.clone(),
            Vouched::Issuer(_) | Vouched::Login => consumer(&claims, &plan.consumer_claim)?,
        };
        let roles = plan.roles_claim.as_deref().map_or_else(Texts::default, |name| texts(&claims, name));
        let groups = plan.groups_claim.as_deref().map_or_else(Texts::default, |name| groups(&claims, name));
        claims.set_aside();
        Ok(Self {
            expires,
            issued,
            not_before,
            fields,
            issuer: from.issuer(),
            generation,
            minted: Mutex::default(),
            identity: Arc::new(Identity {
                consumer,
                record: from.record(),
                roles: roles.read,
                unread_roles: roles.unread,
                authenticated_groups: groups.read,
                unread_groups: groups.unread,
                credential: Some(from.credential(called)),
                claims,
                ..Identity::default()
            }),
        })
    }

    /// `exp` is the first second at which a token is no longer accepted (RFC 7519 section 4.1.4).
    pub(super) fn check_times(&self, plan: &JwtPlan, now: u64) -> Result<(), Invalid> {
        let leeway = plan.leeway.as_duration().as_secs();
        if self.expires.is_some_and(|expires| now >= expires.saturating_add(leeway)) {
            return Err(Invalid::Expired);
        }
        if self.not_before.is_some_and(|not_before| now.saturating_add(leeway) < not_before) {
            return Err(Invalid::TooEarly);
        }
        if self.issued.is_some_and(|issued| now.saturating_add(leeway) < issued) {
            return Err(Invalid::IssuedLater);
        }
        if let (Some(max_age), Some(issued)) = (plan.max_age, self.issued) {
            let oldest = issued.saturating_add(max_age.as_duration().as_secs()).saturating_add(leeway);
            if now >= oldest {
                return Err(Invalid::Expired);
            }
        }
        if let (Some(most), Some(expires)) = (plan.max_lifetime, self.expires) {
            let latest = now.saturating_add(most.as_duration().as_secs()).saturating_add(leeway);
            if expires > latest {
                return Err(Invalid::TooLong);
            }
        }
        Ok(())
    }

    /// The first second at which it is no longer accepted, however often its signature is right.
    pub(super) fn ends(&self, plan: &JwtPlan) -> u64 {
        let leeway = plan.leeway.as_duration().as_secs();
        let aged = plan.max_age.zip(self.issued);
        let aged = aged.map(|(age, issued)| issued.saturating_add(age.as_duration().as_secs()));
        let end = self.expires.into_iter().chain(aged).min();
        end.map_or(u64::MAX, |end| end.saturating_add(leeway))
    }

    /// From when on it is not remembered: when it ends, and after an hour whatever it says.
    pub(super) fn forget_at(&self, plan: &JwtPlan, now: u64) -> u64 {
        self.ends(plan).min(now.saturating_add(3600))
    }
}

impl Weight for Verified {
    fn weight(&self) -> usize {
        // What is signed in its place repeats the claims as text, a third longer.
        let own = self.identity.weight().saturating_add(fields_weight(&self.fields));
        size_of::<Self>().saturating_add(own.saturating_mul(2))
    }
}

/// A `NumericDate`, which may have a fraction; rounded so that the token is accepted for less time, not more.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range by the check before")]
pub(crate) fn time(
    claims: &Claims,
    name: &'static str,
    round: fn(f64) -> f64,
) -> Result<Option<u64>, Invalid> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    if let Some(whole) = value.as_u64() {
        return Ok(Some(whole));
    }
    match value.as_number().and_then(|number| number.as_f64()).map(round) {
        Some(seconds) if (0.0..=9.0e15).contains(&seconds) => Ok(Some(seconds as u64)),
        _ => Err(Invalid::Time(name)),
    }
}

/// Text, or a whole number as some issuers write user identifiers.
pub(crate) fn consumer(claims: &Claims, name: &str) -> Result<String, Invalid> {
    match claims.find(name) {
        Some(Json::Text(text)) if !text.is_empty() => Ok(text.to_owned()),
        Some(number @ Json::Number(_)) => {
            let whole = number.as_number().filter(|number| number.is_u64() || number.is_i64());
            whole.map(|number| number.to_string()).ok_or_else(|| Invalid::Consumer(name.to_owned()))
        }
        _ => Err(Invalid::Consumer(name.to_owned())),
    }
}

/// The texts of a claim.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    pub(crate) read: Vec<String>,
    /// Whether there is more, that is no text. An object is none, whatever it is called: `{"name":"admin","tenant":"x"}` is
    /// no admin elsewhere.
    pub(crate) unread: bool,
}

impl From<Vec<String>> for Texts {
    fn from(read: Vec<String>) -> Self {
        Self { read, unread: false }
    }
}

/// A list of texts, or one text with words between spaces as in `scope` (RFC 8693 section 4.2).
pub(crate) fn texts(claims: &Claims, name: &str) -> Texts {
    match claims.find(name) {
        None | Some(Json::Null) => Texts::default(),
        Some(Json::Text(text)) => text.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>().into(),
        Some(Json::List(items)) => Texts {
            read: items.values().filter_map(Json::as_str).map(str::to_owned).collect(),
            unread: items.values().any(|item| item.as_str().is_none()),
        },
        Some(_) => Texts { read: Vec::new(), unread: true },
    }
}

/// A list of texts, or one text, which is one: a provider writes so what has one value, and `not admin` is no `admin`. Only
/// of a scope the words are items (RFC 8693 section 4.2; `scp` as Okta and Entra have it).
pub(crate) fn groups(claims: &Claims, name: &str) -> Texts {
    let is_scope = matches!(name.rsplit('.').next(), Some("scope" | "scp"));
    match claims.find(name) {
        Some(Json::Text(text)) if !is_scope => {
            let text = text.trim_ascii();
            Texts::from(if text.is_empty() { Vec::new() } else { vec![text.to_owned()] })
        }
        _ => texts(claims, name),
    }
}

/// JSON of which no text holds what no field can, nor a comma: who parts a field at its commas finds no text of another's
/// choosing as an item of its own.
fn json(value: &serde_json::Value) -> String {
    let mut written = Vec::new();
    // Nothing is lacking that could fail: it goes into memory.
    let _ = value.serialize(&mut Serializer::with_formatter(&mut written, Escaping));
    String::from_utf8(written).unwrap_or_default()
}

/// Escapes what JSON itself does not.
struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, writer: &mut W, text: &str) -> io::Result<()> {
        for piece in text.split_inclusive([',', '\u{7f}']) {
            let rest = piece.strip_suffix([',', '\u{7f}']).unwrap_or(piece);
            writer.write_all(rest.as_bytes())?;
            for letter in piece.strip_prefix(rest).unwrap_or_default().chars() {
                write!(writer, "\\u{:04x}", u32::from(letter))?;
            }
        }
        Ok(())
    }
}

/// Text as it is ([`told`]), lists of texts with commas ([`item`]), anything else as [`json`]. A claim that is absent sends
/// nothing, and no other is left out, because a service would take its absence for another meaning.
pub(crate) fn fields(claims: &Claims, wanted: &[(String, Arc<str>)]) -> SentFields {
    let mut fields = SentFields::with_capacity(wanted.len());
    for (claim, field) in wanted {
        let text = match claims.find(claim) {
            None | Some(Json::Null) => continue,
            Some(Json::Text(text)) => told(text).into_owned(),
            Some(Json::List(items)) if items.values().all(|item| item.as_str().is_some()) => {
                let texts: Vec<_> = items.values().filter_map(Json::as_str).map(item).collect();
                texts.join(",")
            }
            Some(other) => json(&other.to_value()),
        };
        fields.push((Arc::clone(field), text.into_bytes()));
    }
    fields
}
