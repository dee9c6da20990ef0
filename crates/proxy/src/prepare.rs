//! From a plan to the pipeline that serves it, taking over what the registry has of state.
//!
//! Everything that a plan can get wrong was found before; what is left here are the machine's refusals.

mod authentication;
mod filters;
mod listeners;
mod overload;
mod reserved;
mod routes;
mod settings;
mod store;
mod traffic;
mod upstreams;

use crate::demands::Demands;
use crate::pipeline::Pipeline;
use crate::registry::Registry;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use torana_config::written::MethodOverrides;
use torana_observe::Metrics;
use torana_plan::Plan;
use torana_route::Router;
use torana_transport::TlsError;

/// Why a plan cannot be served here and now.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The access log's file cannot be written.
    #[error("the access log cannot be written to {}", file.display())]
    AccessLog {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// TLS cannot be spoken as planned: the system has no authorities, for example.
    #[error("{what}")]
    Tls {
        /// Whose TLS.
        what: String,
        /// What is wrong with it.
        source: TlsError,
    },
    /// Two routes cannot be told apart. The plan's checks find this first, with places.
    #[error("routes are ambiguous: {0}")]
    Routes(String),
}

/// Makes a plan ready to serve. Nothing that serves now is disturbed, whatever comes of it: what takes the place of
/// something in the registry does so when all is prepared.
///
/// # Errors
/// See [`PrepareError`].
pub fn prepare(
    plan: &Plan,
    registry: &mut Registry,
    metrics: &Arc<Metrics>,
) -> Result<Pipeline, PrepareError> {
    registry.begin();
    let settings = &plan.settings;
    let failures = authentication::limit_failures(settings, registry);
    let access_log = settings::access_log(settings, registry, metrics)?;
    let specs = plan.routes.iter().map(|route| route.matching.clone()).collect();
    let router = Router::build(specs).map_err(|conflicts| {
        let conflicts: Vec<String> = conflicts.iter().map(|conflict| format!("{conflict:?}")).collect();
        PrepareError::Routes(conflicts.join("; "))
    })?;
    let credentials = reserved::credential_fields(plan);
    let upstreams = plan
        .services
        .iter()
        .map(|service| upstreams::upstream(service, &credentials, registry))
        .collect::<Result<_, _>>()?;
    let store = store::store(settings, registry);
    let mut limiters = filters::Limiters::over(store.clone(), failures.clone());
    let demands = Demands::of_all(&plan.routes);
    let routes = plan.routes.iter().zip(demands);
    let routes = routes
        .map(|(route, demands)| routes::route(route, demands, plan, registry, metrics, &mut limiters))
        .collect();
    let guarded = || plan.routes.iter().filter(|route| route.is_guarded());
    let ends_with_slash = |route: &torana_plan::RoutePlan| route.matching.path.as_str().ends_with('/');
    let listeners = settings.listen.iter().map(|listener| listeners::listener(listener, registry));
    let mut pipeline = Pipeline {
        listeners: listeners.collect::<Result<_, _>>()?,
        server: settings::server(settings),
        overload: overload::rules(settings),
        paths: settings::paths(settings),
        trusted_proxies: settings.trusted_proxies.clone(),
        forwarded: settings::forwarded(settings),
        request_id: settings::request_id(settings),
        reserved_fields: reserved::fields(plan),
        reserved_for_trusted: reserved::fields_for_trusted(plan),
        reserved_trailers: reserved::trailers(plan),
        login_cookies: filters::login_cookies(plan),
        router,
        forwards_overrides: settings.method_overrides == MethodOverrides::Forward,
        guards_slashes: guarded().any(ends_with_slash),
        guards_values: guarded().any(|route| route.matching.asks_for_values()),
        routes,
        of_answers: filters::of_answers(plan),
        upstreams,
        endpoints: HashMap::new(),
        limiters: limiters.all,
        store,
        access_log: access_log.as_ref().map(|(_, log)| log.clone()),
        chores: registry.chores().cloned(),
    };
    let endpoints = pipeline.upstreams.iter().flat_map(|upstream| &upstream.endpoints);
    pipeline.endpoints = endpoints.map(|each| (each.number, Arc::clone(&each.endpoint))).collect();
    (registry.failures, registry.access_log) = (failures, access_log);
    succeed(&pipeline, registry);
    registry.sweep();
    Ok(pipeline)
}

/// What is found by its name alone is this pipeline's from now on.
fn succeed(pipeline: &Pipeline, registry: &mut Registry) {
    for upstream in &pipeline.upstreams {
        registry.upstreams.keep(Arc::clone(&upstream.name), upstream);
    }
    for limiter in &pipeline.limiters {
        registry.limiters.keep(filters::limiter_key(&limiter.plan), &limiter.state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use torana_config::FixedResolver;
    use torana_config::written::TlsVersion;
    use torana_plan::{ClientAuthPlan, ListenerTlsPlan, load_with};

    fn plan(endpoints: &str, rest: &str) -> Plan {
        let text = format!(
            "{rest}
services:
  a: {{ endpoints: [{endpoints}], health: {{ slow_start: 1h, ejection: {{ failures: 5 }} }} }}
routes: [{{ path: /, service: a }}]
"
        );
        let loaded = load_with("test.yaml", &text, &FixedResolver::default(), None);
        loaded.plan.unwrap_or_else(|| panic!("{:?}", loaded.findings))
    }

    #[test]
    fn a_plan_that_cannot_be_served_leaves_everything_as_it_was() {
        let (mut registry, metrics) = (Registry::default(), Metrics::new());
        let rest = "access_log: off\nlimits: { failed_credentials: 5/minute }";
        let one = "\"http://127.0.0.1:1\"";
        let serving = prepare(&plan(one, rest), &mut registry, &metrics).unwrap();
        let failures = registry.failures.clone().unwrap().1;

        let rest_of_another = "limits: { failed_credentials: 6/minute }";
        let mut fails = plan(one, rest_of_another);
        let nobody = ClientAuthPlan { authorities: Vec::new(), required: true, headers: Default::default() };
        fails.settings.listen[0].tls = Some(Arc::new(ListenerTlsPlan {
            certificates: Vec::new(),
            min_version: TlsVersion::Tls12,
            client_auth: Some(Arc::new(nobody)),
            strict_host: false,
        }));
        assert!(matches!(prepare(&fails, &mut registry, &metrics), Err(PrepareError::Tls { .. })));
        assert!(Arc::ptr_eq(&registry.failures.as_ref().unwrap().1, &failures));
        assert!(registry.access_log().is_none());
        let upstream = registry.upstreams.get(&serving.upstreams[0].name).unwrap();
        assert!(Arc::ptr_eq(&upstream, &serving.upstreams[0]));

        // A new endpoint is known to be one, and begins slowly.
        let two = format!("{one}, \"http://127.0.0.1:2\"");
        let next = prepare(&plan(&two, rest), &mut registry, &metrics).unwrap();
        let panel = &next.upstreams[0].health.as_ref().unwrap().panel;
        let now = torana_transport::nanos_since_start();
        let of_a_thousand = |index| (0..1_000).filter(|random| panel.serves(index, now, *random)).count();
        assert_eq!(of_a_thousand(0), 1_000);
        assert!(of_a_thousand(1) < 300, "{}", of_a_thousand(1));
    }
}
