//! A route that asks who calls and takes one path only, where what lies below that path is served to anybody: people
//! who come from prefixes expect `/admin` to hold `/admin/users`.

use torana_config::{Document, Finding, Path};
use torana_route::{Outcome, Router, SegmentKind};

use crate::admission::Anybody;
use crate::plan::{Plan, RoutePlan};

pub(super) fn lint(document: &Document, plan: &Plan, findings: &mut Vec<Finding>) {
    let ends = |route: &&RoutePlan| {
        let path = &route.matching.path;
        !route.admits_anybody()
            && path.kinds().last() == Some(SegmentKind::End)
            && !path.as_str().ends_with('/')
    };
    let mut guarded = plan.routes.iter().filter(ends).peekable();
    if guarded.peek().is_none() || !plan.routes.iter().any(RoutePlan::admits_anybody) {
        return;
    }
    // Routes that cannot be told apart are a finding of their own.
    let Ok(router) = Router::build(plan.routes.iter().map(|route| route.matching.clone()).collect()) else {
        return;
    };
    let place =
        |route: &RoutePlan| document.span_at(&Path::root().key("routes").index(route.index).key("path"));
    for route in guarded {
        let Some(mut below) = route.matching.example() else { continue };
        below.path.push_str("/x");
        let Outcome::Matched { route: other } = router.find(&below) else { continue };
        let Some(other) = plan.routes.get(other) else { continue };
        let is = match other.anybody() {
            None => continue,
            Some(Anybody::Unasked) => "public",
            Some(Anybody::TakenFor(_) | Anybody::WithoutAnswerOf(_)) => {
                "refused to nobody for want of credentials"
            }
        };
        let message = format!(
            "`{}` asks who calls, but what lies below it (`{}`) is {is}: `{}` takes it",
            route.name, below.path, other.name
        );
        let help = format!(
            "write the path as `{}/*` if what lies below it is to be protected too",
            route.matching.path.as_str()
        );
        findings.push(
            Finding::note("public-below", message)
                .at(place(route))
                .help(help)
                .related("the route that takes it", Some(place(other))),
        );
    }
}
