//! Other spellings of the path that are one to many services: with escapes decoded of what may stand as it is
//! (`/items%3Adelete`), without parameters of segments (`/admin;v=1/users`, RFC 3986 section 3.3), and both.

use super::Search;
use crate::gateway::view::View;
use torana_fault::{Fault, Reason};
use torana_route::{Outcome, Spellings};

impl Search<'_> {
    /// None of them may be for another route. What is written for the path with its escapes is meant for it.
    pub(super) fn check_spellings(&self) -> Result<(), Fault> {
        let spellings = Spellings::of(self.request.path());
        let is_meant = |decoded: &[u8]| {
            let spec = self.own().and_then(|(own, _)| self.pipeline.router.spec(own));
            spec.is_none_or(|spec| spec.path.is_for_escapes(decoded))
        };
        let escapes_count = spellings.decoded().is_some_and(|decoded| !is_meant(decoded));
        let mut counting = spellings.others().filter(|other| escapes_count || other.escaped.is_none());
        counting.try_for_each(|other| self.check_spelling(&self.written.with_path(other.path)))
    }

    /// For the same route, by each method that a field asks for and whichever of several values a service takes.
    fn check_spelling(&self, view: &View<'_>) -> Result<(), Fault> {
        let other = self.taken(view);
        if matches!(other, Outcome::Matched { .. }) && other != self.found {
            let detail =
                "decoded, or without the parameters of its segments, it is the path of another route";
            return Err(Fault::new(Reason::InvalidPath).because(detail));
        }
        self.check_methods(view)?;
        self.check_values(view)
    }
}
