//! Who watches a try.

use super::Responder;
use super::judge::Judge;
use super::retry::Chances;
use tokio::time::Instant;
use torana_transport::{Waits, nanos_at, nanos_since_start, recently};

/// Who watches a try: what it tells about the service, and whether another one may follow.
pub(super) struct Trial<'t, 'a> {
    pub(super) judge: &'t mut Judge<'a>,
    chances: &'t mut Chances<'a>,
    /// Whom the relay of the request's body waits for.
    pub(super) uploads: &'t Waits,
    /// When the request began to be sent.
    pub(super) begun: Instant,
    /// Its body is kept, or was never there: it can be sent again.
    whole: bool,
}

impl<'t, 'a> Trial<'t, 'a> {
    pub(super) fn new(judge: &'t mut Judge<'a>, chances: &'t mut Chances<'a>, uploads: &'t Waits) -> Self {
        Self { judge, chances, uploads, begun: recently(), whole: false }
    }

    /// The request begins to be sent.
    pub(super) fn begin(&mut self, whole: bool) {
        (self.begun, self.whole) = (recently(), whole);
        if whole {
            self.judge.sent();
        }
    }

    /// All of the request has been sent, or as much as the service has read.
    pub(super) fn sent(&mut self) {
        if !self.whole {
            self.judge.sent();
        }
    }

    /// A head came. `could_answer`: since when the service could have answered, where it did before it had the whole
    /// request.
    pub(super) fn head(
        &mut self,
        status: u16,
        could_answer: Option<Instant>,
        responder: &mut impl Responder,
    ) {
        responder.on_first_byte(recently().duration_since(self.begun));
        self.judge.head(status, nanos_at(could_answer.unwrap_or(self.begun)), nanos_since_start());
    }

    /// Whether to try again instead of delivering an answer with this status.
    pub(super) fn tries_again(&mut self, status: u16) -> bool {
        self.chances.after_status(status, self.whole)
    }
}
