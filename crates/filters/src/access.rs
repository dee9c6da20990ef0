//! Nobody is served whom no policy knows.
//!
//! The last gate of a route that has to be protected and on which nothing else asks for a caller.

use torana_fault::{Fault, Reason};
use torana_filter::{Exchange, OnRequest, Outside, Verdict};

/// Callers are known.
#[derive(Clone, Copy, Debug)]
pub struct AccessFilter;

impl AccessFilter {
    /// What it asks for.
    #[must_use]
    pub fn describe(&self) -> String {
        "a caller who is known".into()
    }
}

impl OnRequest for AccessFilter {
    async fn on_request(&self, exchange: &mut Exchange, _: &dyn Outside) -> Verdict {
        if exchange.identity.is_some() {
            return Verdict::Continue;
        }
        let fault = Fault::new(Reason::CredentialsMissing).because("nothing has said who calls");
        Verdict::Fail(fault.with_field("WWW-Authenticate", "Bearer".into()))
    }
}
