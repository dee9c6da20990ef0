//! `oidc_login` in the plan.

use std::sync::Arc;

use torana_config::written::{ClientAuthentication, OidcLoginConfig, RemoteKeysConfig, RemoteKeysForm};
use torana_config::{Document, Finding, Path};
use torana_credential::jose::Algorithm;
use torana_types::{ByteSize, EndpointUrl, ResourceUrl, Secret, TimeSpan};

use super::jwt::remote_keys;
use super::secure;
use super::{
    AuthenticationPlan, IssuerPlan, JwtPlan, KeysPlan, PolicyPlan, RemoteKeysPlan, UpstreamTokenPlan,
};
use crate::report::Report;
use crate::text;

/// The least length of a secret that seals, in bytes.
const LEAST_SECRET: usize = 32;
/// Parameters of a request to log in that the gateway itself decides about.
const RESERVED: [&str; 9] = [
    "response_type",
    "response_mode",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
];

/// Callers log in with a browser.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OidcLoginPlan {
    /// The provider, and how it is asked.
    pub provider: ProviderPlan,
    /// How ID tokens are read.
    pub id_token: Arc<JwtPlan>,
    /// Secrets that seal sessions; the first seals.
    pub session_keys: Vec<Secret>,
    /// What the provider is asked for, words between spaces.
    pub scope: String,
    /// More parameters of the request to log in.
    pub parameters: Vec<(String, String)>,
    /// Where browsers come back to.
    pub callback_path: String,
    /// Where browsers log out.
    pub logout_path: String,
    /// Where they are sent after that: a path or a URL.
    pub post_logout_redirect: String,
    /// How browsers reach the gateway: `https://host[:port]`. By what they asked for when `None`.
    pub external_url: Option<String>,
    /// How long a session may last.
    pub lifetime: TimeSpan,
    /// How long a session lasts without a request.
    pub idle: TimeSpan,
    /// How long logging in may take.
    pub login_timeout: TimeSpan,
    /// Whether tokens are renewed.
    pub refresh: bool,
    /// The name of the cookie, with its prefix.
    pub cookie: String,
    /// Whether browsers send it over TLS alone.
    pub secure: bool,
    /// Whether services receive the access token.
    pub pass_access_token: bool,
}

impl OidcLoginPlan {
    /// Whose sessions these are: the provider's URL, the client and the cookie. Policies that have these in common open
    /// each other's.
    #[must_use]
    pub fn login(&self) -> (String, String, String) {
        let provider = &self.provider;
        (provider.keys.url.to_string(), provider.client_id.clone(), self.cookie.clone())
    }
}

/// A provider of OpenID Connect, and how it is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProviderPlan {
    /// Its configuration and keys.
    pub keys: RemoteKeysPlan,
    /// The name under which it knows the gateway.
    pub client_id: String,
    /// The shared secret; a public client when `None`.
    pub client_secret: Option<Secret>,
    /// How the secret is shown.
    pub authentication: ClientAuthentication,
    /// How long an answer may take.
    pub timeout: TimeSpan,
    /// The longest answer.
    pub max_size: ByteSize,
}

/// Plans the policy that is written at `path`.
pub(crate) fn plan(
    document: &Document,
    path: &Path,
    config: &OidcLoginConfig,
    findings: &mut Vec<Finding>,
) -> PolicyPlan {
    check(document, path, config, findings);
    super::jwt::leeway(document, path, config.leeway, findings);
    let keys = keys(document, path, config, findings);
    let provider = ProviderPlan {
        keys: keys.clone(),
        client_id: config.client_id.clone(),
        client_secret: config.client_secret.clone(),
        authentication: config.client_authentication,
        timeout: config.timeout,
        max_size: keys.max_size,
    };
    let mut scopes = config.scopes.clone();
    if !scopes.iter().any(|scope| scope == "openid") {
        scopes.insert(0, "openid".into());
    }
    let prefix = if config.cookie.secure { "__Host-" } else { "" };
    PolicyPlan::Authentication(AuthenticationPlan::OidcLogin(Arc::new(OidcLoginPlan {
        id_token: Arc::new(id_token(config, keys)),
        provider,
        session_keys: config.session_keys.as_slice().to_vec(),
        scope: scopes.join(" "),
        parameters: config.parameters.clone().into_iter().collect(),
        callback_path: config.callback_path.clone(),
        logout_path: config.logout_path.clone(),
        post_logout_redirect: config.post_logout_redirect.clone(),
        external_url: config.external_url.as_ref().map(external),
        lifetime: config.lifetime,
        idle: config.idle,
        login_timeout: config.login_timeout,
        refresh: config.refresh,
        cookie: format!("{prefix}{}", config.cookie.name),
        secure: config.cookie.secure,
        pass_access_token: config.pass_access_token,
    })))
}

fn external(url: &EndpointUrl) -> String {
    format!("{}://{}", if url.is_secure() { "https" } else { "http" }, url.authority())
}

