//! Secrets of consumers that are short enough to be guessed. One finding for each kind, at the first such place, so
//! that a million of them are told as shortly as one.

use std::collections::BTreeMap;

use torana_config::written::{ConsumerConfig, ConsumerKeyForm};
use torana_config::{Finding, Path, Span};
use torana_credential::jose::Algorithm;
use torana_types::counted;

use crate::policy::jwt::decode_base64;

/// Bytes of a key that is drawn at random, at least: 128 bits, if each could be any.
const SHORTEST_KEY: usize = 16;
/// Characters of a password, at least (NIST SP 800-63B section 5.1.1).
const SHORTEST_PASSWORD: usize = 8;

/// What is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Key,
    Password,
    HmacSecret,
    JwtSecret,
    AccessSecret,
}

impl Kind {
    const fn noun(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Password => "password",
            Self::HmacSecret => "secret of `hmac`",
            Self::JwtSecret => "secret of `jwt`",
            Self::AccessSecret => "secret of `sigv4`",
        }
    }

    fn help(self) -> String {
        match self {
            Self::Password => {
                format!("at least {SHORTEST_PASSWORD} characters (NIST SP 800-63B); better give a `hash`")
            }
            Self::JwtSecret => {
                "at least as long as the hash: 32, 48 or 64 bytes (RFC 7518 section 3.2): `openssl rand -hex 32`"
                    .into()
            }
            _ => format!("at least {SHORTEST_KEY} bytes, at random: `openssl rand -hex 32`"),
        }
    }
}

/// A part of a consumer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    list: &'static str,
    index: usize,
}

impl Part {
    /// Where it stands in a consumer that stands there.
    pub(super) fn within(self, consumer: &Path) -> Path {
        consumer.key(self.list).index(self.index)
    }
}

/// All that was found: how many of each kind, and where the first is.
#[derive(Debug, Default)]
pub(super) struct Weaknesses(BTreeMap<Kind, (usize, Span)>);

impl Weaknesses {
    /// Looks at a consumer; `place` says where a part of it stands.
    pub(super) fn look(&mut self, consumer: &ConsumerConfig, place: impl Fn(Part) -> Span) {
        each(consumer, |kind, list, index| {
            let first = || (0, place(Part { list, index }));
            let (count, _) = self.0.entry(kind).or_insert_with(first);
            *count = count.saturating_add(1);
        });
    }

    /// A warning for each kind.
    pub(super) fn findings(self) -> impl Iterator<Item = Finding> {
        self.0.into_iter().map(|(kind, (count, first))| {
            let noun = kind.noun();
            let message = match count {
                1 => format!("a {noun} of a consumer is so short that it can be guessed"),
                _ => {
                    let (word, rest) = noun.split_once(' ').unwrap_or((noun, ""));
                    let all = format!("{} {rest}", counted(count, word));
                    format!(
                        "{} of consumers are so short that they can be guessed; this is the first",
                        all.trim()
                    )
                }
            };
            Finding::warning("short-secret", message).at(first).help(kind.help())
        })
    }
}

fn each(consumer: &ConsumerConfig, mut found: impl FnMut(Kind, &'static str, usize)) {
    for (index, form) in consumer.keys.iter().enumerate() {
        let key = match form {
            ConsumerKeyForm::Key(key) => key,
            ConsumerKeyForm::Full(full) => &full.key,
        };
        if key.expose().len() < SHORTEST_KEY {
            found(Kind::Key, "keys", index);
        }
    }
    for (index, basic) in consumer.basic.iter().enumerate() {
        let characters = basic.password.as_ref().map(|password| password.expose().chars().count());
        if characters.is_some_and(|characters| characters < SHORTEST_PASSWORD) {
            found(Kind::Password, "basic", index);
        }
    }
    for (index, hmac) in consumer.hmac.iter().enumerate() {
        let short = |secret: &str| length(secret, hmac.secret_base64) < SHORTEST_KEY;
        if hmac.secret.as_ref().is_some_and(|secret| short(secret.expose())) {
            found(Kind::HmacSecret, "hmac", index);
        }
    }
    for (index, jwt) in consumer.jwt.iter().enumerate() {
        let needed = Algorithm::from_name(jwt.algorithm.name()).map_or(0, Algorithm::least_secret);
        let short = |secret: &str| length(secret, jwt.secret_base64) < needed;
        if jwt.secret.as_ref().is_some_and(|secret| short(secret.expose())) {
            found(Kind::JwtSecret, "jwt", index);
        }
    }
    for (index, access) in consumer.sigv4.iter().enumerate() {
        if access.secret_access_key.expose().len() < SHORTEST_KEY {
            found(Kind::AccessSecret, "sigv4", index);
        }
    }
}

/// Bytes of a secret; what is no base64 is an error elsewhere.
fn length(secret: &str, base64: bool) -> usize {
    if base64 { decode_base64(secret).map_or(usize::MAX, |bytes| bytes.len()) } else { secret.len() }
}
