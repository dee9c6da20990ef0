//! Names of routes: those that were written, and readable ones for the rest.

use std::collections::HashMap;
use std::sync::Arc;

use torana_config::written::{OneOrMany, RouteConfig};
use torana_config::{Document, Finding, Path};

/// A name for every route, each once. Names that were written come first and keep their text; a route
/// without one is called by its methods and path, then also by its host, then by a number.
pub(super) fn names(
    document: &Document,
    routes: &[RouteConfig],
    findings: &mut Vec<Finding>,
) -> Vec<Arc<str>> {
    let mut taken: HashMap<String, usize> = HashMap::new();
    for (index, name) in
        routes.iter().enumerate().filter_map(|(index, route)| Some((index, route.name.as_ref()?)))
    {
        let place = |index: usize| document.span_at(&Path::root().key("routes").index(index).key("name"));
        if name.is_empty() || name.chars().any(char::is_control) {
            let message = "the name of a route is not empty and holds no control characters";
            findings.push(Finding::error("bad-name", message).at(place(index)));
        }
        if let Some(earlier) = taken.get(name) {
            let finding = Finding::error("duplicate-name", "two routes have this name").at(place(index));
            findings.push(finding.related("first here", Some(place(*earlier))));
            continue;
        }
        taken.insert(name.clone(), index);
    }
    let mut names = Vec::with_capacity(routes.len());
    for (index, route) in routes.iter().enumerate() {
        let name = match &route.name {
            Some(name) => name.clone(),
            None => free_name(route, &taken),
        };
        taken.entry(name.clone()).or_insert(index);
        names.push(name.into());
    }
    names
}

fn free_name(route: &RouteConfig, taken: &HashMap<String, usize>) -> String {
    let methods = route.methods.as_ref().map(OneOrMany::as_slice).unwrap_or_default();
    let short =
        if methods.is_empty() { route.path.clone() } else { format!("{} {}", methods.join(","), route.path) };
    let hosts = route.host.as_ref().map(OneOrMany::as_slice).unwrap_or_default();
    let long = if hosts.is_empty() { short.clone() } else { format!("{short} @{}", hosts.join(",")) };
    let numbered = (2u64..).map(|number| format!("{long} #{number}"));
    let mut candidates = [short, long.clone()].into_iter().chain(numbered);
    candidates.find(|name| !taken.contains_key(name)).unwrap_or(long)
}