/// OpenID Connect Core 1.0 section 3.1.3.7, as far as it is about the token alone.
fn id_token(config: &OidcLoginConfig, keys: RemoteKeysPlan) -> JwtPlan {
    JwtPlan {
        issuers: vec![IssuerPlan {
            names: Vec::new(),
            audiences: vec![config.client_id.clone()],
            keys: KeysPlan::Remote(keys),
        }],
        consumers: None,
        from: torana_config::written::TokenSourcesConfig::default(),
        leeway: config.leeway,
        max_age: None,
        max_lifetime: None,
        unchecked_times: Vec::new(),
        required_claims: ["sub", "exp", "iat"].map(String::from).to_vec(),
        types: Vec::new(),
        claims_to_headers: text::shared_fields(&config.claims_to_headers),
        consumer_claim: config.consumer_claim.clone(),
        roles_claim: Some(config.roles_claim.clone()),
        groups_claim: Some(config.groups_claim.clone()),
        upstream_token: UpstreamTokenPlan::Forward,
        realm: "torana".into(),
    }
}

fn keys(
    document: &Document,
    path: &Path,
    config: &OidcLoginConfig,
    findings: &mut Vec<Finding>,
) -> RemoteKeysPlan {
    let form = RemoteKeysForm::Full(RemoteKeysConfig {
        timeout: config.timeout,
        ..RemoteKeysForm::Url(config.issuer.clone()).config()
    });
    let written =
        config.algorithms.as_ref().map(torana_config::written::OneOrMany::as_slice).unwrap_or_default();
    let algorithms: Vec<Algorithm> =
        written.iter().filter_map(|algorithm| Algorithm::from_name(algorithm.name())).collect();
    remote_keys(document, path, &form, true, &algorithms, findings)
}

fn check(document: &Document, path: &Path, config: &OidcLoginConfig, findings: &mut Vec<Finding>) {
    let mut report = Report { document, findings };
    let mut say = |key: &str, code: &'static str, message: &str, help: &str| match help {
        "" => report.plain_error(&path.key(key), code, message),
        help => report.error(&path.key(key), code, message, help),
    };
    if config.client_id.is_empty() {
        say("client_id", "bad-value", "the provider knows nobody without a name", "");
    }
    let secrets = config.session_keys.as_slice();
    if secrets.is_empty() || secrets.iter().any(|secret| secret.expose().len() < LEAST_SECRET) {
        let message = "a secret that seals sessions has at least 32 bytes, or it can be guessed";
        say("session_keys", "short-secret", message, "`openssl rand -hex 32`");
    }
    for (key, path) in [("callback_path", &config.callback_path), ("logout_path", &config.logout_path)] {
        if !is_path(path) {
            say(key, "bad-path", "this is not a path without a query", "write it as `/oauth2/callback`");
        }
    }
    if config.callback_path == config.logout_path {
        say("logout_path", "contradiction", "browsers come back and log out at the same path", "");
    }
    let after = &config.post_logout_redirect;
    let absolute = after.parse::<ResourceUrl>().is_ok();
    if !absolute && !is_path(after.split('?').next().unwrap_or_default()) {
        say("post_logout_redirect", "bad-value", "this is neither a path nor a URL", "");
    }
    let word = |scope: &String| !scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_graphic());
    if !config.scopes.iter().all(word) {
        say("scopes", "bad-value", "a scope is a word", "");
    }
    if let Some(name) = config.parameters.keys().find(|name| RESERVED.contains(&name.as_str())) {
        say("parameters", "reserved-parameter", &format!("the gateway itself decides about `{name}`"), "");
    }
    for (key, span) in [("lifetime", config.lifetime), ("idle", config.idle), ("timeout", config.timeout)] {
        if span.is_zero() {
            say(key, "zero-deadline", "with nothing of it nobody could log in", "");
        }
    }
    if !text::is_token(&config.cookie.name) {
        say("cookie", "bad-name", "the name of a cookie consists of letters, digits and `-._~` alone", "");
    }
    if config.client_secret.is_none() {
        let why = "there is no `client_secret` to show";
        text::says_nothing(document, path, &["client_authentication"], why, findings);
    }
    text::claim_fields(document, path, &config.claims_to_headers, findings);
    cautions(document, path, config, findings);
}

/// What works and is unwise outside of development.
fn cautions(document: &Document, path: &Path, config: &OidcLoginConfig, findings: &mut Vec<Finding>) {
    let told = ("insecure-issuer", "could log in as anybody");
    secure::check(document, &path.key("issuer"), &config.issuer, told, findings);
    if !config.cookie.secure && !config.external_url.as_ref().is_some_and(secure::is_local) {
        let message = "without `secure` the session's cookie can be read and replaced on the way";
        let finding = Finding::warning("insecure-cookie", message);
        findings.push(finding.at(document.span_at(&path.key("cookie"))).help("remove `secure: false`"));
    }
}

/// A path that is the same for browsers, the provider and the routes.
fn is_path(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    text.starts_with('/')
        && text.bytes().all(plain)
        && !text.contains("//")
        && !text.split('/').any(|segment| segment == "." || segment == "..")
}
