//! Keys of the configuration: read once here, so that `check` finds what is wrong with them.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use torana_config::written::{JwtIssuerConfig, JwtKeyConfig};
use torana_config::{Document, Finding, Path};
use torana_credential::jose::{Algorithm, KeyError, VerifyingKey, strict_object};
use torana_types::Secret;

/// Bytes of a secret that is served at all: 128 bits, if each could be any.
const FEWEST_BYTES: usize = 16;

/// A key of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyPlan {
    /// Its name.
    pub id: Option<String>,
    /// Algorithms that are accepted; those that fit its kind by default when empty.
    pub algorithms: Vec<Algorithm>,
    /// What it is.
    pub material: KeyMaterial,
}

/// What a key is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyMaterial {
    /// A secret as it is.
    Text(Secret),
    /// A secret in base64, with or without padding, of either alphabet.
    Base64(Secret),
    /// A public key or certificate in PEM.
    Pem(String),
    /// A JSON Web Key.
    Jwk(Secret),
}

impl KeyPlan {
    /// The key, ready to verify.
    ///
    /// # Errors
    /// It is none; planning found that first.
    pub fn verifying_key(&self) -> Result<VerifyingKey, KeyError> {
        let key = match &self.material {
            KeyMaterial::Text(secret) => VerifyingKey::secret(secret.expose().as_bytes(), &self.algorithms)?,
            KeyMaterial::Base64(secret) => VerifyingKey::secret(
                &decode_base64(secret.expose()).ok_or(KeyError::Member("secret"))?,
                &self.algorithms,
            )?,
            KeyMaterial::Pem(text) => VerifyingKey::pem(text, &self.algorithms)?,
            KeyMaterial::Jwk(text) => {
                let object = strict_object(text.expose().as_bytes()).ok_or(KeyError::Invalid)?;
                VerifyingKey::jwk(&object, &self.algorithms)?
            }
        };
        match &self.id {
            Some(id) => Ok(key.with_id(Some(id))),
            None => Ok(key),
        }
    }
}

/// Reads base64 of either alphabet, with or without padding.
pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    STANDARD
        .decode(text)
        .or_else(|_| STANDARD_NO_PAD.decode(text))
        .or_else(|_| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')))
        .ok()
}

pub(super) fn plan(
    document: &Document,
    path: &Path,
    config: &JwtIssuerConfig,
    algorithms: &[Algorithm],
    findings: &mut Vec<Finding>,
) -> Vec<KeyPlan> {
    let mut keys = Vec::new();
    let mut add = |place: Path, id: Option<String>, algorithms: Vec<Algorithm>, material: KeyMaterial| {
        let key = KeyPlan { id, algorithms, material };
        judge(document, &place, &key, findings);
        keys.push(key);
    };
    if let Some(secret) = &config.secret {
        add(path.key("secret"), None, algorithms.to_vec(), KeyMaterial::Text(secret.clone()));
    }
    if let Some(pem) = &config.public_key {
        add(path.key("public_key"), None, algorithms.to_vec(), KeyMaterial::Pem(pem.clone()));
    }
    let mut malformed = Vec::new();
    for (index, key) in config.keys.iter().enumerate() {
        let place = path.key("keys").index(index);
        let own = key.algorithm.and_then(|algorithm| Algorithm::from_name(algorithm.name()));
        let accepted = own.map_or_else(|| algorithms.to_vec(), |own| vec![own]);
        match material(key) {
            Some((name, material)) => add(place.key(name), key.id.clone(), accepted, material),
            None => malformed.push(place),
        }
    }
    for place in malformed {
        let message = "a key is exactly one of `secret`, `public_key` and `jwk`";
        findings.push(Finding::error("bad-key", message).at(document.span_at(&place)));
    }
    let named = keys.iter().filter_map(|key| key.id.as_ref());
    let mut ids: Vec<_> = named.collect();
    ids.sort();
    if ids.windows(2).any(|pair| matches!(pair, [one, other] if one == other)) {
        let finding = Finding::error("duplicate-key", "two keys have the same `id`");
        findings.push(finding.at(document.span_at(&path.key("keys"))));
    }
    keys
}

fn material(key: &JwtKeyConfig) -> Option<(&'static str, KeyMaterial)> {
    match (&key.secret, &key.public_key, &key.jwk) {
        (Some(secret), None, None) if key.secret_base64 => {
            Some(("secret", KeyMaterial::Base64(secret.clone())))
        }
        (Some(secret), None, None) => Some(("secret", KeyMaterial::Text(secret.clone()))),
        (None, Some(pem), None) => Some(("public_key", KeyMaterial::Pem(pem.clone()))),
        (None, None, Some(jwk)) => Some(("jwk", KeyMaterial::Jwk(jwk.clone()))),
        _ => None,
    }
}

fn judge(document: &Document, place: &Path, key: &KeyPlan, findings: &mut Vec<Finding>) {
    let bytes = match &key.material {
        KeyMaterial::Text(secret) => secret.expose().len(),
        KeyMaterial::Base64(secret) => decode_base64(secret.expose()).map_or(usize::MAX, |bytes| bytes.len()),
        KeyMaterial::Pem(_) | KeyMaterial::Jwk(_) => usize::MAX,
    };
    if bytes == 0 {
        let finding = Finding::error("empty-secret", "the secret is empty: anybody could sign a token");
        findings.push(finding.at(document.span_at(place)));
        return;
    }
    if let Err(error) = key.verifying_key() {
        let finding = Finding::error("bad-key", format!("no token can be verified with this: {error}"));
        findings.push(finding.at(document.span_at(place)));
        return;
    }
    let needed = key.algorithms.iter().map(|algorithm| algorithm.least_secret()).max().unwrap_or(0).max(32);
    findings.extend(short_secret(bytes, needed).map(|finding| finding.at(document.span_at(place))));
}

/// That a secret has fewer bytes than its hash, which RFC 7518 section 3.2 asks for. So few that a search ends are an
/// error: whoever guesses the secret of all callers is any of them.
pub(super) fn short_secret(bytes: usize, needed: usize) -> Option<Finding> {
    let say = if bytes < FEWEST_BYTES { Finding::error } else { Finding::warning };
    let least = if bytes < FEWEST_BYTES { FEWEST_BYTES } else { needed };
    let message = format!("the secret is shorter than {least} bytes and can be guessed");
    let help =
        format!("its hash is {needed} bytes long (RFC 7518 section 3.2): `openssl rand -hex 32` draws 64");
    (bytes < needed).then(|| say("short-secret", message).help(help))
}
