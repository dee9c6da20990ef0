//! Routes that get in each other's way, each with a request that shows it.

use torana_config::{Document, Finding, Path};
use torana_route::{RouteFinding, RouteSpec, analyze};

use crate::plan::Plan;

/// More than this would bury the rest.
const SHOWN: usize = 100;

pub(super) fn lint(document: &Document, plan: &Plan, findings: &mut Vec<Finding>) {
    let specs: Vec<RouteSpec> = plan.routes.iter().map(|route| route.matching.clone()).collect();
    let name = |index: usize| plan.routes.get(index).map_or("", |route| &*route.name);
    let path = |index: usize| {
        let place = plan.routes.get(index).map_or(0, |route| route.index);
        document.span_at(&Path::root().key("routes").index(place).key("path"))
    };
    for found in analyze(&specs).into_iter().take(SHOWN) {
        let (finding, place, other, example) = match found {
            RouteFinding::Conflict(conflict) => {
                let (code, message) = if conflict.duplicate {
                    ("duplicate-route", "takes the same requests as")
                } else {
                    ("ambiguous-route", "takes some requests that are taken as well by")
                };
                let message = format!(
                    "`{}` {message} `{}`, and neither comes first",
                    name(conflict.second),
                    name(conflict.first)
                );
                (Finding::error(code, message), conflict.second, conflict.first, conflict.example)
            }
            RouteFinding::Shadowed { route, by, example } => {
                let message = format!(
                    "`{}` is never used: `{}` comes first for all its requests",
                    name(route),
                    name(by)
                );
                (Finding::warning("shadowed-route", message), route, by, example)
            }
        };
        let remedy = "remove one, or tell them apart by method, header, query or `priority`";
        let help =
            example.map_or_else(|| remedy.to_owned(), |example| format!("for example {example}\n{remedy}"));
        findings.push(finding.at(path(place)).help(help).related("the other route", Some(path(other))));
    }
}
