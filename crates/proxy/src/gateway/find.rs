//! Which route takes a request, and whether a service could read it as one that another route takes.
//!
//! What decides is the request as it is written. Services read it otherwise, each in its own way, so none of those
//! readings may lead past what another route asks of callers: by the method that a field asks for ([`methods`]), by the path
//! decoded or without parameters ([`spellings`]), by the path as looser services take it ([`readings`]), by one of
//! several values ([`values`]). Readings go together: each check looks at what the others leave open.

mod methods;
mod readings;
mod spellings;
mod values;

use super::view::View;
use crate::pipeline::{Pipeline, Route};
use std::ops::ControlFlow;
use torana_fault::Fault;
use torana_filters::{Filter, overriding_methods, preflight_method};
use torana_http::RequestHead;
use torana_route::Outcome;

/// Finds the route. A browser's preflight goes where the request will go that it asks about, if preflights
/// are answered there: a route that names its methods need not name OPTIONS.
///
/// # Errors
/// To a service that is less strict it would be what another route takes: it would be judged as one thing and served
/// as another.
pub(crate) fn find(pipeline: &Pipeline, request: &RequestHead) -> Result<Outcome, Fault> {
    let search = Search::begin(pipeline, request);
    search.check_methods(&search.written)?;
    search.check_spellings()?;
    search.check_readings()?;
    search.check_values(&search.written)?;
    Ok(search.found)
}

/// A request, who takes it as it is written, and what it is looked at by besides.
struct Search<'a> {
    pipeline: &'a Pipeline,
    request: &'a RequestHead,
    written: View<'a>,
    /// The methods that fields ask for in place of the request's, where these fields arrive.
    instead: Vec<Vec<u8>>,
    found: Outcome,
}

impl<'a> Search<'a> {
    fn begin(pipeline: &'a Pipeline, request: &'a RequestHead) -> Self {
        let written = View::new(request);
        let found = taken(pipeline, request, &written);
        let asked = || overriding_methods(&request.fields).filter(|method| !method.is_empty()).collect();
        let instead = if pipeline.forwards_overrides { asked() } else { Vec::new() };
        Self { pipeline, request, written, instead, found }
    }

    /// Who takes another reading of the request.
    fn taken(&self, view: &View<'_>) -> Outcome {
        taken(self.pipeline, self.request, view)
    }

    /// The route that takes the request, with its number.
    fn own(&self) -> Option<(usize, &'a Route)> {
        self.matched(&self.found)
    }

    fn matched(&self, outcome: &Outcome) -> Option<(usize, &'a Route)> {
        let Outcome::Matched { route } = outcome else { return None };
        Some((*route, self.pipeline.routes.get(*route)?))
    }

    /// Whether something is so by the view's method, or by one that a field asks for instead.
    fn any_method(&self, view: &View<'_>, is_so: impl Fn(&View<'_>) -> bool) -> bool {
        is_so(view) || self.instead.iter().any(|method| is_so(&view.with_method(method)))
    }

    /// Whether something is so of a route that a service may take which takes one of several values. Of those behind
    /// `last` none is taken: every service takes that one before.
    fn any_by_one_value(
        &self,
        view: &View<'_>,
        last: Option<usize>,
        is_so: impl Fn(usize, &Route) -> bool,
    ) -> bool {
        let mut found = false;
        self.pipeline.router.each(&view.loosely(), &mut |number| {
            found = self.pipeline.routes.get(number).is_some_and(|route| is_so(number, route));
            if found || last == Some(number) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        found
    }
}

fn taken(pipeline: &Pipeline, request: &RequestHead, view: &View<'_>) -> Outcome {
    if let Some(method) = preflight_method(request)
        && let Outcome::Matched { route } = pipeline.router.find(&view.with_method(method))
        && pipeline.routes.get(route).is_some_and(answers_preflights)
    {
        return Outcome::Matched { route };
    }
    pipeline.router.find(view)
}

fn answers_preflights(route: &Route) -> bool {
    let answers = |filter: &Filter| matches!(filter, Filter::Cors(cors) if cors.answers_preflights());
    route.filters.iter().any(answers)
}
