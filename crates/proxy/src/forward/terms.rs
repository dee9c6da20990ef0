//! What holds for all tries of a request.

use super::deadline::{Deadline, tell};
use super::{Call, Responder};
use crate::upstream::names_no_host;
use std::future::Future;
use torana_fault::Fault;
use torana_filter::{Attempt, Exchange};
use torana_http::{Known, RequestHead};
use torana_transport::within;

/// What holds for all tries of a request, as it came from the client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'a> {
    pub(super) call: &'a Call<'a>,
    /// When all of them must be over.
    pub(super) deadline: Option<Deadline>,
    /// Each endpoint is told its own name.
    without_host: bool,
}

impl<'a> Terms<'a> {
    /// # Errors
    /// The client's time is over: nobody waits for what the service would do.
    pub(super) fn of(call: &'a Call<'a>, request: &RequestHead) -> Result<Self, Fault> {
        let deadline = Deadline::of(call, request)?;
        Ok(Self { call, deadline, without_host: names_no_host(&request.fields) })
    }

    /// Makes the request the one of this try.
    ///
    /// # Errors
    /// It must not go there.
    pub(super) fn address(
        &self,
        exchange: &mut Exchange,
        attempt: &Attempt<'_>,
        responder: &mut impl Responder,
    ) -> Result<(), Fault> {
        if self.without_host {
            exchange.request.fields.insert(Known::Host, attempt.authority.as_bytes())?;
        }
        tell(self.call, exchange, self.deadline)?;
        responder.on_attempt(exchange, attempt)
    }

    /// Waits for the future as long as there is time.
    pub(super) async fn bounded<T>(
        &self,
        future: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        match self.deadline {
            Some(deadline) => within(self.call.timer, deadline.at, deadline.reason, future).await?,
            None => future.await,
        }
    }
}
