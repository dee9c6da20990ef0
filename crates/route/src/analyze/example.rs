//! Makes up a request that all of some routes take.

use crate::request::ExampleRequest;
use crate::spec::RouteSpec;

/// A request that each of the routes matches. They share a host pattern and the path's shape. `None` when
/// none can be made up, as for some regular expressions.
pub(crate) fn of(specs: &[&RouteSpec]) -> Option<ExampleRequest> {
    let first = specs.first()?;
    let shared = |host: &&crate::HostPattern| specs.iter().all(|spec| spec.hosts.contains(host));
    let mut example = ExampleRequest {
        method: method(specs),
        host: first.hosts.iter().find(shared).map(crate::HostPattern::example).unwrap_or_default(),
        path: first.path.example()?,
        query: Vec::new(),
        headers: Vec::new(),
    };
    for spec in specs {
        for condition in &spec.headers {
            add(&mut example.headers, &condition.name, &condition.test);
        }
        for condition in &spec.query {
            add(&mut example.query, &condition.name, &condition.test);
        }
    }
    Some(example)
}

/// A method that all of them name, if they name any.
fn method(specs: &[&RouteSpec]) -> String {
    let mut methods = specs.iter().flat_map(|spec| &spec.methods);
    let shared = methods.find(|method| specs.iter().all(|spec| spec.methods.contains(method)));
    shared.map_or_else(|| "GET".into(), ToString::to_string)
}

/// An exact value says more than an expression, and that more than presence.
fn add(list: &mut Vec<(String, String)>, name: &str, test: &crate::ValueTest) {
    let Some(value) = test.example() else { return };
    match list.iter_mut().find(|(known, _)| known == name) {
        Some((_, known)) if matches!(test, crate::ValueTest::Exact(_)) || known == "x" => *known = value,
        Some(_) => {}
        None => list.push((name.to_owned(), value)),
    }
}
