//! Whether a request is sent again.
//!
//! Three questions, in this order: is what happened a reason to try again, may this request be sent twice,
//! and is there room for it (attempts left, a place in the service's retry budget). A connection that was
//! never made did no work at the service, so trying another endpoint then asks neither for an idempotent
//! method nor for room in the budget. A stream that its service refused did none either, but says that the service
//! sheds load (RFC 9113 section 8.7), so that asks for room. A stream that the goodbye of a connection leaves out is no try
//! at all where the connection has served others: servers that end theirs after so many requests do so at any time, and to
//! all at once who came too late. A place in the budget is held until the head of an
//! answer that is delivered: what bounds the load is how many are asked, and a body may stream for hours.
//!
//! Outside of all this stands the one replay on a fresh connection, in [`super::attempt`], of an idempotent request
//! whose kept-alive connection had just been closed: the service has not seen it.

use crate::body::Replay;
use crate::statuses::Statuses;
use std::sync::Arc;
use std::time::Duration;
use torana_balance::{Backoff, RetryBudget, Retrying};
use torana_fault::{Fault, Reason, Retry};
use torana_http::{Method, RequestHead};
use torana_transport::RequestBody;

use super::{Call, Hedge};

/// When a service's requests are sent again.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    /// Tries in all.
    pub attempts: u32,
    /// When a connection breaks before an answer, or within one of which nothing has left yet.
    pub on_reset: bool,
    /// When no answer comes in time.
    pub on_timeout: bool,
    /// When such an answer comes.
    pub statuses: Statuses,
    /// Methods besides the idempotent ones.
    pub methods: Vec<String>,
    /// The field that makes any request one that may be sent twice.
    pub idempotency_key: Option<String>,
    /// For one try, until the first byte.
    pub per_try: Option<Duration>,
    /// Waits between tries.
    pub backoff: Backoff,
    /// How many retries there may be at once; no bound without it.
    pub budget: Option<Arc<RetryBudget>>,
    /// Bodies up to this length are kept, in bytes.
    pub keep_body: u64,
    /// When another endpoint is asked as well.
    pub hedge: Option<Hedge>,
}

impl RetryPolicy {
    /// So many tries, and only where no connection can be made.
    #[must_use]
    pub fn connecting(attempts: u32) -> Self {
        let backoff = Backoff { base: Duration::from_millis(25), max: Duration::from_millis(250) };
        Self {
            attempts,
            on_reset: false,
            on_timeout: false,
            statuses: Statuses::default(),
            methods: Vec::new(),
            idempotency_key: None,
            per_try: None,
            backoff,
            budget: None,
            keep_body: 0,
            hedge: None,
        }
    }

    /// Whether a request may be sent twice.
    fn may_repeat(&self, request: &RequestHead) -> bool {
        let method = request.method();
        // What switched protocols is no request any more.
        method != Method::Connect
            && (method.is_idempotent()
                || self.methods.iter().any(|known| known.as_bytes() == request.method_bytes())
                || self.idempotency_key.as_ref().is_some_and(|name| request.fields.contains(name.as_str())))
    }
}

/// What to do after a try that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Answer with what there is.
    GiveUp,
    /// Try another endpoint at once: nothing was sent.
    Elsewhere,
    /// Try again after a wait.
    Again,
}

/// Whether a stream was refused: nothing was acted on, but the service has been reached, and sheds load.
pub(super) fn is_shed(fault: &Fault) -> bool {
    fault.retry == Retry::Yes && fault.reason == Reason::UpstreamReset
}

/// Whether a connection that had carried requests has ended by a goodbye that left this one out.
fn is_left_out(fault: &Fault) -> bool {
    fault.retry == Retry::Yes && fault.reason == Reason::UpstreamClosed
}

/// How often one request may be left out. Of those who share a new connection the first is served in any case: so often
/// the last of a hundred is not, which is how many share one by default.
const GOODBYES: u32 = 100;

/// The chances that one request has left.
#[derive(Debug)]
pub(super) struct Chances<'a> {
    call: &'a Call<'a>,
    repeatable: bool,
    /// Tries begun.
    pub(super) begun: u32,
    /// Those of them that a goodbye has left out.
    left_out: u32,
    /// The place in the budget of the try under way.
    place: Option<Retrying>,
}

impl<'a> Chances<'a> {
    pub(super) fn new(call: &'a Call<'a>, request: &RequestHead) -> Self {
        Self {
            call,
            repeatable: call.upstream.retries.may_repeat(request),
            begun: 0,
            left_out: 0,
            place: None,
        }
    }

    pub(super) const fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    fn is_left(&self) -> bool {
        self.counted() < self.call.upstream.retries.attempts
    }

    /// Tries begun, without those that are none.
    pub(super) const fn counted(&self) -> u32 {
        self.begun.saturating_sub(self.left_out)
    }

    /// Whether to try again instead of delivering an answer with this status; `whole`: the request's body
    /// is kept, or there is none.
    pub(super) fn after_status(&mut self, status: u16, whole: bool) -> bool {
        let again = whole && self.call.upstream.retries.statuses.contains(status) && self.take();
        if !again {
            // The answer is delivered.
            self.place = None;
        }
        again
    }

    /// What to do after a fault, when nothing of an answer was sent.
    pub(super) fn after_fault<B: RequestBody>(&mut self, fault: &Fault, body: &Replay<'_, B>) -> Next {
        if fault.retry == Retry::Yes {
            if is_left_out(fault) && self.left_out < GOODBYES {
                self.left_out = self.left_out.saturating_add(1);
            }
            let may = body.is_movable() && self.is_left() && (!is_shed(fault) || self.has_room());
            return if may { Next::Elsewhere } else { Next::GiveUp };
        }
        let policy = &self.call.upstream.retries;
        let wanted = match fault.reason {
            Reason::UpstreamClosed | Reason::UpstreamReset => policy.on_reset,
            Reason::UpstreamFirstByteTimeout | Reason::UpstreamIdleTimeout => policy.on_timeout,
            _ => false,
        };
        if wanted && body.is_replayable() && self.take() { Next::Again } else { Next::GiveUp }
    }

    /// Room for another try while others are under way: in the tries left and in the budget, whose place is
    /// held for as long as that try lasts. `None`: there is none.
    pub(super) fn beside(&mut self) -> Option<Option<Retrying>> {
        if !self.repeatable || !self.is_left() {
            return None;
        }
        self.call.upstream.room_to_repeat()
    }

    fn take(&mut self) -> bool {
        self.repeatable && self.is_left() && self.has_room()
    }

    /// Takes a place in the budget for the next try.
    fn has_room(&mut self) -> bool {
        // The try that ended held its place until now; its successor asks like everybody.
        self.place = None;
        let room = self.call.upstream.room_to_repeat();
        let has_room = room.is_some();
        self.place = room.flatten();
        has_room
    }
}
