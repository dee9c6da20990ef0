//! Routes: names, conditions, what happens in the end, policies in force.

mod action;
mod elsewhere;
mod matching;
mod names;
mod traffic;

pub(super) use action::respond_action;

use std::collections::HashMap;
use std::sync::Arc;

use torana_config::written::RouteConfig;
use torana_config::{Document, Finding, Path, Resolver, did_you_mean};
use torana_credential::directory::Consumers;
use torana_types::ServiceId;

use super::access;
use super::authentication;
use super::policies::{Layer, Planned};
use crate::plan::{Action, RoutePlan, ServicePlan};
use crate::policy::{PlannedPolicy, PolicyPlan, Scope};

/// Services by name.
type Services<'a> = HashMap<&'a str, ServiceId>;

pub(super) fn routes(
    document: &Document,
    services: &[ServicePlan],
    consumers: &Arc<Consumers>,
    resolver: &dyn Resolver,
    findings: &mut Vec<Finding>,
) -> (Vec<RoutePlan>, Vec<PlannedPolicy>) {
    let ids: Services<'_> = services
        .iter()
        .enumerate()
        .filter_map(|(index, service)| Some((&*service.name, ServiceId::new(index)?)))
        .collect();
    let routes = &document.config().routes;
    let names = names::names(document, routes, findings);
    let mut planned = Planned::new(consumers, services, resolver);
    let mut plans = Vec::with_capacity(routes.len());
    let mut public = Vec::with_capacity(routes.len());
    for (index, (config, name)) in routes.iter().zip(names).enumerate() {
        let path = Path::root().key("routes").index(index);
        let matching = matching::matching(document, &path, config, findings);
        let service = service(document, &path, config, &ids, findings);
        let action = action::action(document, &path, config, service, findings);
        let traffic = traffic::traffic(document, &path, config, &ids, findings);
        let layers =
            layers(document, &path, config, config.service.as_ref().filter(|_| service.is_some()), &name);
        let mut policies = planned.in_force(document, &layers, findings);
        let authentication = authentication::group(document, &layers, consumers, &mut policies, findings);
        let here =
            elsewhere::Here { path: &path, config, name: &name, policies: &policies, group: &authentication };
        elsewhere::check(document, &here, &mut planned, consumers, findings);
        let says_who = |planned: &PlannedPolicy| matches!(planned.policy, PolicyPlan::Authentication(_));
        let protected = policies.iter().any(says_who);
        let span = document.span_at(&path);
        // Without a path it takes nothing; the finding keeps the plan from being served.
        let Some(matching) = matching else { continue };
        public.push(access::is_said_public(&layers));
        plans.push(RoutePlan {
            name,
            index,
            matching,
            action,
            importance: config.importance,
            traffic,
            policies,
            authentication,
            protected,
            span,
        });
    }
    access::protect(document, &mut plans, &public, findings);
    let of_answers = planned.of_answers(document, &global(document), findings);
    (plans, of_answers)
}

/// The scope of the whole file.
fn global(document: &Document) -> Layer<'_> {
    Layer {
        scope: Scope::Global,
        path: Path::root().key("policies"),
        id: "global".into(),
        config: &document.config().policies,
    }
}

/// The scopes of a route that leads to the service, the widest first.
fn layers<'a>(
    document: &'a Document,
    path: &Path,
    config: &'a RouteConfig,
    service: Option<&String>,
    name: &Arc<str>,
) -> Vec<Layer<'a>> {
    let root = document.config();
    let mut layers = vec![global(document)];
    if let Some((service, service_config)) = service.and_then(|name| root.services.get_key_value(name)) {
        layers.push(Layer {
            scope: Scope::Service,
            path: Path::root().key("services").key(service).key("policies"),
            id: format!("service/{service}"),
            config: &service_config.policies,
        });
    }
    layers.push(Layer {
        scope: Scope::Route,
        path: path.key("policies"),
        id: format!("route/{name}"),
        config: &config.policies,
    });
    layers
}

fn service(
    document: &Document,
    path: &Path,
    config: &RouteConfig,
    services: &Services<'_>,
    findings: &mut Vec<Finding>,
) -> Option<ServiceId> {
    let name = config.service.as_deref()?;
    let id = services.get(name).copied();
    if id.is_none() {
        let shown = document.source().shown_at(&document.span_at(&path.key("service")));
        let finding = Finding::error("unknown-service", format!("there is no service {shown}"));
        let help = did_you_mean(name, services.keys().copied());
        findings.push(finding.at(document.span_at(&path.key("service"))).maybe_help(help));
    }
    id
}

/// What stands for an action that could not be planned; such a plan is never served.
fn nothing() -> Action {
    Action::Respond { status: 500, headers: Vec::new(), body: Arc::new([]) }
}
