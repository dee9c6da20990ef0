//! Which policies are in force on a route: the narrowest scope that speaks wins, `off` switches off.

use super::access;
use std::collections::HashMap;

use torana_config::written::{PoliciesConfig, Switch};
use torana_config::{Document, Finding, Path};

use crate::policy::{PlannedPolicy, PolicyPlan, Scope};
use crate::policy::{
    acl, allow_if, bot_detection, cors, csrf, ip_restriction, jwt, rate_limit, request_size,
    required_headers, roles, security_headers,
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
        plan!(jwt, |layer, path, config| jwt::plan(document, path, config, findings));
        plan!(roles, |layer, path, config| roles::plan(document, path, config, findings));
        plan!(acl, |layer, path, config| acl::plan(document, path, config, findings));
        plan!(allow_if, |layer, path, config| allow_if::plan(document, path, config, findings));
        plan!(rate_limit, |layer, _path, config| rate_limit::plan(&layer.id, config));
        access::apply(document, layers, &mut policies, findings);
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
