//! Nobody is served whom no policy knows.
//!
//! The last gate of a route that has to be protected. Who is only taken for somebody is not known.

use crate::authentication::not_known;
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
        if exchange.identity.as_ref().is_some_and(|identity| !identity.anonymous) {
            return Verdict::Continue;
        }
        Verdict::Fail(not_known(exchange, "nothing has said who calls"))
    }
}
