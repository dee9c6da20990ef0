//! The path as services read it that are looser than the router: `/admin/`, `/ADMIN`, `/admin.`, `/x%2Fadmin`.

use super::Search;
use crate::gateway::view::View;
use crate::pipeline::Route;
use torana_fault::{Fault, Reason};
use torana_route::any_looser;

impl Search<'_> {
    /// What a route takes must not be, for a service that is less strict, what another route takes that asks something
    /// else of who calls: `/admin/` beside `/admin`. That is so for one that refuses nobody for want of credentials, and
    /// for one that asks less than a more specific one. A route that is written for just this path is meant for it.
    pub(super) fn check_readings(&self) -> Result<(), Fault> {
        let Some((number, own)) = self.own().filter(|(_, own)| !own.exact && own.demands.may_lack()) else {
            return Ok(());
        };
        let leads = |other: usize, route: &Route| {
            own.demands.lack(&route.demands)
                && (own.demands.admits_anybody() || self.is_more_specific(other, number))
        };
        let is_guarded = |view: &View<'_>| {
            let taken = self.taken(view);
            let taken = self.matched(&taken);
            taken.is_some_and(|(other, route)| leads(other, route))
                || self.pipeline.guards_values
                    && self.any_by_one_value(view, taken.map(|(other, _)| other), leads)
        };
        let is_guarded = |path: &[u8]| self.any_method(&self.written.with_path(path), is_guarded);
        if any_looser(self.request.path(), self.pipeline.guards_slashes, is_guarded) {
            let detail = "a service that decodes escapes, or ignores case, a last slash or dots at the end of segments, \
                reads the path of a route that asks something else of who calls";
            return Err(Fault::new(Reason::InvalidPath).because(detail));
        }
        Ok(())
    }

    /// Whether a route's path is more specific than another one's: what is written for `/Reports/*` is meant for it,
    /// although `/*` asks something else.
    fn is_more_specific(&self, other: usize, own: usize) -> bool {
        let path = |number: usize| self.pipeline.router.spec(number).map(|spec| &spec.path);
        path(other).zip(path(own)).is_some_and(|(other, own)| other.kinds().lt(own.kinds()))
    }
}
