//! Which policies are in force on a route: the narrowest scope that speaks wins, `off` switches off.

use super::access;
use std::collections::{BTreeSet, HashMap};
use std::slice;
use std::sync::Arc;

use torana_config::written::{PoliciesConfig, RateLimitForm, Switch};
use torana_config::{Document, Finding, Path, Resolver};

use torana_credential::directory::Consumers;
use torana_types::ServiceId;

use crate::plan::ServicePlan;
use crate::policy::asked::Services;
use crate::policy::{PlannedPolicy, PolicyPlan, Scope};
use crate::policy::{
    acl, allow_if, basic_auth, bot_detection, correlation_id, cors, csrf, forward_auth, hmac_auth,
    ip_restriction, jwt, key_auth, mtls_auth, oauth2_introspection, oidc_login, rate_limit, request_size,
    required_headers, roles, security_headers, sigv4, terminate,
};

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
pub(super) struct Planned<'a> {
    by_path: HashMap<Path, PlannedPolicy>,
    consumers: Arc<Consumers>,
    services: Arc<Services>,
    resolver: &'a dyn Resolver,
}

impl<'a> Planned<'a> {
    /// Nothing is planned yet; policies know these consumers and services, and read files by `resolver`.
    pub(super) fn new(
        consumers: &Arc<Consumers>,
        services: &[ServicePlan],
        resolver: &'a dyn Resolver,
    ) -> Self {
        let services = services.iter().enumerate();
        let services = services
            .filter_map(|(index, service)| Some((Arc::clone(&service.name), ServiceId::new(index)?)))
            .collect();
        Self {
            by_path: HashMap::new(),
            consumers: Arc::clone(consumers),
            services: Arc::new(services),
            resolver,
        }
    }

    /// The policies in force under the layers, which go from the widest to the narrowest.
    #[expect(clippy::too_many_lines, reason = "a table: a line a policy")]
    pub(super) fn in_force(
        &mut self,
        document: &Document,
        layers: &[Layer<'_>],
        findings: &mut Vec<Finding>,
    ) -> Vec<PlannedPolicy> {
        let mut policies = Vec::new();
        macro_rules! plan {
            ($field:ident, |$layer:ident, $path:ident, $config:ident| $plan:expr) => {
                if let Some(($layer, path, $config)) =
                    narrowest(layers, stringify!($field), |config| config.$field.as_ref())
                {
                    policies.push(self.once(document, $layer, path, |$path| $plan));
                }
            };
        }
        plan!(correlation_id, |layer, path, config| correlation_id::plan(document, path, config, findings));
        plan!(security_headers, |layer, path, config| security_headers::plan(
            document, path, config, findings
        ));
        plan!(cors, |layer, path, config| cors::plan(document, path, config, findings));
        plan!(ip_restriction, |layer, path, config| ip_restriction::plan(document, path, config, findings));
        plan!(request_size, |layer, path, config| request_size::plan(document, path, config, findings));
        plan!(required_headers, |layer, path, config| required_headers::plan(
            document, path, config, findings
        ));
        plan!(bot_detection, |layer, path, config| bot_detection::plan(document, path, config, findings));
        plan!(csrf, |layer, path, config| csrf::plan(document, path, config, findings));
        let consumers = Arc::clone(&self.consumers);
        plan!(jwt, |layer, path, config| jwt::plan(document, path, config, &consumers, findings));
        plan!(key_auth, |layer, path, config| key_auth::plan(
            document,
            path,
            &config.config(),
            &consumers,
            findings
        ));
        plan!(basic_auth, |layer, path, config| {
            basic_auth::plan(document, path, &config.config(), &consumers, findings)
        });
        plan!(hmac_auth, |layer, path, config| hmac_auth::plan(
            document,
            path,
            &config.config(),
            &consumers,
            findings
        ));
        plan!(sigv4, |layer, path, config| sigv4::plan(
            document,
            path,
            &config.config(),
            &consumers,
            findings
        ));
        let (services, resolver) = (Arc::clone(&self.services), self.resolver);
        plan!(mtls_auth, |layer, path, config| {
            mtls_auth::plan(document, path, config, (&consumers, resolver), findings)
        });
        plan!(oauth2_introspection, |layer, path, config| {
            oauth2_introspection::plan(document, path, config, (&consumers, &services), findings)
        });
        // After those by which a client shows something: who does is not sent to log in.
        plan!(oidc_login, |layer, path, config| oidc_login::plan(document, path, config, findings));
        // After the others: it costs most, and its refusal says most to a browser.
        plan!(forward_auth, |layer, path, config| {
            forward_auth::plan(document, path, config, (&consumers, &services), findings)
        });
        plan!(roles, |layer, path, config| roles::plan(document, path, config, findings));
        plan!(acl, |layer, path, config| acl::plan(document, path, config, findings));
        plan!(allow_if, |layer, path, config| allow_if::plan(document, path, config, findings));
        plan!(rate_limit, |layer, path, config| rate_limit::plan(
            document, path, &layer.id, config, resolver, findings
        ));
        for name in limit_names(layers) {
            if let Some((layer, path, form)) = named_limit(layers, name) {
                let id = format!("{}#{name}", layer.id);
                let plan = |path: &Path| rate_limit::plan(document, path, &id, form, resolver, findings);
                policies.push(self.once(document, layer, path, plan));
            }
        }
        plan!(terminate, |layer, path, config| terminate::plan(document, path, config, findings));
        access::apply(document, layers, &mut policies, findings);
        policies.sort_by_key(|planned| planned.policy.phase().place());
        policies
    }

    /// What one scope says of answers, whatever is called, in the order in which requests meet it.
    pub(super) fn of_answers(
        &mut self,
        document: &Document,
        layer: &Layer<'_>,
        findings: &mut Vec<Finding>,
    ) -> Vec<PlannedPolicy> {
        let layers = slice::from_ref(layer);
        let mut policies = Vec::new();
        if let Some((layer, path, form)) =
            narrowest(layers, "correlation_id", |config| config.correlation_id.as_ref())
        {
            let plan = |path: &Path| correlation_id::plan(document, path, form, findings);
            policies.push(self.once(document, layer, path, plan));
        }
        if let Some((layer, path, form)) =
            narrowest(layers, "security_headers", |config| config.security_headers.as_ref())
        {
            let plan = |path: &Path| security_headers::plan(document, path, form, findings);
            policies.push(self.once(document, layer, path, plan));
        }
        if let Some((layer, path, form)) = narrowest(layers, "cors", |config| config.cors.as_ref()) {
            let plan = |path: &Path| cors::plan(document, path, form, findings);
            policies.push(self.once(document, layer, path, plan));
        }
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

/// The names of all limits that a layer names, in the order of the alphabet.
fn limit_names<'a>(layers: &'a [Layer<'a>]) -> BTreeSet<&'a str> {
    let on = layers.iter().filter_map(|layer| layer.config.rate_limits.as_ref().and_then(Switch::on));
    on.flat_map(|limits| limits.0.keys().map(String::as_str)).collect()
}

/// A named limit: the narrowest layer that says something of it, or of all.
fn named_limit<'a>(layers: &'a [Layer<'a>], name: &str) -> Option<(&'a Layer<'a>, Path, &'a RateLimitForm)> {
    for layer in layers.iter().rev() {
        let Some(limits) = &layer.config.rate_limits else { continue };
        let said = limits.on()?;
        if let Some(switch) = said.0.get(name) {
            return switch.on().map(|form| (layer, layer.path.key("rate_limits").key(name), form));
        }
    }
    None
}
