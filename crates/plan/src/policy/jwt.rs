//! `jwt` in the plan.

mod issuer;
mod keys;
mod times;

use std::sync::Arc;

use torana_config::written::{
    JwtConfig, JwtIssuerConfig, TokenSourcesConfig, TokenTime, UpstreamToken, UpstreamTokenForm,
};
use torana_config::{Document, Finding, Path};
use torana_credential::directory::Consumers;
use torana_credential::jose::{Algorithm, KeyError, SigningKey};
use torana_types::{Secret, TimeSpan};

use super::{AuthenticationPlan, PolicyPlan};
use crate::text;

pub(super) use issuer::remote as remote_keys;
pub use issuer::{DISCOVERY, IssuerPlan, KeysPlan, RemoteKeysPlan};
pub use keys::KeyPlan;
pub(crate) use keys::decode_base64;
pub(super) use times::leeway;

/// Callers show a JSON Web Token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JwtPlan {
    /// Who may sign tokens; at least one, unless consumers sign them.
    pub issuers: Vec<IssuerPlan>,
    /// Consumers whose keys verify tokens, in place of issuers.
    pub consumers: Option<ConsumerKeysPlan>,
    /// Where tokens are looked for.
    pub from: TokenSourcesConfig,
    /// How far clocks may differ.
    pub leeway: TimeSpan,
    /// How long ago a token may have been issued.
    pub max_age: Option<TimeSpan>,
    /// How far in the future a token may expire.
    pub max_lifetime: Option<TimeSpan>,
    /// Times that are not held against the clock.
    pub unchecked_times: Vec<TokenTime>,
    /// Claims that must be there.
    pub required_claims: Vec<String>,
    /// Media types of which the header must name one; any when empty. Lower case, without `application/`.
    pub types: Vec<String>,
    /// Claims and the field that carries each to the service; the fields are removed from requests.
    pub claims_to_headers: Vec<(String, Arc<str>)>,
    /// The claim that says who calls.
    pub consumer_claim: String,
    /// The claim that lists roles; `None`: a token says nothing of them.
    pub roles_claim: Option<String>,
    /// The claim that lists groups; `None`: a token says nothing of them.
    pub groups_claim: Option<String>,
    /// What the service sees of the token.
    pub upstream_token: UpstreamTokenPlan,
    /// The realm in `WWW-Authenticate`, free of quotes and control characters; none when empty.
    pub realm: String,
}

/// Keys of consumers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConsumerKeysPlan {
    /// The claim, else the parameter of the header, that names the key.
    pub key_claim: String,
    /// Whose keys there are.
    pub consumers: Arc<Consumers>,
}

/// What the service sees of the token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum UpstreamTokenPlan {
    /// The token as it came.
    Forward,
    /// Nothing.
    Strip,
    /// Another one.
    Replace(MintPlan),
}

/// A token that the gateway signs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MintPlan {
    /// The key: a secret for algorithms of secrets, else a private key in PEM.
    pub key: Secret,
    /// The algorithm; it fits the key.
    pub algorithm: Algorithm,
    /// The key's name.
    pub key_id: Option<String>,
    /// The issuer.
    pub issuer: String,
    /// Whom it is meant for.
    pub audience: Option<String>,
    /// How long it is good.
    pub lifetime: TimeSpan,
}

impl MintPlan {
    /// The key, ready to sign.
    ///
    /// # Errors
    /// The key is none, or does not fit the algorithm; planning found that first.
    pub fn signing_key(&self) -> Result<SigningKey, KeyError> {
        let key = if self.algorithm.is_symmetric() {
            SigningKey::secret(self.key.expose().as_bytes(), self.algorithm)
        } else {
            SigningKey::pem(self.key.expose(), self.algorithm)
        };
        Ok(key?.with_id(self.key_id.as_deref()))
    }
}

