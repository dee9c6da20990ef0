//! An issuer of tokens: its names, its keys, and what its tokens must say.

use torana_config::written::{JwtIssuerConfig, OneOrMany, RemoteKeysForm};
use torana_config::{Document, Finding, Path};
use torana_credential::jose::Algorithm;
use torana_types::{ByteSize, ResourceUrl, TimeSpan};

use super::keys::{self, KeyPlan};
use crate::policy::secure;

/// An issuer of tokens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IssuerPlan {
    /// Its names in tokens; any when empty.
    pub names: Vec<String>,
    /// Whom its tokens must be meant for; anybody when empty.
    pub audiences: Vec<String>,
    /// What verifies its tokens.
    pub keys: KeysPlan,
}

impl IssuerPlan {
    /// Whether a token could belong to both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        // One that is found by discovery is called as its URL.
        let found = |issuer: &Self| matches!(&issuer.keys, KeysPlan::Remote(keys) if keys.discovery);
        let any = |issuer: &Self| issuer.names.is_empty() && !found(issuer);
        any(self) || any(other) || self.names.iter().any(|name| other.names.contains(name))
    }
}

/// What verifies an issuer's tokens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeysPlan {
    /// Keys of the configuration.
    Fixed(Vec<KeyPlan>),
    /// Keys that are fetched.
    Remote(RemoteKeysPlan),
}

/// Keys that are fetched.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RemoteKeysPlan {
    /// Where the key set is, or with `discovery` the issuer.
    pub url: ResourceUrl,
    /// Whether the URL is the issuer's, whose configuration says where the key set is.
    pub discovery: bool,
    /// Algorithms that are accepted, of those that fit a key.
    pub algorithms: Vec<Algorithm>,
    /// How often it is fetched again.
    pub refresh: TimeSpan,
    /// How soon it may be fetched for an unknown key.
    pub cooldown: TimeSpan,
    /// How long fetching may take.
    pub timeout: TimeSpan,
    /// The longest answer.
    pub max_size: ByteSize,
}

fn list<T: Clone>(given: Option<&OneOrMany<T>>) -> Vec<T> {
    given.map(|given| given.as_slice().to_vec()).unwrap_or_default()
}

pub(super) fn plan(
    document: &Document,
    path: &Path,
    config: &JwtIssuerConfig,
    findings: &mut Vec<Finding>,
) -> IssuerPlan {
    let algorithms = list(config.algorithms.as_ref());
    let algorithms: Vec<Algorithm> =
        algorithms.iter().filter_map(|algorithm| Algorithm::from_name(algorithm.name())).collect();
    if config.algorithms.is_some() && algorithms.is_empty() {
        let place = document.span_at(&path.key("algorithms"));
        let message = "without an algorithm no token could be accepted";
        findings.push(Finding::error("no-algorithm", message).at(place));
    }
    let fixed = keys::plan(document, path, config, &algorithms, findings);
    let keys = match (&config.jwks, &config.discovery, fixed.is_empty()) {
        (None, None, false) => KeysPlan::Fixed(fixed),
        (Some(form), None, true) => {
            KeysPlan::Remote(remote(document, &path.key("jwks"), form, false, &algorithms, findings))
        }
        (None, Some(form), true) => {
            KeysPlan::Remote(remote(document, &path.key("discovery"), form, true, &algorithms, findings))
        }
        (None, None, true) => {
            let finding = Finding::error("no-key", "nothing here could verify a token");
            let help = "add `secret`, `public_key`, `keys`, `jwks` or `discovery`";
            findings.push(finding.at(document.span_at(path)).help(help));
            KeysPlan::Fixed(Vec::new())
        }
        _ => {
            let message =
                "keys are written here, fetched by `jwks`, or found by `discovery`: only one of these";
            findings.push(Finding::error("too-many-keys", message).at(document.span_at(path)));
            KeysPlan::Fixed(fixed)
        }
    };
    let issuer =
        IssuerPlan { names: list(config.issuer.as_ref()), audiences: list(config.audience.as_ref()), keys };
    for_anybody(document, path, config, &issuer, findings);
    without_tls(document, path, config, findings);
    issuer
}

/// Who can change keys on their way signs tokens.
fn without_tls(document: &Document, path: &Path, config: &JwtIssuerConfig, findings: &mut Vec<Finding>) {
    for (key, form, code) in
        [("jwks", &config.jwks, "insecure-keys"), ("discovery", &config.discovery, "insecure-issuer")]
    {
        let Some(form) = form else { continue };
        let (place, url) = match form {
            RemoteKeysForm::Url(url) => (path.key(key), url),
            RemoteKeysForm::Full(full) => (path.key(key).key("url"), &full.url),
        };
        let told = (code, "could give its own keys, and sign tokens of anybody");
        secure::check(document, &place, url, told, findings);
    }
}

/// An issuer that publishes its keys signs for many, not for these services alone (RFC 8725 section 3.9).
fn for_anybody(
    document: &Document,
    path: &Path,
    config: &JwtIssuerConfig,
    issuer: &IssuerPlan,
    findings: &mut Vec<Finding>,
) {
    if !issuer.audiences.is_empty() || !matches!(issuer.keys, KeysPlan::Remote(_)) {
        return;
    }
    let key = if config.jwks.is_some() { "jwks" } else { "discovery" };
    let message =
        "without `audience` a token that the issuer has signed for any other service is good here too";
    let finding = Finding::warning("no-audience", message).at(document.key_span_at(&path.key(key)));
    findings.push(finding.help("write whom tokens for these services name in `aud`"));
}

/// Where the configuration of an issuer stands below its URL (OpenID Connect Discovery 1.0 section 4).
pub const DISCOVERY: &str = "/.well-known/openid-configuration";

/// The issuer's URL, also where that of its configuration was written: its tokens name it by the former.
fn issuer_of(url: ResourceUrl) -> ResourceUrl {
    let base = url.as_str().trim_end_matches('/').strip_suffix(DISCOVERY);
    base.and_then(|base| base.parse().ok()).unwrap_or(url)
}

/// Plans keys that are fetched.
pub(in crate::policy) fn remote(
    document: &Document,
    path: &Path,
    form: &RemoteKeysForm,
    discovery: bool,
    algorithms: &[Algorithm],
    findings: &mut Vec<Finding>,
) -> RemoteKeysPlan {
    let config = form.config();
    for (key, span) in [("refresh", config.refresh), ("timeout", config.timeout)] {
        if span.is_zero() {
            let finding = Finding::error("zero-deadline", format!("`{key}` must not be zero"));
            findings.push(finding.at(document.span_at(&path.key(key))));
        }
    }
    if algorithms.iter().any(|algorithm| algorithm.is_symmetric()) {
        let message = "keys that are fetched are public: no HS algorithm can be accepted with them";
        findings.push(Finding::error("symmetric-algorithm", message).at(document.span_at(path)));
    }
    RemoteKeysPlan {
        url: if discovery { issuer_of(config.url) } else { config.url },
        discovery,
        algorithms: algorithms.to_vec(),
        refresh: config.refresh,
        cooldown: config.cooldown,
        timeout: config.timeout,
        max_size: config.max_size,
    }
}
