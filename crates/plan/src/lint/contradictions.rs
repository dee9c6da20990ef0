//! What of a service can never happen, because something else ends or forbids it first.

use torana_config::written::{EjectionConfig, FailuresConfig, PoolConfig, RetriesConfig, Switch};
use torana_config::{Document, Finding, Path};
use torana_types::TimeSpan;

use crate::plan::{Action, Plan, ServicePlan, UpstreamTimeouts};

pub(super) fn lint(document: &Document, plan: &Plan, findings: &mut Vec<Finding>) {
    let written = &document.config().services;
    for service in plan.services.iter().filter(|service| written.contains_key(&*service.name)) {
        let path = Path::root().key("services").key(&service.name);
        let mut odd = Odd { document, findings };
        pool(&mut odd, &path.key("pool"), &service.pool);
        retries(&mut odd, &path.key("retries"), service);
        breaker(&mut odd, &path.key("breaker"), service);
        health(&mut odd, &path.key("health"), service);
        ends(&mut odd, None, &path, service, &service.timeouts);
    }
    for route in &plan.routes {
        let Action::Forward { service, timeouts, .. } = &route.action else { continue };
        let Some(service) = plan.service(*service) else { continue };
        if timeouts.total != service.timeouts.total || timeouts.first_byte != service.timeouts.first_byte {
            let path = Path::root().key("services").key(&service.name);
            let route = Path::root().key("routes").index(route.index).key("timeouts");
            ends(&mut Odd { document, findings }, Some(&route), &path, service, timeouts);
        }
    }
}

/// Gathers findings.
struct Odd<'a> {
    document: &'a Document,
    findings: &'a mut Vec<Finding>,
}

impl Odd<'_> {
    fn find(&mut self, path: &Path, message: impl Into<String>, help: &str) {
        let finding = Finding::warning("never-happens", message).at(self.document.span_at(path)).help(help);
        // Routes that share a service say it once.
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }
}

/// What the deadlines of a service, or those of a route to it, end before it happens.
fn ends(
    odd: &mut Odd<'_>,
    route: Option<&Path>,
    path: &Path,
    service: &ServicePlan,
    timeouts: &UpstreamTimeouts,
) {
    let retries = &service.retries;
    let own = path.key("retries");
    let place = |path: Path| route.cloned().unwrap_or(path);
    let try_ends = retries.per_try_timeout.unwrap_or(timeouts.first_byte);
    if let Some(hedge) = retries.hedge.as_ref().filter(|hedge| !hedge.after.is_zero()) {
        let after = hedge.after;
        let place = place(own.key("hedge").key("after"));
        match timeouts.total {
            Some(total) if after >= total => {
                let message = format!(
                    "no other endpoint is ever asked: `hedge.after` is {after}, and after `total`, {total}, the request is over"
                );
                odd.find(
                    &place,
                    message,
                    "make `after` much shorter: some 95 % of answers should come before it",
                );
            }
            _ if after >= try_ends => {
                let message = format!(
                    "no other endpoint is ever asked: `hedge.after` is {after}, and after {try_ends} without an answer the try is over"
                );
                odd.find(&place, message, "make `after` shorter than `per_try_timeout` and `first_byte`");
            }
            _ => {}
        }
    }
    let Some(total) = timeouts.total else { return };
    if let Some(one) = retries.per_try_timeout.filter(|one| *one > total) {
        let message = format!(
            "`per_try_timeout`, {one}, never ends a try: after `total`, {total}, the request is over"
        );
        odd.find(&place(own.key("per_try_timeout")), message, "make it shorter than `total`");
    }
}

fn pool(odd: &mut Odd<'_>, path: &Path, pool: &PoolConfig) {
    let default = PoolConfig::default();
    if let Some(age) = pool.max_age.on().filter(|age| pool.idle_timeout > **age)
        && pool.idle_timeout != default.idle_timeout
    {
        let message =
            format!("no connection is unused for so long: after `max_age`, {age}, it is not used again");
        odd.find(&path.key("idle_timeout"), message, "make `idle_timeout` shorter than `max_age`");
    }
}