/// Plans the policy that is written at `path`.
pub(crate) fn plan(
    document: &Document,
    path: &Path,
    config: &JwtConfig,
    consumers: &Arc<Consumers>,
    findings: &mut Vec<Finding>,
) -> PolicyPlan {
    text::quotable(document, &path.key("realm"), &config.realm, "a realm", findings);
    text::claim_fields(document, path, &config.claims_to_headers, findings);
    times::judge(document, path, config, findings);
    let types = config.types.iter().map(|one| one.to_ascii_lowercase());
    let types = types.map(|one| one.trim_start_matches("application/").to_owned()).collect();
    PolicyPlan::Authentication(AuthenticationPlan::Jwt(Arc::new(JwtPlan {
        issuers: issuers(document, path, config, findings),
        consumers: consumer_keys(document, path, config, consumers, findings),
        from: sources(document, path, config.from.as_ref(), findings),
        leeway: config.leeway,
        max_age: config.max_age,
        max_lifetime: config.max_lifetime,
        unchecked_times: config.unchecked_times.clone(),
        required_claims: times::required_claims(config),
        types,
        claims_to_headers: text::shared_fields(&config.claims_to_headers),
        consumer_claim: config.consumer_claim.clone(),
        roles_claim: vouched_claim(config, config.roles_claim.as_deref(), "roles"),
        groups_claim: vouched_claim(config, config.groups_claim.as_deref(), "groups"),
        upstream_token: upstream_token(
            document,
            &path.key("upstream_token"),
            &config.upstream_token,
            findings,
        ),
        realm: config.realm.clone(),
    })))
}

/// The claim that is believed: a consumer that signs its tokens itself would grant itself what it lists.
fn vouched_claim(config: &JwtConfig, written: Option<&str>, default: &str) -> Option<String> {
    written.or_else(|| config.consumers.is_none().then_some(default)).map(str::to_owned)
}

fn consumer_keys(
    document: &Document,
    path: &Path,
    config: &JwtConfig,
    consumers: &Arc<Consumers>,
    findings: &mut Vec<Finding>,
) -> Option<ConsumerKeysPlan> {
    let written = config.consumers.as_ref()?.config();
    if written.key_claim.is_empty() {
        let finding = Finding::error("bad-value", "a claim has a name");
        findings.push(finding.at(document.span_at(&path.key("consumers").key("key_claim"))));
    }
    super::authentication::needs_consumers(document, path, consumers, findings);
    self_made(document, path, config, findings);
    Some(ConsumerKeysPlan { key_claim: written.key_claim, consumers: Arc::clone(consumers) })
}

/// What a consumer's own token is believed, where that was asked for.
fn self_made(document: &Document, path: &Path, config: &JwtConfig, findings: &mut Vec<Finding>) {
    let mints = matches!(config.upstream_token, UpstreamTokenForm::Replace(_));
    for (key, written, what) in [
        ("roles_claim", config.roles_claim.is_some(), "gives itself roles"),
        ("groups_claim", config.groups_claim.is_some(), "gives itself groups"),
        (
            "claims_to_headers",
            !config.claims_to_headers.is_empty(),
            "chooses what services read in these fields",
        ),
        ("upstream_token", mints, "chooses what the gateway signs for services"),
    ] {
        if written {
            let message = format!("a consumer signs its token itself, and so {what}");
            let finding = Finding::warning("self-made-claims", message);
            let help =
                "keep it only if the keys are in the hands of somebody who vouches for their consumers";
            findings.push(finding.at(document.key_span_at(&path.key(key))).help(help));
        }
    }
}

fn issuers(
    document: &Document,
    path: &Path,
    config: &JwtConfig,
    findings: &mut Vec<Finding>,
) -> Vec<IssuerPlan> {
    let short = JwtIssuerConfig {
        issuer: config.issuer.clone(),
        audience: config.audience.clone(),
        algorithms: config.algorithms.clone(),
        secret: config.secret.clone(),
        public_key: config.public_key.clone(),
        keys: config.keys.clone(),
        jwks: config.jwks.clone(),
        discovery: config.discovery.clone(),
    };
    let mut planned = Vec::new();
    if config.consumers.is_some() {
        if short != JwtIssuerConfig::default() || !config.issuers.is_empty() {
            let message = "keys are those of consumers, or those of issuers: only one of these";
            findings.push(Finding::error("too-many-keys", message).at(document.span_at(path)));
        }
        return planned;
    }
    if short != JwtIssuerConfig::default() || config.issuers.is_empty() {
        planned.push(issuer::plan(document, path, &short, findings));
    }
    for (index, config) in config.issuers.iter().enumerate() {
        planned.push(issuer::plan(document, &path.key("issuers").index(index), config, findings));
    }
    if planned.len() > 1 {
        for (index, issuer) in planned.iter().enumerate() {
            let shared = planned.iter().skip(index.saturating_add(1)).any(|other| issuer.overlaps(other));
            if shared {
                let message = "two issuers share a name, or one has none: which keys verify a token?";
                findings.push(Finding::error("ambiguous-issuer", message).at(document.span_at(path)));
                break;
            }
        }
    }
    planned
}

