//! A route that asks who calls and is written with the escape of what may stand as it is (`/%40me`), where the path with
//! the character itself is served to anybody: services that decode before they look read one path in both.

use torana_config::{Document, Finding, Path};
use torana_route::{Outcome, Router, decoded};

use crate::plan::{Plan, RoutePlan};

pub(super) fn lint(document: &Document, plan: &Plan, findings: &mut Vec<Finding>) {
    let escaped = |route: &&RoutePlan| {
        !route.admits_anybody() && decoded(route.matching.path.as_str().as_bytes()).is_some()
    };
    let mut guarded = plan.routes.iter().filter(escaped).peekable();
    if guarded.peek().is_none() {
        return;
    }
    // Routes that cannot be told apart are a finding of their own.
    let Ok(router) = Router::build(plan.routes.iter().map(|route| route.matching.clone()).collect()) else {
        return;
    };
    let place =
        |route: &RoutePlan| document.span_at(&Path::root().key("routes").index(route.index).key("path"));
    for route in guarded {
        let Some(mut request) = route.matching.example() else { continue };
        let Some(read) = decoded(request.path.as_bytes()) else { continue };
        request.path = String::from_utf8_lossy(&read).into_owned();
        let Outcome::Matched { route: other } = router.find(&request) else { continue };
        let Some(other) = plan.routes.get(other).filter(|other| other.admits_anybody()) else { continue };
        let message = format!(
            "`{}` asks who calls, but `{}`, which many services take for the same, is refused to nobody for want of \
             credentials: `{}` takes it",
            route.name, request.path, other.name
        );
        findings.push(
            Finding::warning("public-unescaped", message)
                .at(place(route))
                .help(format!("write `{}`: its escapes are then protected too", request.path))
                .related("the route that takes it", Some(place(other))),
        );
    }
}
