//! A request as the gateway has it, for whoever has to look at one.

use super::node;
use crate::authentication::locations::decoded;
use crate::key_auth::{BodyForm, parts};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use torana_filter::{Exchange, Response};
use torana_http::{Fields, InvalidField, Known, ResponseHead};
use torana_route::PathPattern;

/// Fields that a page must not read back: its browser keeps them from it.
const SECRET: [Known; 3] = [Known::Authorization, Known::ProxyAuthorization, Known::Cookie];

/// An answer that shows the request.
#[derive(Clone, Debug)]
pub struct Echo {
    status: u16,
    fields: Vec<(String, String)>,
    message: Option<Arc<str>>,
    place: EchoPlace,
}

/// Where in the configuration a request is answered.
#[derive(Clone, Debug)]
pub struct EchoPlace {
    /// The name of the route.
    pub route: Arc<str>,
    /// Its path.
    pub path: PathPattern,
    /// The name of its service.
    pub service: Option<Arc<str>>,
}

impl Echo {
    /// The longest body that is shown.
    pub const LONGEST: u64 = 64 * 1024;

    /// With this status, fields that a plan has found valid, and what is said beside the request.
    #[must_use]
    pub const fn new(
        status: u16,
        fields: Vec<(String, String)>,
        message: Option<Arc<str>>,
        place: EchoPlace,
    ) -> Self {
        Self { status, fields, message, place }
    }

    /// The status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The fields, without those about the body.
    #[must_use]
    pub fn fields(&self) -> &[(String, String)] {
        &self.fields
    }

    /// The answer: the message, the route, and the request after every policy.
    ///
    /// # Errors
    /// A field of the configuration that is none; planning found that first.
    pub fn response(&self, exchange: &Exchange, body: &[u8]) -> Result<Response, InvalidField> {
        let request = &exchange.request;
        let query = request.query().unwrap_or_default();
        let captured = self.place.path.parameters(request.path());
        let named = gathered(captured.into_iter().map(|(name, value)| (name, value.into())));
        let shown = json!({
            "message": self.message.as_deref(),
            "kong": node::shown(),
            "request": {
                "scheme": if exchange.secure { "https" } else { "http" },
                "host": text(request.host()),
                "port": exchange.ends.local.port(),
                "method": text(request.method_bytes()),
                "path": text(request.path()),
                "uri_captures": { "named": named },
                "query": gathered(pairs(query)),
                "raw_query": text(query),
                "headers": headers(&request.fields),
                "body": parsed(&request.fields, body),
                "raw_body": text(body),
            },
            "matched_route": { "name": &*self.place.route },
            "matched_service": self.place.service.as_deref().map(|name| json!({ "name": name })),
        });
        let mut head = ResponseHead::new(self.status);
        head.fields.insert(Known::ContentType, b"application/json")?;
        head.fields.insert(Known::CacheControl, b"no-store")?;
        for (name, value) in &self.fields {
            head.fields.insert(name.as_str(), value.as_bytes())?;
        }
        Ok(Response { head, body: Bytes::from(shown.to_string()) })
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Fields by their names in small letters.
fn headers(fields: &Fields) -> Map<String, Value> {
    gathered(fields.iter().map(|(name, value)| {
        let secret = SECRET.iter().any(|known| name.eq_ignore_ascii_case(known.as_str().as_bytes()));
        let value = if secret { "REDACTED".into() } else { text(value) };
        (text(name).to_ascii_lowercase(), value.into())
    }))
}

/// Pairs of a query or a form, decoded; a name without a value is `true`.
fn pairs(pairs: &[u8]) -> impl Iterator<Item = (String, Value)> {
    pairs.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let mut halves = pair.splitn(2, |byte| *byte == b'=').map(|half| text(&decoded(half)));
        (halves.next().unwrap_or_default(), halves.next().map_or(Value::Bool(true), Value::String))
    })
}

/// By name; a list where there are several of one.
fn gathered(pairs: impl Iterator<Item = (String, Value)>) -> Map<String, Value> {
    let mut shown: Map<String, Value> = Map::new();
    for (name, value) in pairs {
        match shown.get_mut(&name) {
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = json!([first.take(), value]),
            None => drop(shown.insert(name, value)),
        }
    }
    shown
}

/// What a form or a JSON text says; nothing of others, of broken ones and of those with more than one reading.
fn parsed(fields: &Fields, body: &[u8]) -> Value {
    match BodyForm::of(fields) {
        Ok(Some(BodyForm::Pairs)) => gathered(pairs(body)).into(),
        Ok(Some(BodyForm::Json)) => serde_json::from_slice(body).unwrap_or_default(),
        Ok(Some(BodyForm::Parts(boundary))) => parts(body, &boundary).map_or(Value::Null, |parts| {
            gathered(parts.iter().map(|part| (text(&part.name), text(part.content).into()))).into()
        }),
        _ => Value::Null,
    }
}