/// Where tokens are looked for; the field `Authorization` when nothing is written.
pub(super) fn sources(
    document: &Document,
    path: &Path,
    from: Option<&TokenSourcesConfig>,
    findings: &mut Vec<Finding>,
) -> TokenSourcesConfig {
    let Some(from) = from else {
        return TokenSourcesConfig { headers: vec!["Authorization".into()], ..TokenSourcesConfig::default() };
    };
    let place = path.key("from");
    for (index, name) in from.headers.iter().enumerate() {
        text::field_name(document, &place.key("headers").index(index), name, findings);
    }
    if from.headers.is_empty() && from.cookies.is_empty() && from.query.is_empty() {
        let finding = Finding::error("no-source", "a token could be nowhere");
        findings
            .push(finding.at(document.span_at(&place)).help("name a header field, a cookie or a parameter"));
    }
    from.clone()
}

fn upstream_token(
    document: &Document,
    path: &Path,
    form: &UpstreamTokenForm,
    findings: &mut Vec<Finding>,
) -> UpstreamTokenPlan {
    let config = match form {
        UpstreamTokenForm::Word(UpstreamToken::Forward) => return UpstreamTokenPlan::Forward,
        UpstreamTokenForm::Word(UpstreamToken::Strip) => return UpstreamTokenPlan::Strip,
        UpstreamTokenForm::Replace(config) => config,
    };
    let written = config.algorithm.and_then(|algorithm| Algorithm::from_name(algorithm.name()));
    let (key, algorithm) = match (&config.secret, &config.private_key) {
        (Some(secret), None) => (secret.clone(), written.unwrap_or(Algorithm::Hs256)),
        (None, Some(key)) => match written.map_or_else(|| SigningKey::usual_algorithm(key.expose()), Ok) {
            Ok(algorithm) => (key.clone(), algorithm),
            Err(error) => {
                findings.push(unsigned(format!("the key cannot sign: {error}")).at(document.span_at(path)));
                return UpstreamTokenPlan::Strip;
            }
        },
        _ => {
            let finding = Finding::error("signing-key", "write exactly one of `secret` and `private_key`");
            findings.push(finding.at(document.span_at(path)));
            return UpstreamTokenPlan::Strip;
        }
    };
    if config.lifetime.is_zero() {
        let finding = Finding::error("zero-deadline", "a token that ends at once is taken by no service");
        findings
            .push(finding.at(document.span_at(&path.key("lifetime"))).help("write a length such as `1m`"));
    }
    let mint = MintPlan {
        key,
        algorithm,
        key_id: config.key_id.clone(),
        issuer: config.issuer.clone(),
        audience: config.audience.clone(),
        lifetime: config.lifetime,
    };
    let both = config.secret.is_some() != algorithm.is_symmetric();
    let why = match mint.signing_key() {
        _ if both => Some(String::new()),
        Err(error) => Some(format!(": {error}")),
        Ok(_) => None,
    };
    if let Some(why) = why {
        let finding = unsigned(format!("the key cannot sign with {algorithm}{why}"));
        findings.push(finding.at(document.span_at(path)));
    } else if let Some(secret) = &config.secret {
        let short = keys::short_secret(secret.expose().len(), algorithm.least_secret());
        findings.extend(short.map(|finding| finding.at(document.span_at(&path.key("secret")))));
    }
    UpstreamTokenPlan::Replace(mint)
}

fn unsigned(message: String) -> Finding {
    let help = "a private key is PKCS#8 in PEM, as `openssl genpkey` makes it, or `openssl pkcs8 -topk8 -nocrypt` of another";
    Finding::error("signing-key", message).help(help)
}
