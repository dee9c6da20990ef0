//! Paths that are one to many services, those that decode before they look or ignore case: a route that asks who calls and
//! is written with the escape of what may stand as it is (`/%40me`) or with capitals (`/Reports`), where the other spelling
//! is served to anybody; and one for anybody of which every request is refused, because in lower case it is for one that
//! asks.

use torana_config::{Document, Finding, Path};
use torana_route::{Outcome, Router, decoded, lower_case};

use crate::plan::{Plan, RoutePlan};

/// Another spelling of a path.
struct Spelling {
    code: &'static str,
    of: fn(&[u8]) -> Option<Vec<u8>>,
    /// What to do about it, before that path and after it.
    help: (&'static str, &'static str),
}

const SPELLINGS: [Spelling; 2] = [
    Spelling {
        code: "public-unescaped",
        of: decoded,
        help: ("write `", "`: its escapes are then protected too"),
    },
    Spelling {
        code: "public-lower-case",
        of: lower_case,
        help: (
            "write `",
            "`: other cases of it are then protected too; or add a route for it that asks the same",
        ),
    },
];

pub(super) fn lint(document: &Document, plan: &Plan, findings: &mut Vec<Finding>) {
    let is_another = |route: &RoutePlan, spelling: &Spelling| {
        (spelling.of)(route.matching.path.as_str().as_bytes()).is_some()
    };
    if !plan.routes.iter().any(|route| SPELLINGS.iter().any(|spelling| is_another(route, spelling))) {
        return;
    }
    // Routes that cannot be told apart are a finding of their own.
    let Ok(router) = Router::build(plan.routes.iter().map(|route| route.matching.clone()).collect()) else {
        return;
    };
    let place =
        |route: &RoutePlan| document.span_at(&Path::root().key("routes").index(route.index).key("path"));
    // The other spelling of a request that a route takes, and who takes that.
    let taken = |route: &RoutePlan, spelling: &Spelling| {
        let mut request = route.matching.example()?;
        request.path = String::from_utf8_lossy(&(spelling.of)(request.path.as_bytes())?).into_owned();
        let Outcome::Matched { route: other } = router.find(&request) else { return None };
        Some((request.path, plan.routes.get(other)?))
    };
    for route in &plan.routes {
        for spelling in SPELLINGS.iter().filter(|spelling| is_another(route, spelling)) {
            let Some((path, other)) = taken(route, spelling) else { continue };
            let found = match (route.admits_anybody(), other.admits_anybody()) {
                (false, true) => {
                    let message = format!(
                        "`{}` asks who calls, but `{path}`, which many services take for the same, is refused to \
                         nobody for want of credentials: `{}` takes it",
                        route.name, other.name
                    );
                    let (before, after) = spelling.help;
                    Finding::warning(spelling.code, message).help(format!("{before}{path}{after}"))
                }
                (true, false) if !route.matching.path.is_exact() => {
                    let message = format!(
                        "`{}` is for anybody, but every request for it is refused: many services take `{path}` for \
                         the same, for which `{}` asks who calls",
                        route.name, other.name
                    );
                    let help = format!("add a route for anybody to `{path}` too, or write exact paths");
                    Finding::warning("public-refused", message).help(help)
                }
                _ => continue,
            };
            findings.push(found.at(place(route)).related("the route that takes it", Some(place(other))));
        }
    }
}
