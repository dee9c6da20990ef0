//! A service that policies ask while they decide, and the target that it is asked by.

use std::collections::HashMap;
use std::sync::Arc;

use torana_config::written::{Config, PoliciesConfig, Switch};
use torana_config::{Document, Finding, Path, did_you_mean};
use torana_types::{ByteSize, EndpointUrl, ResourceUrl, ServiceId, TimeSpan};

use super::secure;

/// Services by name, those that only a URL names too.
pub(crate) type Services = HashMap<Arc<str>, ServiceId>;

/// Who is asked, and how.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AskedPlan {
    /// The service's place in the plan.
    pub service: usize,
    /// Its name: that of the configuration, or its origin.
    pub name: Arc<str>,
    /// What it is asked for.
    pub target: TargetPlan,
    /// How long asking may take, connecting included.
    pub timeout: TimeSpan,
    /// The longest body of an answer.
    pub max_size: ByteSize,
}

/// A path and query in which parts of the request are put.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TargetPlan {
    /// The path; begins with a slash.
    pub path: Vec<TargetPiece>,
    /// The query without its question mark.
    pub query: Option<Vec<TargetPiece>>,
}

/// A piece of a target.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TargetPiece {
    /// As it is.
    Text(String),
    /// The path of the request; encoded in a query.
    Path,
    /// The path and query of the request, encoded.
    Uri,
    /// The method of the request, encoded.
    Method,
    /// The host of the request, encoded.
    Host,
}

/// What was written about whom to ask.
pub(super) struct Written<'a> {
    pub(super) service: Option<&'a str>,
    pub(super) path: &'a str,
    pub(super) url: Option<&'a ResourceUrl>,
    /// Whether parts of the request may stand in the target.
    pub(super) template: bool,
    pub(super) timeout: TimeSpan,
    pub(super) max_size: ByteSize,
    /// What somebody could do who is between the gateway and a URL.
    pub(super) between: &'a str,
}

/// Plans whom to ask. What cannot be planned is an error, and the plan is never served.
pub(super) fn plan(
    document: &Document,
    path: &Path,
    written: &Written<'_>,
    services: &Services,
    findings: &mut Vec<Finding>,
) -> AskedPlan {
    if written.timeout.is_zero() {
        let finding = Finding::error("zero-deadline", "no answer comes in no time");
        findings.push(finding.at(document.span_at(&path.key("timeout"))));
    }
    let (key, text) = match written.url {
        Some(url) => {
            let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
            ("url", format!("{}{query}", url.path()))
        }
        None => ("path", written.path.to_owned()),
    };
    let target = target(&text, written.template).unwrap_or_else(|message| {
        findings.push(Finding::error("bad-target", message).at(document.span_at(&path.key(key))));
        TargetPlan { path: vec![TargetPiece::Text("/".into())], query: None }
    });
    let name: Arc<str> = match (written.service, written.url) {
        (Some(name), None) => name.into(),
        (None, Some(url)) => {
            secure::check(document, &path.key("url"), url, ("insecure-url", written.between), findings);
            url.origin().to_string().into()
        }
        _ => {
            let finding = Finding::error("who-is-asked", "write exactly one of `service` and `url`");
            findings.push(finding.at(document.span_at(path)));
            "".into()
        }
    };
    let id = services.get(&name).copied();
    if id.is_none() && !name.is_empty() {
        let message = format!("there is no service `{name}`");
        let finding = Finding::error("unknown-service", message).at(document.span_at(&path.key("service")));
        findings.push(finding.maybe_help(did_you_mean(&name, services.keys().map(|name| &**name))));
    }
    AskedPlan {
        service: id.map_or(usize::MAX, ServiceId::index),
        name,
        target,
        timeout: written.timeout,
        max_size: written.max_size,
    }
}

fn target(text: &str, template: bool) -> Result<TargetPlan, String> {
    if text.contains('#') || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("a path and query hold visible ASCII characters other than `#`".into());
    }
    let (path, query) = text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)));
    if !(path.starts_with('/') || template && path.starts_with("{path}")) {
        return Err("a path begins with `/`".into());
    }
    if !template {
        let text = |text: &str| vec![TargetPiece::Text(text.to_owned())];
        return Ok(TargetPlan { path: text(path), query: query.map(text) });
    }
    Ok(TargetPlan { path: pieces(path)?, query: query.map(pieces).transpose()? })
}

fn pieces(text: &str) -> Result<Vec<TargetPiece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or("a `{` without its `}`")?;
        if !before.is_empty() {
            pieces.push(TargetPiece::Text(before.to_owned()));
        }
        pieces.push(match name {
            "path" => TargetPiece::Path,
            "uri" => TargetPiece::Uri,
            "method" => TargetPiece::Method,
            "host" => TargetPiece::Host,
            _ => {
                return Err(format!(
                    "`{{{name}}}` is none of `{{path}}`, `{{uri}}`, `{{method}}`, `{{host}}`"
                ));
            }
        });
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(TargetPiece::Text(rest.to_owned()));
    }
    Ok(pieces)
}

/// The origins that policies ask by URL: each is a service of its own.
pub(crate) fn origins(config: &Config) -> Vec<&EndpointUrl> {
    let scopes = std::iter::once(&config.policies);
    let scopes = scopes.chain(config.services.values().map(|service| &service.policies));
    let scopes = scopes.chain(config.routes.iter().map(|route| &route.policies));
    let mut origins = Vec::new();
    for url in scopes.flat_map(urls) {
        if !origins.contains(&url.origin()) {
            origins.push(url.origin());
        }
    }
    origins
}

fn urls(policies: &PoliciesConfig) -> impl Iterator<Item = &ResourceUrl> {
    let forward = policies.forward_auth.as_ref().and_then(Switch::on);
    let introspection = policies.oauth2_introspection.as_ref().and_then(Switch::on);
    let forward = forward.and_then(|config| config.url.as_ref());
    forward.into_iter().chain(introspection.and_then(|config| config.url.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_with_their_pieces() {
        let text = |text: &str| TargetPiece::Text(text.into());
        let read = target("/check{path}?m={method}&u={uri}", true).unwrap();
        assert_eq!(read.path, [text("/check"), TargetPiece::Path]);
        let query = [text("m="), TargetPiece::Method, text("&u="), TargetPiece::Uri];
        assert_eq!(read.query.as_deref(), Some(&query[..]));
        assert_eq!(target("{path}", true).unwrap().path, [TargetPiece::Path]);
        assert_eq!(target("/a{b}", false).unwrap().path, [text("/a{b}")]);
        for bad in ["", "x", "/a b", "/{", "/{x}", "/{path", "/#", "{uri}"] {
            assert!(target(bad, true).is_err(), "{bad}");
        }
    }
}
