//! Values that are there more than once, of which a service takes one.

use super::{Search, answers_preflights};
use crate::gateway::view::View;
use torana_fault::{Fault, Reason};
use torana_filters::preflight_method;

impl Search<'_> {
    /// A request that misses the condition of a more specific route only because a value is there more than once is, for
    /// a service that takes one of them, what that route takes: it must not ask anything else of who calls. Where no
    /// such route has such a condition nothing is looked at.
    pub(super) fn check_values(&self, view: &View<'_>) -> Result<(), Fault> {
        if !self.pipeline.guards_values {
            return Ok(());
        }
        let Some((number, own)) = self.own().filter(|(_, own)| own.demands.may_lack()) else { return Ok(()) };
        // A preflight is answered here; no service reads it.
        if answers_preflights(own) && preflight_method(self.request).is_some() {
            return Ok(());
        }
        let leads_elsewhere = |view: &View<'_>| {
            self.any_by_one_value(view, Some(number), |_, other| own.demands.lack(&other.demands))
        };
        if self.any_method(view, leads_elsewhere) {
            let detail = "a service that takes one of several values reads what a route takes that asks something \
                else of who calls";
            return Err(Fault::new(Reason::AmbiguousRequest).because(detail));
        }
        Ok(())
    }
}
