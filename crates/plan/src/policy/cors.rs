//! `cors` in the plan.

use std::sync::Arc;

use torana_config::written::{CorsConfig, CorsForm, OneOrMany};
use torana_config::{Document, Finding, Path};
use torana_route::AnchoredRegex;

use super::PolicyPlan;
use crate::text;

/// What pages of other origins may do. Values are as they are sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CorsPlan {
    /// Origins whose pages may read answers; at least one.
    pub origins: Vec<OriginPattern>,
    /// The value of `Access-Control-Allow-Methods`.
    pub methods: String,
    /// The value of `Access-Control-Allow-Headers`; what was asked for is allowed when `None`.
    pub headers: Option<String>,
    /// The value of `Access-Control-Expose-Headers`, if any.
    pub exposed: Option<String>,
    /// Seconds in `Access-Control-Max-Age`.
    pub max_age: Option<u64>,
    /// Whether credentials may be sent; with every origin, each is named in turn.
    pub credentials: bool,
    /// Whether pages from the internet may reach a private network.
    pub private_network: bool,
    /// Whether the service answers preflights.
    pub preflight_continue: bool,
    /// The status of an answer to a preflight.
    pub preflight_status: u16,
    /// Whether answers to requests without an origin say who may read them.
    pub allow_origin_absent: bool,
    /// The one origin that every answer names.
    pub always: Option<String>,
    /// Whether other origins are refused.
    pub refuse_others: bool,
}

/// Which origins are meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OriginPattern {
    /// Every one.
    Any,
    /// This one: scheme, host and a port that is not the scheme's own, in lower case.
    Exact(String),
    /// Scheme and `://`, and what the host ends with: `.example.com`, with its port.
    Below(String, String),
    /// The whole origin matches.
    Regex(AnchoredRegex),
}

/// Plans the policy that is written at `path`.
pub(crate) fn plan(
    document: &Document,
    path: &Path,
    form: &CorsForm,
    findings: &mut Vec<Finding>,
) -> PolicyPlan {
    let config = form.config();
    let whole = matches!(form, CorsForm::Origins(_));
    let base = if whole { path.clone() } else { path.key("origins") };
    let mut origins = Vec::new();
    for (index, written) in config.origins.as_slice().iter().enumerate() {
        let place = match &config.origins {
            OneOrMany::Many(_) => base.index(index),
            OneOrMany::One(_) => base.clone(),
        };
        match origin(written) {
            Ok(pattern) => origins.push(pattern),
            Err((message, help)) => {
                let finding = Finding::error("bad-origin", message).at(document.span_at(&place));
                findings.push(finding.maybe_help(help));
            }
        }
    }
    if config.origins.as_slice().is_empty() {
        let finding = Finding::error("bad-origin", "no origin is named").at(document.span_at(&base));
        findings.push(finding.help("name one, or write `cors: off`"));
    }
    credentials(document, path, &config, &origins, findings);
    idle(document, path, &config, &origins, findings);
    let always = always(document, path, &config, &origins, findings);
    for (key, names) in
        [("headers", config.headers.as_ref()), ("exposed_headers", Some(&config.exposed_headers))]
    {
        for (index, name) in names.into_iter().flatten().enumerate().filter(|(_, name)| *name != "*") {
            text::token(document, &path.key(key).index(index), name, "the name of a field", findings);
        }
    }
    for (index, method) in config.methods.iter().enumerate() {
        // A page is told what it may use, whether anything here takes it or not.
        let told = matches!(method.as_str(), "*" | "CONNECT");
        if let Some((message, help)) = text::method_problem(method).filter(|_| !told) {
            let place = document.span_at(&path.key("methods").index(index));
            findings.push(Finding::error("bad-method", message).at(place).maybe_help(help));
        }
    }
    if !matches!(config.preflight_status, 200 | 204) {
        let finding = Finding::error("bad-value", "a preflight is answered 200 or 204");
        findings.push(finding.at(document.span_at(&path.key("preflight_status"))));
    }
    let joined = |names: &[String]| names.join(", ");
    PolicyPlan::Cors(Arc::new(CorsPlan {
        origins,
        methods: joined(&config.methods),
        headers: config.headers.as_deref().map(joined),
        exposed: (!config.exposed_headers.is_empty()).then(|| joined(&config.exposed_headers)),
        max_age: config.max_age.map(|age| age.as_duration().as_secs()),
        credentials: config.credentials,
        private_network: config.private_network,
        preflight_continue: config.preflight_continue,
        preflight_status: config.preflight_status,
        allow_origin_absent: config.allow_origin_absent,
        always,
        refuse_others: config.refuse_others,
    }))
}

