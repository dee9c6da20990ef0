//! Consumers of the configuration and of its files become one directory.

mod names;
mod weak;

use std::sync::Arc;

use torana_certificate::distinguished_name;
use torana_config::written::{
    ConsumerBasicConfig, ConsumerCertificateConfig, ConsumerConfig, ConsumerHmacConfig, ConsumerJwtConfig,
    ConsumerKeyForm, SignatureAlgorithm,
};
use torana_config::{Document, Finding, Path, Resolver, parse_consumers};
use torana_credential::directory::{AccessSecret, Builder, Directory, NameKind, Password};
use torana_credential::jose::{Algorithm, VerifyingKey};
use torana_credential::signature::SignatureKey;
use torana_identity::Consumer;

use crate::policy::jwt::decode_base64;
use names::Unreadable;
use weak::Weaknesses;

/// More findings than this about consumers help nobody.
const MOST_FINDINGS: usize = 50;

/// Reads every consumer. What is wrong with one leaves it out and is a finding; so is what of one can be guessed.
pub(crate) fn read(
    document: &Document,
    resolver: &dyn Resolver,
    findings: &mut Vec<Finding>,
) -> Arc<Directory> {
    let form = &document.config().consumers;
    let mut builder = Builder::default();
    let mut mistakes = Vec::new();
    let mut weak = Weaknesses::default();
    let mut unreadable = Unreadable::default();
    let whole = Path::root().key("consumers");
    let list = if form.files().is_empty() { whole.clone() } else { whole.key("inline") };
    for (index, consumer) in form.inline().iter().enumerate() {
        let place = list.index(index);
        weak.look(consumer, |part| document.span_at(&part.within(&place)));
        unreadable.look(consumer, |certificate, key| {
            document.span_at(&place.key("certificates").index(certificate).key(key))
        });
        if let Err(message) = add(&mut builder, consumer) {
            mistakes.push(Finding::error("bad-consumer", message).at(document.span_at(&place)));
        }
    }
    for (index, name) in form.files().iter().enumerate() {
        let place = || document.span_at(&whole.key("files").index(index));
        match resolver.large_file(name) {
            Ok(text) => {
                let mut wrong = Vec::new();
                let said = parse_consumers(name, &text, resolver, |consumer, at| {
                    weak.look(&consumer, |_| at());
                    unreadable.look(&consumer, |_, _| at());
                    if wrong.len() < MOST_FINDINGS
                        && let Err(message) = add(&mut builder, &consumer)
                    {
                        wrong.push(Finding::error("bad-consumer", message).at(at()));
                    }
                });
                mistakes.extend(said.into_iter().chain(wrong));
            }
            Err(error) => {
                let finding = Finding::error("bad-consumer", format!("the file gives no consumers: {error}"));
                let help = "a relative path is meant from the folder of this file";
                mistakes.push(finding.at(place()).help(help));
            }
        }
    }
    mistakes.truncate(MOST_FINDINGS);
    findings.extend(mistakes);
    findings.extend(weak.findings());
    findings.extend(unreadable.finding());
    Arc::new(builder.build())
}

/// What a consumer is told apart by.
fn identifier(config: &ConsumerConfig) -> Result<&String, String> {
    let names = || [&config.id, &config.username, &config.custom_id].into_iter().flatten();
    // They are sent in fields.
    if names().any(|text| text.chars().any(|one| one < ' ' || one == '\u{7f}') || text.trim() != text) {
        return Err("an identifier or name holds control characters, or spaces around it".into());
    }
    let none = "a consumer needs an `id`, a `username` or a `custom_id`";
    names().next().filter(|id| !id.is_empty()).ok_or_else(|| none.into())
}

fn add(builder: &mut Builder, config: &ConsumerConfig) -> Result<(), String> {
    let id = identifier(config)?;
    let shared =
        |builder: &mut Builder, list: &[String]| list.iter().map(|one| builder.shared(one)).collect();
    let consumer = Consumer {
        id: id.as_str().into(),
        username: config.username.as_deref().map(Into::into),
        custom_id: config.custom_id.as_deref().map(Into::into),
        groups: shared(builder, &config.groups),
        tags: shared(builder, &config.tags),
        metadata: (!config.metadata.is_empty()).then(|| Box::new(config.metadata.clone())),
    };
    builder.consumer(consumer, &print(config)).map_err(|refusal| refusal.to_string())?;
    for key in &config.keys {
        let (key, expires, id) = match key {
            ConsumerKeyForm::Key(key) => (key, None, None),
            ConsumerKeyForm::Full(full) => (&full.key, full.expires_at, full.id.as_deref()),
        };
        if key.expose().is_empty() {
            return Err("a key is empty".into());
        }
        builder
            .key(key.expose().as_bytes(), expires.unwrap_or(u64::MAX), id)
            .map_err(|refusal| refusal.to_string())?;
    }
    for basic in &config.basic {
        let password = password(basic, id)?;
        if basic.username.is_empty() || basic.username.contains(':') {
            return Err("a user name is not empty and holds no colon (RFC 7617)".into());
        }
        builder.basic(&basic.username, password).map_err(|refusal| refusal.to_string())?;
    }
    for hmac in &config.hmac {
        if hmac.username.is_empty() || hmac.username.contains('"') {
            return Err("a user name is not empty and holds no quotation mark".into());
        }
        builder.hmac(&hmac.username, signature_key(hmac)?).map_err(|refusal| refusal.to_string())?;
    }
    for jwt in &config.jwt {
        builder.token_key(&jwt.key, token_key(jwt)?).map_err(|refusal| refusal.to_string())?;
    }
    for certificate in &config.certificates {
        self::certificate(builder, certificate)?;
    }
    for access in &config.sigv4 {
        if access.secret_access_key.expose().is_empty() {
            return Err("a secret is empty".into());
        }
        let secret = AccessSecret {
            secret: access.secret_access_key.clone(),
            session_token: access.session_token.clone(),
        };
        builder.sigv4(&access.access_key_id, secret).map_err(|refusal| refusal.to_string())?;
    }
    Ok(())
}

