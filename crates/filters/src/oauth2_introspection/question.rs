//! What the authorization server is asked (RFC 7662 section 2.1).

use super::unavailable;
use crate::asking::{encode, set_target};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use torana_config::written::OAuth2ClientAuth;
use torana_fault::Fault;
use torana_http::{Known, RequestHead};
use torana_plan::OAuth2IntrospectionPlan;

/// The head and the body of the question about a token.
pub(super) fn question(
    plan: &OAuth2IntrospectionPlan,
    token: &[u8],
) -> Result<(RequestHead, Vec<u8>), Fault> {
    let mut head = RequestHead::default();
    head.set_method("POST");
    // Nothing of a request stands in the target.
    if !set_target(&mut head, &plan.asked.target, &RequestHead::default()) {
        return Err(unavailable("the target of the question is not valid"));
    }
    head.fields.insert(Known::ContentType, b"application/x-www-form-urlencoded")?;
    head.fields.insert(Known::Accept, b"application/json")?;
    let mut body = Vec::with_capacity(token.len().saturating_add(64));
    pair(&mut body, "token", token);
    if let Some(hint) = &plan.token_type_hint {
        pair(&mut body, "token_type_hint", hint.as_bytes());
    }
    if let Some(client) = &plan.client {
        let (id, secret) = (client.id.as_bytes(), client.secret.expose().as_bytes());
        match client.auth {
            OAuth2ClientAuth::Post => {
                pair(&mut body, "client_id", id);
                pair(&mut body, "client_secret", secret);
            }
            OAuth2ClientAuth::Basic => {
                head.fields.insert(Known::Authorization, basic(id, secret).as_bytes())?;
            }
        }
    }
    Ok((head, body))
}

fn pair(body: &mut Vec<u8>, name: &str, value: &[u8]) {
    if !body.is_empty() {
        body.push(b'&');
    }
    body.extend_from_slice(name.as_bytes());
    body.push(b'=');
    encode(value, body);
}

/// RFC 6749 section 2.3.1: both are encoded as in a form before they are joined.
fn basic(id: &[u8], secret: &[u8]) -> String {
    let mut both = Vec::new();
    encode(id, &mut both);
    both.push(b':');
    encode(secret, &mut both);
    format!("Basic {}", STANDARD.encode(both))
}
