//! `forward_auth` in the plan.

mod names;

use std::sync::Arc;

use torana_config::written::{
    AskFailure, AskMethod, ForwardAuthCacheConfig, ForwardAuthConfig, ForwardAuthIdentityConfig,
};
use torana_config::{Document, Finding, Path};
use torana_credential::directory::Consumers;
use torana_types::ByteSize;

use super::asked::{self, AskedPlan, Services, Written};
use super::authentication::is_neutral;
use super::{AuthenticationPlan, PolicyPlan};

/// A service is asked whether a request may pass.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ForwardAuthPlan {
    /// Who is asked.
    pub asked: AskedPlan,
    /// The method of the question.
    pub method: AskMethod,
    /// Fields of the request that are shown; `*` is all.
    pub request_headers: Vec<String>,
    /// The longest request body that is shown; none is when `None`.
    pub body: Option<ByteSize>,
    /// Fields of an answer of 2xx for the service behind the route.
    pub response_headers: Vec<String>,
    /// Fields of such an answer for the client.
    pub client_headers: Vec<Arc<str>>,
    /// Statuses that refuse a request, from 300 to 499.
    pub refusals: Vec<u16>,
    /// Fields of such an answer for the client.
    pub refusal_headers: Vec<String>,
    /// What becomes of a request without an answer.
    pub on_failure: AskFailure,
    /// What is remembered.
    pub cache: Option<ForwardAuthCacheConfig>,
    /// What an answer says of the caller.
    pub identity: ForwardAuthIdentityConfig,
    /// Who may be meant.
    pub consumers: Arc<Consumers>,
}

impl ForwardAuthPlan {
    /// Whether all fields of the request are shown.
    #[must_use]
    pub fn shows_all(&self) -> bool {
        self.request_headers.iter().any(|name| name == "*")
    }

    /// The fields that it sets and that no client has a use for. A field that clients are asked for, such as
    /// `Authorization`, is replaced where a request passes.
    pub(super) fn identity_fields(&self) -> impl Iterator<Item = &str> {
        let credentials = ["Authorization", "Cookie", "Proxy-Authorization"];
        let shown = self.request_headers.iter().map(String::as_str).chain(credentials);
        let shown: Vec<&str> = shown.collect();
        let names = self.response_headers.iter().map(String::as_str);
        names.filter(move |name| !shown.iter().any(|other| other.eq_ignore_ascii_case(name)))
    }
}

/// Plans the policy that is written at `path`.
pub(crate) fn plan(
    document: &Document,
    path: &Path,
    config: &ForwardAuthConfig,
    (consumers, services): (&Arc<Consumers>, &Services),
    findings: &mut Vec<Finding>,
) -> PolicyPlan {
    let written = Written {
        service: config.service.as_deref(),
        path: &config.path,
        url: config.url.as_ref(),
        template: true,
        timeout: config.timeout,
        max_size: config.max_size,
        between: "could say yes to anybody, and see what callers show",
    };
    let asked = asked::plan(document, path, &written, services, findings);
    names::check(document, path, config, findings);
    check_statuses(document, &path.key("refusals"), &config.refusals, findings);
    if config.cache.as_ref().is_some_and(|cache| cache.ttl.as_duration().as_secs() == 0) {
        let finding = Finding::error("no-ttl", "less than a second is no time to remember anything");
        findings.push(finding.at(document.span_at(&path.key("cache").key("ttl"))));
    }
    if config.cache.as_ref().is_some_and(|cache| cache.headers.is_none())
        && config.request_headers.iter().any(|name| name == "*")
    {
        let message = "every request has its own identifier, so with all its fields none is remembered";
        let finding = Finding::warning("cache-of-nothing", message).at(document.span_at(&path.key("cache")));
        findings.push(finding.help("list the fields that matter under `headers`"));
    }
    check_cache(document, path, config, findings);
    if config.on_failure == AskFailure::Allow {
        let message = "whoever can make the asked service fail gets in without being known";
        let finding = Finding::warning("fails-open", message);
        findings.push(finding.at(document.span_at(&path.key("on_failure"))));
    }
    let method = config.method.unwrap_or(match config.body {
        Some(_) => AskMethod::Post,
        None => AskMethod::Get,
    });
    let plan = ForwardAuthPlan {
        asked,
        method,
        request_headers: config.request_headers.clone(),
        body: config.body,
        response_headers: config.response_headers.clone(),
        client_headers: config.client_headers.iter().map(|name| name.as_str().into()).collect(),
        refusals: config.refusals.clone(),
        refusal_headers: config.refusal_headers.clone(),
        on_failure: config.on_failure,
        cache: config.cache.clone(),
        identity: config.identity.clone(),
        consumers: Arc::clone(consumers),
    };
    PolicyPlan::Authentication(AuthenticationPlan::ForwardAuth(Arc::new(plan)))
}

/// Reports what a caller may be known by, where it is shown and yet not looked at: one caller's yes would be another's.
fn check_cache(document: &Document, path: &Path, config: &ForwardAuthConfig, findings: &mut Vec<Finding>) {
    let Some(looked_at) = config.cache.as_ref().and_then(|cache| cache.headers.as_ref()) else { return };
    let has = |names: &[String], wanted: &str| names.iter().any(|name| name.eq_ignore_ascii_case(wanted));
    let all: &[&str] = if has(&config.request_headers, "*") { &["Authorization", "Cookie"] } else { &[] };
    let named = config.request_headers.iter().map(String::as_str);
    let named = named.filter(|name| *name != "*" && !all.iter().any(|own| own.eq_ignore_ascii_case(name)));
    let mut is_sound = true;
    for credential in all.iter().copied().chain(named) {
        if !is_neutral(credential) && !has(looked_at, credential) {
            let message =
                format!("`{credential}` is shown and not looked at: one caller's yes would be everybody's");
            let place = path.key("cache").key("headers");
            let finding = Finding::error("cache-of-everybody", message).at(document.span_at(&place));
            findings.push(finding.help(format!(
                "list `{credential}` under `headers` too, or list `request_headers` without it"
            )));
            is_sound = false;
        }
    }
    if is_sound && !all.is_empty() {
        let message = "all fields are shown, and who agrees in these alone is given another's yes";
        let place = document.span_at(&path.key("cache").key("headers"));
        let finding = Finding::warning("cache-of-everybody", message).at(place);
        findings.push(finding.help("list under `request_headers` what callers may be known by"));
    }
}

fn check_statuses(document: &Document, path: &Path, statuses: &[u16], findings: &mut Vec<Finding>) {
    for (index, status) in statuses.iter().enumerate() {
        if !(300..500).contains(status) || *status == 304 {
            let message = "a refusal is a status from 300 to 499, other than 304";
            let finding = Finding::error("bad-status", message).at(document.span_at(&path.index(index)));
            findings.push(finding.help("what the service itself fails with is answered 503"));
        }
    }
}
