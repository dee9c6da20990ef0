//! What a filter is.
//!
//! A filter is prepared once per configuration and shared by all workers. At run time it sees an
//! [`Exchange`] and answers with a [`Verdict`]. Three traits, by how often they run: [`OnRequest`] once
//! before an upstream is chosen, [`OnAttempt`] for each try, [`OnResponse`] once on the way back, also for
//! answers that the gateway gives itself.
//!
//! The built-in filters are variants of one enum in `torana-filters`, called without a virtual call or a
//! boxed future. Code from outside joins by [`DynamicFilter`].

mod dynamic;
mod exchange;
mod needs;
mod outside;
mod verdict;

pub use dynamic::{BoxFuture, DynamicFilter};
pub use exchange::{
    Attempt, Charge, Ends, Exchange, GiveBack, LimitState, Moment, OpenCost, Overtaken, Refusal, SetCookie,
    TakenPermits, Tally, ToldLimit,
};
pub use needs::Needs;
pub use outside::{FetchBounds, Offline, Outside};
pub use torana_identity::{Claims, Consumer, Credential, CredentialKind, Identity, Json};
pub use verdict::{Response, Verdict};

use torana_http::ResponseHead;

/// Runs once for a request, in the order of the plan, before an upstream is chosen.
#[allow(async_fn_in_trait, reason = "called statically, on the thread that owns the connection")]
pub trait OnRequest {
    /// Looks at the request and may change it. `outside` lets it ask other services.
    async fn on_request(&self, exchange: &mut Exchange, outside: &dyn Outside) -> Verdict;
}

/// Runs before each attempt to send the request, when the endpoint is known. What it changes in the
/// request stays for later attempts, so it must set rather than add.
pub trait OnAttempt {
    /// Prepares the request for this endpoint.
    fn on_attempt(&self, exchange: &mut Exchange, attempt: &Attempt<'_>) -> Verdict;
}

/// Runs once for a response, in the reverse of the request's order. A filter whose `on_request` was not
/// reached is not called.
#[allow(async_fn_in_trait, reason = "called statically, on the thread that owns the connection")]
pub trait OnResponse {
    /// Looks at the response and may change its head. A failure replaces the response.
    async fn on_response(&self, exchange: &mut Exchange, response: &mut ResponseHead) -> Verdict;
}