fn password(config: &ConsumerBasicConfig, id: &str) -> Result<Password, String> {
    let made = match (&config.password, &config.hash, &config.sha1) {
        (Some(password), None, None) => Password::plain(password.expose()),
        (None, Some(hash), None) => Password::hash(hash.expose()),
        (None, None, Some(sha1)) => Password::kong(sha1.expose(), id),
        _ => return Err("a password is exactly one of `password`, `hash` and `sha1`".into()),
    };
    made.map_err(|error| format!("a password cannot be used: {error}"))
}

fn token_key(config: &ConsumerJwtConfig) -> Result<VerifyingKey, String> {
    let accepted: Vec<_> = Algorithm::from_name(config.algorithm.name()).into_iter().collect();
    let made = match (&config.secret, &config.public_key) {
        (Some(secret), None) if config.secret_base64 => {
            let bytes = decode_base64(secret.expose()).ok_or("a secret is not base64")?;
            VerifyingKey::secret(&bytes, &accepted)
        }
        (Some(secret), None) => VerifyingKey::secret(secret.expose().as_bytes(), &accepted),
        (None, Some(pem)) => VerifyingKey::pem(pem, &accepted),
        _ => return Err("a key of tokens is exactly one of `secret` and `public_key`".into()),
    };
    made.map_err(|error| format!("a key of tokens cannot be used: {error}"))
}

fn signature_key(config: &ConsumerHmacConfig) -> Result<SignatureKey, String> {
    let algorithm = config.algorithm.map(SignatureAlgorithm::name);
    let made = match (&config.secret, &config.public_key, algorithm) {
        (Some(secret), None, None) if config.secret_base64 => {
            SignatureKey::secret(&decode_base64(secret.expose()).ok_or("a secret is not base64")?)
        }
        (Some(secret), None, None) => SignatureKey::secret(secret.expose().as_bytes()),
        (None, Some(pem), algorithm) => SignatureKey::pem(pem, algorithm),
        (Some(_), None, Some(_)) => return Err("an `algorithm` is that of a `public_key`".into()),
        _ => return Err("a key of signatures is exactly one of `secret` and `public_key`".into()),
    };
    made.map_err(|error| format!("a key of signatures cannot be used: {error}"))
}

fn certificate(builder: &mut Builder, config: &ConsumerCertificateConfig) -> Result<(), String> {
    let dns = config.dns.as_ref().map(|name| name.to_ascii_lowercase());
    let [subject, issuer] = [&config.subject, &config.issuer].map(|name| name.as_deref().map(described));
    let names = [
        (NameKind::Subject, &subject),
        (NameKind::Any, &config.name),
        (NameKind::Dns, &dns),
        (NameKind::Mail, &config.email),
        (NameKind::Uri, &config.uri),
    ];
    let mut given = names.into_iter().filter_map(|(kind, name)| Some((kind, name.as_deref()?)));
    match (&config.sha256, given.next(), given.next()) {
        (Some(digits), None, None) if config.issuer.is_none() => {
            let print = hexadecimal(digits).ok_or("a `sha256` is 64 hexadecimal digits")?;
            builder.certificate(print).map_err(|refusal| refusal.to_string())
        }
        (Some(_), None, None) => Err("a `sha256` is one certificate, whoever its `issuer` is".into()),
        (None, Some((_, "")), None) => Err("the name of a certificate is empty".into()),
        (None, Some((kind, name)), None) => {
            builder.certificate_name(kind, name, issuer.as_deref()).map_err(|refusal| refusal.to_string())
        }
        _ => {
            Err("a certificate is exactly one of `sha256`, `subject`, `name`, `dns`, `email` and `uri`"
                .into())
        }
    }
}

/// A name as descriptions of certificates have it. What is no name is nobody's, and a finding.
fn described(name: &str) -> String {
    distinguished_name(name).unwrap_or_else(|_| name.to_owned())
}

fn hexadecimal(text: &str) -> Option<[u8; 32]> {
    let digits: String = text.chars().filter(|one| *one != ':').collect();
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (place, byte) in bytes.iter_mut().enumerate() {
        let start = place.saturating_mul(2);
        *byte = u8::from_str_radix(digits.get(start..start.saturating_add(2))?, 16).ok()?;
    }
    Some(bytes)
}

/// Everything of a consumer, to be hashed: a directory with another secret is another one.
fn print(config: &ConsumerConfig) -> String {
    let mut text = format!("{config:?}");
    let keys = config.keys.iter().map(|key| match key {
        ConsumerKeyForm::Key(key) => key,
        ConsumerKeyForm::Full(full) => &full.key,
    });
    let basic = config.basic.iter().flat_map(|one| [&one.password, &one.hash, &one.sha1]).flatten();
    let others = config.hmac.iter().filter_map(|one| one.secret.as_ref());
    let others = others.chain(config.jwt.iter().filter_map(|one| one.secret.as_ref()));
    let others = others.chain(config.sigv4.iter().map(|one| &one.secret_access_key));
    let others = others.chain(config.sigv4.iter().filter_map(|one| one.session_token.as_ref()));
    for secret in keys.chain(basic).chain(others) {
        text.push('\0');
        text.push_str(secret.expose());
    }
    text
}