/// Credentials for every page, which browsers do not take for an answer with `*`.
fn credentials(
    document: &Document,
    path: &Path,
    config: &CorsConfig,
    origins: &[OriginPattern],
    findings: &mut Vec<Finding>,
) {
    let both = origins.contains(&OriginPattern::Any) && config.credentials;
    let at = |key: &str| document.span_at(&path.key(key));
    match (both, config.credentials_for_everybody) {
        (true, false) => {
            let message = "with `*` a browser sends no credentials: every page could act for its visitor";
            let finding = Finding::error("credentials-for-everybody", message).at(at("credentials"));
            let help = "name the origins, or leave `credentials` out; `credentials_for_everybody: true` has every page act";
            findings.push(finding.help(help));
        }
        (true, true) => {
            let message =
                "every page that a caller visits may act for the caller, with cookies and passwords";
            let finding = Finding::warning("credentials-for-everybody", message);
            findings.push(finding.at(at("credentials_for_everybody")).help("name the origins"));
        }
        (false, true) => {
            let message = "`credentials_for_everybody` is for the origin `*` with `credentials: true`";
            findings.push(Finding::error("contradiction", message).at(at("credentials_for_everybody")));
        }
        (false, false) => {}
    }
}

/// Options that do nothing beside others.
fn idle(
    document: &Document,
    path: &Path,
    config: &CorsConfig,
    origins: &[OriginPattern],
    findings: &mut Vec<Finding>,
) {
    if config.preflight_continue {
        let of_preflights = ["methods", "headers", "max_age", "private_network", "preflight_status"];
        let why = "with `preflight_continue` the service answers preflights";
        text::says_nothing(document, path, &of_preflights, why, findings);
    }
    if config.refuse_others && origins.contains(&OriginPattern::Any) {
        let message = "with `*` there is no other origin: nobody would be refused";
        let finding = Finding::error("contradiction", message);
        let finding = finding.at(document.span_at(&path.key("refuse_others")));
        findings.push(finding.help("name the origins, or leave `refuse_others` out"));
    }
}

/// The origin that every answer names.
fn always(
    document: &Document,
    path: &Path,
    config: &CorsConfig,
    origins: &[OriginPattern],
    findings: &mut Vec<Finding>,
) -> Option<String> {
    if !config.always_send_origin {
        return None;
    }
    if let [OriginPattern::Exact(origin)] = origins {
        return Some(origin.clone());
    }
    let message = "which origin every answer names is clear only where `origins` has one, without wildcard";
    let place = document.span_at(&path.key("always_send_origin"));
    findings.push(Finding::error("contradiction", message).at(place));
    None
}

type Problem = (String, Option<String>);

/// Reads an origin as people write it.
pub(super) fn origin(written: &str) -> Result<OriginPattern, Problem> {
    if written == "*" {
        return Ok(OriginPattern::Any);
    }
    if let Some(expression) = written.strip_prefix('~') {
        let regex = AnchoredRegex::parse(expression)
            .map_err(|error| (error.problem.to_string(), Some(error.problem.help().to_owned())))?;
        return Ok(OriginPattern::Regex(regex));
    }
    if written == "null" {
        let message = "`null` is the origin of sandboxed pages and files of any site";
        return Err((message.into(), Some("leave it out: it is no origin that can be trusted".into())));
    }
    let lower = written.to_ascii_lowercase();
    let Some((scheme, host)) = lower.split_once("://") else {
        let help = format!("write `https://{written}`");
        return Err(("an origin begins with its scheme".into(), Some(help)));
    };
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    let name = host.strip_prefix("*.").unwrap_or(host);
    if scheme.is_empty() || name.is_empty() || !name.bytes().all(plain) {
        let message = "an origin is a scheme, a host and a port, without path or wildcard inside";
        return Err((
            message.into(),
            Some("write it like `https://app.example.com` or `https://*.example.com`".into()),
        ));
    }
    let own = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    let name = if own.is_empty() { name } else { name.strip_suffix(own).unwrap_or(name) };
    Ok(if host.starts_with("*.") {
        OriginPattern::Below(format!("{scheme}://"), format!(".{name}"))
    } else {
        OriginPattern::Exact(format!("{scheme}://{name}"))
    })
}
