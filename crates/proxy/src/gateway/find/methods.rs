//! The method that a field asks for in place of the request's.

use super::Search;
use crate::gateway::view::View;
use torana_fault::{Fault, Reason};

impl Search<'_> {
    /// By each of these methods the request must be for the same route, or the rules of that one would be passed by.
    pub(super) fn check_methods(&self, view: &View<'_>) -> Result<(), Fault> {
        let Some((_, own)) = self.own() else { return Ok(()) };
        let mut leads_elsewhere = false;
        for method in &self.instead {
            let other = self.taken(&view.with_method(method));
            if other == self.found {
                continue;
            }
            let asks_otherwise =
                self.matched(&other).is_some_and(|(_, other)| own.demands.lack(&other.demands));
            if own.demands.admits_anybody() && asks_otherwise {
                let detail =
                    "by the method that a field asks for instead it is for a route that asks who calls";
                let fault = Fault::new(Reason::CredentialsMissing).because(detail);
                return Err(fault.with_field("WWW-Authenticate", "Bearer".into()));
            }
            leads_elsewhere = true;
        }
        if leads_elsewhere {
            let detail = "by the method that a field asks for instead it is for another route, or for none";
            return Err(Fault::new(Reason::Forbidden).because(detail));
        }
        Ok(())
    }
}
