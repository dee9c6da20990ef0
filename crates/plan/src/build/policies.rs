//! Which policies are in force on a route: the narrowest scope that speaks wins, `off` switches off.

use std::collections::HashMap;
use std::sync::Arc;

use torana_config::written::{JwtConfig, PoliciesConfig, RateLimitForm, RolesForm, Switch};
use torana_config::{Document, Finding, Path};

use super::text;
use crate::policy::{JwtPlan, PlannedPolicy, PolicyPlan, RateLimitPlan, RolesPlan, Scope};

/// A scope and what it says about policies.
pub(super) struct Layer<'a> {
    pub(super) scope: Scope,
    /// Where its `policies` stand.
    pub(super) path: Path,
    /// What counters written here are keyed by.
    pub(super) id: String,
    pub(super) config: &'a PoliciesConfig,
}

/// Policies that were already planned, by their place, so that routes share them and each is checked
/// once.
#[derive(Default)]
pub(super) struct Planned {
    by_path: HashMap<Path, PlannedPolicy>,
}

impl Planned {
    /// The policies in force under the layers, which go from the widest to the narrowest.
    pub(super) fn in_force(
        &mut self,
        document: &Document,
        layers: &[Layer<'_>],
        findings: &mut Vec<Finding>,
    ) -> Vec<PlannedPolicy> {
        let jwt = narrowest(layers, "jwt", |config| config.jwt.as_ref());
        let roles = narrowest(layers, "roles", |config| config.roles.as_ref());
        let limit = narrowest(layers, "rate_limit", |config| config.rate_limit.as_ref());
        let mut policies = Vec::new();
        policies.extend(jwt.map(|(layer, path, config)| {
            self.once(document, layer, path, |path| jwt_plan(document, path, config, findings))
        }));
        policies.extend(roles.map(|(layer, path, config)| {
            self.once(document, layer, path, |path| roles_plan(document, path, config, findings))
        }));
        policies.extend(limit.map(|(layer, path, config)| {
            self.once(document, layer, path, |_| limit_plan(&layer.id, config))
        }));
        policies.sort_by_key(|planned| planned.policy.phase().place());
        policies
    }

    fn once(
        &mut self,
        document: &Document,
        layer: &Layer<'_>,
        path: Path,
        plan: impl FnOnce(&Path) -> PolicyPlan,
    ) -> PlannedPolicy {
        if let Some(planned) = self.by_path.get(&path) {
            return planned.clone();
        }
        let planned =
            PlannedPolicy { policy: plan(&path), scope: layer.scope, span: document.key_span_at(&path) };
        if layer.scope != Scope::Route {
            self.by_path.insert(path, planned.clone());
        }
        planned
    }
}

fn narrowest<'a, T>(
    layers: &'a [Layer<'a>],
    name: &str,
    get: impl Fn(&'a PoliciesConfig) -> Option<&'a Switch<T>>,
) -> Option<(&'a Layer<'a>, Path, &'a T)> {
    let (layer, switch) =
        layers.iter().rev().find_map(|layer| get(layer.config).map(|switch| (layer, switch)))?;
    switch.on().map(|config| (layer, layer.path.key(name), config))
}

fn jwt_plan(document: &Document, path: &Path, config: &JwtConfig, findings: &mut Vec<Finding>) -> PolicyPlan {
    let bytes = config.secret.expose().len();
    if bytes == 0 {
        let place = document.span_at(&path.key("secret"));
        findings.push(
            Finding::error("empty-secret", "the secret is empty: anybody could sign a token").at(place),
        );
    } else if bytes < 32 {
        let place = document.span_at(&path.key("secret"));
        let finding =
            Finding::warning("short-secret", "the secret is shorter than 32 bytes and can be guessed")
                .at(place);
        findings.push(
            finding.help("HS256 asks for at least 256 bits (RFC 7518 section 3.2): `openssl rand -hex 32`"),
        );
    }
    let realm_ok = |character: char| character.is_ascii_graphic() || character == ' ';
    if !config.realm.chars().all(|character| realm_ok(character) && !matches!(character, '"' | '\\')) {
        let place = document.span_at(&path.key("realm"));
        findings.push(
            Finding::error("bad-value", "a realm holds no quotes, backslashes or control characters")
                .at(place),
        );
    }
    for (claim, field) in &config.claims_to_headers {
        text::field_name(document, &path.key("claims_to_headers").key(claim), field, findings);
    }
    let mut algorithms = config.algorithms.as_slice().to_vec();
    algorithms.dedup();
    if algorithms.is_empty() {
        let place = document.span_at(&path.key("algorithms"));
        findings.push(
            Finding::error("no-algorithm", "without an algorithm no token could be accepted").at(place),
        );
    }
    PolicyPlan::Jwt(Arc::new(JwtPlan {
        secret: config.secret.clone(),
        algorithms,
        leeway: config.leeway,
        claims_to_headers: config.claims_to_headers.clone().into_iter().collect(),
        consumer_claim: config.consumer_claim.clone(),
        roles_claim: config.roles_claim.clone(),
        realm: config.realm.clone(),
    }))
}

fn roles_plan(document: &Document, path: &Path, form: &RolesForm, findings: &mut Vec<Finding>) -> PolicyPlan {
    let config = form.config();
    let nothing = config.any.is_empty() && config.all.is_empty();
    if nothing || config.any.iter().chain(&config.all).any(String::is_empty) {
        let message = if nothing { "no role is named" } else { "a role has an empty name" };
        let finding = Finding::error("empty-roles", message).at(document.span_at(path));
        findings.push(finding.help("name a role, or write `roles: off`"));
    }
    PolicyPlan::Roles(Arc::new(RolesPlan { any: config.any, all: config.all }))
}

fn limit_plan(id: &str, form: &RateLimitForm) -> PolicyPlan {
    let config = form.config();
    PolicyPlan::RateLimit(Arc::new(RateLimitPlan {
        id: id.into(),
        limit: config.limit,
        burst: config.burst.unwrap_or(config.limit.limit()),
        by: config.by,
        max_keys: config.max_keys,
    }))
}
