//! A request as the gateway has it, for whoever has to look at one.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use torana_filter::{Exchange, Response};
use torana_http::{Fields, InvalidField, Known, ResponseHead};

/// The longest body that is shown.
pub(super) const LONGEST: u64 = 64 * 1024;

/// Fields that a page must not read back: its browser keeps them from it.
const SECRET: [Known; 3] = [Known::Authorization, Known::ProxyAuthorization, Known::Cookie];

/// The response: the message, the route, and the request after every policy.
///
/// # Errors
/// A field of the configuration that is none; planning found that first.
pub(super) fn response(
    (status, fields, message): (u16, &[(String, String)], &str),
    route: &str,
    exchange: &Exchange,
    body: &[u8],
) -> Result<Response, InvalidField> {
    let request = &exchange.request;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let shown = json!({
        "message": message,
        "request": {
            "scheme": if exchange.secure { "https" } else { "http" },
            "host": text(request.host()),
            "port": exchange.ends.local.port(),
            "method": text(request.method_bytes()),
            "path": text(request.path()),
            "query": text(request.query().unwrap_or_default()),
            "headers": headers(&request.fields),
            "raw_body": text(body),
        },
        "matched_route": { "name": route },
    });
    let mut head = ResponseHead::new(status);
    head.fields.insert(Known::ContentType, b"application/json")?;
    head.fields.insert(Known::CacheControl, b"no-store")?;
    for (name, value) in fields {
        head.fields.insert(name.as_str(), value.as_bytes())?;
    }
    Ok(Response { head, body: Bytes::from(shown.to_string()) })
}

/// Fields by their names in small letters; a list where there are several of a name.
fn headers(fields: &Fields) -> Map<String, Value> {
    let mut shown = Map::new();
    for (name, value) in fields.iter() {
        let secret = SECRET.iter().any(|known| name.eq_ignore_ascii_case(known.as_str().as_bytes()));
        let value = if secret { "REDACTED".into() } else { String::from_utf8_lossy(value).into_owned() };
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        match shown.get_mut(&name) {
            Some(Value::Array(values)) => values.push(value.into()),
            Some(first) => *first = json!([first.take(), value]),
            None => drop(shown.insert(name, value.into())),
        }
    }
    shown
}
