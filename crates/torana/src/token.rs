//! `torana token`: tokens for development, signed with HS256.

use crate::arguments::TokenArguments;
use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde_json::{Map, Value, json};
use sha2::Sha256;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};
use torana_credential::jose::Algorithm;

pub(crate) fn run(arguments: &TokenArguments) -> anyhow::Result<ExitCode> {
    if arguments.sub.is_empty() {
        bail!("--sub is empty: a token has to say who calls");
    }
    let seconds = arguments.expires.as_duration().as_secs();
    if seconds == 0 {
        bail!("--expires {} is too short: a token has to be good for a second at least", arguments.expires);
    }
    let name = &arguments.secret_env;
    let secret = std::env::var(name).with_context(|| {
        format!("the secret is read from the environment variable {name}; `--secret-env` names another")
    })?;
    let mut claims = claims(&arguments.sub, &arguments.role, seconds);
    for claim in &arguments.claim {
        let Some((name, value)) = claim.split_once('=') else {
            bail!("a claim is written NAME=VALUE, not `{claim}`");
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        claims.insert(name.to_owned(), value);
    }
    println!("{}", mint(&secret, &claims)?);
    let needed = Algorithm::Hs256.least_secret();
    if secret.len() < needed {
        eprintln!("torana: {name} is shorter than {needed} bytes and can be guessed; see `torana check`");
    }
    Ok(ExitCode::SUCCESS)
}

/// The usual claims of a caller, good for some seconds from now.
pub(crate) fn claims(sub: &str, roles: &[String], seconds: u64) -> Map<String, Value> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = json!({ "sub": sub, "roles": roles, "iat": now, "exp": now.saturating_add(seconds) });
    match claims {
        Value::Object(claims) => claims,
        _ => Map::new(),
    }
}

/// Signs claims with HS256.
///
/// # Errors
/// The secret is empty.
pub(crate) fn mint(secret: &str, claims: &Map<String, Value>) -> anyhow::Result<String> {
    if secret.is_empty() {
        bail!("the secret is empty: nothing can be signed with it");
    }
    let payload = serde_json::to_string(claims)?;
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())?;
    mac.update(signed.as_bytes());
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())))
}