fn retries(odd: &mut Odd<'_>, path: &Path, service: &ServicePlan) {
    let (retries, default) = (&service.retries, RetriesConfig::default());
    if retries.attempts.get() == 1 {
        let options = [
            ("on", retries.on != default.on && !retries.on.is_empty()),
            ("methods", retries.methods != default.methods),
            ("idempotency_key", retries.idempotency_key.is_some()),
            ("backoff", retries.backoff != default.backoff),
            ("budget", retries.budget != default.budget && retries.budget.on().is_some()),
        ];
        for (key, _) in options.into_iter().filter(|(_, given)| *given) {
            let message = format!("nothing is tried again with `attempts: 1`, so `{key}` says nothing");
            odd.find(&path.key(key), message, "write `attempts: 2` or more, or remove it");
        }
        return;
    }
    if let Switch::On(budget) = &retries.budget
        && budget.share.is_zero()
        && budget.minimum == 0
    {
        let help = "give `share` or `minimum` a value, or write `attempts: 1`";
        odd.find(&path.key("budget"), "nothing is ever tried again: the budget is nothing", help);
    }
    let hedges = retries.hedge.as_ref().is_some_and(|hedge| !hedge.after.is_zero());
    if hedges && service.endpoints.iter().filter(|one| one.weight > 0).count() < 2 {
        let message = "no other endpoint is ever asked: the service has no second one";
        odd.find(&path.key("hedge"), message, "add endpoints, or remove `hedge`");
    }
}

fn breaker(odd: &mut Odd<'_>, path: &Path, service: &ServicePlan) {
    let window = service.breaker.as_ref().and_then(|breaker| breaker.window.as_ref());
    let ends = service.retries.per_try_timeout.unwrap_or(service.timeouts.first_byte);
    if let Some(slow) = window.and_then(|window| window.slow_after).filter(|slow| *slow >= ends) {
        let message =
            format!("no answer is ever slow: after {ends} it is a timeout, and slow only after {slow}");
        let help = "make `slow_after` shorter than `per_try_timeout` and `first_byte`";
        odd.find(&path.key("window").key("slow_after"), message, help);
    }
}

fn health(odd: &mut Odd<'_>, path: &Path, service: &ServicePlan) {
    let Some(health) = &service.health else { return };
    if let Some(probes) = &health.probes {
        let path = path.key("probes");
        let often = [probes.interval, probes.unhealthy_interval].into_iter().flatten().min();
        if let Some(interval) = often.filter(|interval| probes.timeout > *interval) {
            let timeout = probes.timeout;
            let message =
                format!("an answer may take {timeout}, and the next question is due after {interval}");
            odd.find(&path.key("timeout"), message, "make `timeout` shorter than the intervals");
        }
        if counts_nothing(probes.unhealthy_after) {
            let message = "no failure is counted: no endpoint is ever taken out of service";
            odd.find(&path.key("unhealthy_after"), message, "give one of the kinds a number");
        }
    }
    let (panic, down) = (health.panic_below, health.down_at);
    if !panic.is_zero() && panic <= down {
        let message = format!("all endpoints are never asked: at {down} in service or less nobody is");
        odd.find(&path.key("panic_below"), message, "make `panic_below` more than `down_at`, or remove one");
    }
    if let Some(ejection) = &health.ejection {
        eject(odd, &path.key("ejection"), ejection);
    }
}

fn eject(odd: &mut Odd<'_>, path: &Path, ejection: &EjectionConfig) {
    if counts_nothing(ejection.failures.each()) {
        let message = "no failure is counted: no endpoint is ever ejected";
        odd.find(&path.key("failures"), message, "give one of the kinds a number");
    }
    let first = ejection.eject_for.on().copied().unwrap_or(TimeSpan::ZERO);
    if first > ejection.at_most {
        let message = format!("no ejection lasts so long: `at_most` is {}", ejection.at_most);
        odd.find(&path.key("for"), message, "make `for` at most as long as `at_most`");
    }
}

fn counts_nothing(failures: FailuresConfig) -> bool {
    failures == FailuresConfig::default()
}
