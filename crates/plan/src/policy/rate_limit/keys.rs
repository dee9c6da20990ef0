//! Who is counted.

use super::KeyPart;
use crate::policy::allow_if;
use crate::report::Report;
use std::fmt;
use std::sync::Arc;
use torana_config::written::{LimitKey, LimitKeyForm, NamedKey, OneOrMany, RateLimitConfig};
use torana_config::{Document, Finding, Path};
use torana_expression::{Expression, Kind};

pub(super) fn key_paths(path: &Path, config: &RateLimitConfig) -> Vec<Path> {
    let by = path.key("by");
    let many = matches!(config.by, OneOrMany::Many(_));
    let place = |index| if many { by.index(index) } else { by.clone() };
    (0..config.by.as_slice().len()).map(place).collect()
}

/// The expressions among the keys, in their order; one that is wrong is reported and stands for the address.
pub(super) fn expressions(
    document: &Document,
    path: &Path,
    config: &RateLimitConfig,
    findings: &mut Vec<Finding>,
) -> Vec<KeyPart> {
    let mut compiled = Vec::new();
    for (form, place) in config.by.as_slice().iter().zip(key_paths(path, config)) {
        let LimitKeyForm::Named(NamedKey { expression: Some(source), .. }) = form else { continue };
        compiled.push(match Expression::compile(source, &Kind::Text) {
            Ok(expression) => KeyPart::Expression(expression),
            Err(errors) => {
                let whole = document.span_at(&place.key("expression"));
                let found = errors.into_iter();
                findings.extend(found.map(|error| allow_if::finding(document, &whole, source, error)));
                KeyPart::Address
            }
        });
    }
    compiled
}

pub(super) fn keys(
    path: &Path,
    config: &RateLimitConfig,
    expressions: Vec<KeyPart>,
    report: &mut Report<'_>,
) -> Vec<KeyPart> {
    let mut parts = Vec::new();
    let mut expressions = expressions.into_iter();
    for (form, place) in config.by.as_slice().iter().zip(key_paths(path, config)) {
        let part = match form {
            LimitKeyForm::Word(word) => Some(word_part(*word)),
            LimitKeyForm::Named(named) => named_part(named, &mut expressions),
        };
        match part {
            Some(part) if !parts.contains(&part) => parts.push(part),
            Some(_) => {}
            None => {
                let help = "write `{ header: X-Tenant }` or the like, or several in a list";
                let message = "exactly one of `header`, `claim`, `parameter`, `expression` and `path` says who is counted";
                report.error(&place, "bad-key", message, help);
            }
        }
    }
    parts
}

const fn word_part(word: LimitKey) -> KeyPart {
    match word {
        LimitKey::ConsumerOrAddress => KeyPart::ConsumerOrAddress,
        LimitKey::Consumer => KeyPart::Consumer,
        LimitKey::Credential => KeyPart::Credential,
        LimitKey::Group => KeyPart::Group,
        LimitKey::Address => KeyPart::Address,
        LimitKey::Route => KeyPart::Route,
        LimitKey::Service => KeyPart::Service,
        LimitKey::Everybody => KeyPart::Everybody,
    }
}

fn named_part(named: &NamedKey, expressions: &mut impl Iterator<Item = KeyPart>) -> Option<KeyPart> {
    let text = |text: &String| Arc::<str>::from(text.as_str());
    let mut given = [
        named.header.as_ref().map(|name| KeyPart::Header(text(name))),
        named.claim.as_ref().map(|name| KeyPart::Claim(text(name))),
        named.parameter.as_ref().map(|name| KeyPart::Parameter(text(name))),
        named.expression.as_ref().and_then(|_| expressions.next()),
        named.path.as_ref().map(|path| KeyPart::Path(text(path))),
    ]
    .into_iter()
    .flatten();
    let first = given.next();
    first.filter(|_| given.next().is_none())
}

/// As people write it: a word, or what is named, such as `claim: tenantId`.
impl fmt::Display for KeyPart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (named, name) = match self {
            Self::ConsumerOrAddress => return formatter.write_str("consumer_or_address"),
            Self::Consumer => return formatter.write_str("consumer"),
            Self::Credential => return formatter.write_str("credential"),
            Self::Group => return formatter.write_str("group"),
            Self::Address => return formatter.write_str("address"),
            Self::Route => return formatter.write_str("route"),
            Self::Service => return formatter.write_str("service"),
            Self::Everybody => return formatter.write_str("everybody"),
            Self::Header(name) => ("header", &**name),
            Self::Claim(name) => ("claim", &**name),
            Self::Parameter(name) => ("parameter", &**name),
            Self::Expression(expression) => ("expression", expression.source().trim()),
            Self::Path(path) => ("path", &**path),
        };
        write!(formatter, "{named}: {name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_counted_is_shown_as_it_is_written() {
        let parts = [
            (word_part(LimitKey::ConsumerOrAddress), "consumer_or_address"),
            (word_part(LimitKey::Everybody), "everybody"),
            (KeyPart::Claim("tenantId".into()), "claim: tenantId"),
            (KeyPart::Header("X-Tenant".into()), "header: X-Tenant"),
            (
                KeyPart::Expression(Expression::compile(" claims.Tier ", &Kind::Text).unwrap()),
                "expression: claims.Tier",
            ),
        ];
        for (part, shown) in parts {
            assert_eq!(part.to_string(), shown);
        }
    }
}
