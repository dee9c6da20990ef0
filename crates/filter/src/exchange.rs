//! One request and what becomes known about it on its way, in named slots.

use crate::{Identity, Response};
use bytes::Bytes;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use torana_certificate::ClientCertificate;
use torana_fault::Fault;
use torana_http::RequestHead;

/// One reading of the clocks: when the request began, or later where something was waited for since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Monotonic time since the process started, for intervals.
    pub since_start: Duration,
    /// Seconds since 1970-01-01 UTC, for what credentials claim.
    pub unix_seconds: u64,
    /// And nanoseconds, fewer than a second has.
    pub unix_nanos: u32,
}

impl Moment {
    /// Since 1970-01-01 UTC. People may set this clock.
    #[must_use]
    pub const fn utc(&self) -> Duration {
        Duration::new(self.unix_seconds, self.unix_nanos)
    }
}

/// Both ends of the connection that a request came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The gateway's.
    pub local: SocketAddr,
    /// The socket's peer: the client, or the last proxy before the gateway.
    pub peer: SocketAddr,
}

impl Ends {
    const UNKNOWN: Self = {
        let nowhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        Self { local: nowhere, peer: nowhere }
    };
}

impl Default for Ends {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

/// What a limit has decided for this request; the narrowest one is shown to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitState {
    /// Requests per period, or the burst where it is larger.
    pub limit: u64,
    /// Requests left at once.
    pub remaining: u64,
    /// Until the limit is whole again.
    pub reset_after: Duration,
}

/// One window of a limit, for styles that tell each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldLimit {
    /// The limit.
    pub id: Arc<str>,
    /// The window's place in it.
    pub window: usize,
    /// How it stands.
    pub limit: LimitState,
}

/// What one limit has taken for the request.
#[derive(Debug)]
pub struct TakenPermits {
    /// The limit.
    pub id: Arc<str>,
    /// How much.
    pub permits: u64,
    /// Gives it back.
    pub back: Box<dyn GiveBack>,
}

/// Takes back what was taken for a request that is refused after all.
pub trait GiveBack: fmt::Debug + Send + Sync {
    /// Takes it back; the request does not wait for it.
    fn give_back(&self);
}

/// A request whose response says what it has cost.
#[derive(Debug)]
pub struct OpenCost {
    /// The field that says it.
    pub field: Arc<str>,
    /// What was taken for it already.
    pub taken: u64,
    /// The most that can be said.
    pub most: u64,
    /// Charges the rest, where the request was counted.
    pub charge: Box<dyn Charge>,
}

/// Charges a caller for what its request turned out to cost.
pub trait Charge: fmt::Debug + Send + Sync {
    /// Charges so much beyond what was taken; the response does not wait for it.
    fn charge(&self, more: u64);
}

/// One try to send the request.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// From one.
    pub number: u32,
    /// The endpoint's place in its service's list.
    pub endpoint: usize,
    /// `host[:port]` of the endpoint.
    pub authority: &'a str,
}

/// What ways to say who calls have refused, while another may still succeed.
#[derive(Debug)]
pub struct Refusal {
    /// What the caller is told if none succeeds: the one that says most.
    pub fault: Fault,
    /// Why the last of them did not know the caller.
    pub last: Fault,
    /// What of it was counted as a guess.
    pub tally: Tally,
}

/// What ways have counted of one request's credentials that they refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Which ways have counted one, a bit for each.
    pub counted: u16,
    /// Whether something was shown that counts only where no way knows the caller.
    pub unsettled: bool,
}

/// One request on its way through the gateway.
#[derive(Debug)]
pub struct Exchange {
    /// The request's head; filters may change it.
    pub request: RequestHead,
    /// The whole request body, once a filter needed it ([`crate::Needs`]). A filter may replace it; what is
    /// here is what the service gets. `None` while the body streams.
    pub body: Option<Bytes>,
    /// The client: the socket's peer, or what trusted proxies say.
    pub client_address: IpAddr,
    /// The connection that it came by.
    pub ends: Ends,
    /// Whether the client came over TLS: to the gateway, or to a trusted proxy that says so.
    pub secure: bool,
    /// Whether a filter has seen to the identifier that goes with the request through every service.
    pub correlated: bool,
    /// The longest body that a filter lets pass, counted on its way.
    pub body_limit: Option<u64>,
    /// When the request began.
    pub moment: Moment,
    /// Who is calling, once a filter has verified it.
    pub identity: Option<Arc<Identity>>,
    /// What ways to say who calls have refused so far, while another may still succeed.
    pub refusal: Option<Box<Refusal>>,
    /// What the client gets in place of the gateway's own words when it is refused, where a service that
    /// was asked said it.
    pub answer: Option<Box<Response>>,
    /// Why no way knows the caller who is taken for somebody: what is told where that is not enough.
    pub unknown: Option<Fault>,
    /// Values of `Set-Cookie` that the response carries, whatever it is.
    pub set_cookies: Vec<SetCookie>,
    /// Fields that the response carries, whatever it is, as a service that was asked says.
    pub client_fields: Vec<(Arc<str>, Vec<u8>)>,
    /// The certificate that the client has shown, verified when its connection was made.
    pub client_certificate: Option<Arc<ClientCertificate>>,
    /// The narrowest limit that was asked.
    pub limit: Option<LimitState>,
    /// Every window of limits that tell each.
    pub limits: Vec<ToldLimit>,
    /// Limits in shadow that would have refused the request.
    pub would_refuse: Vec<Arc<str>>,
    /// What limits have taken from which another limit on the way may still refuse the request.
    pub taken: Vec<TakenPermits>,
    /// What limits will charge when the response says it.
    pub open_costs: Vec<OpenCost>,
    /// Places of limits on requests under way; given back when the request ends.
    pub under_way: Vec<torana_limit::UnderWay>,
}

/// A value of `Set-Cookie`.
#[derive(Debug)]
pub struct SetCookie {
    /// The value.
    pub line: String,
    /// What may have made it untrue by the time when the response goes out.
    pub overtaken: Option<Arc<dyn Overtaken>>,
}

/// Whether what was to be said is no longer so.
pub trait Overtaken: fmt::Debug + Send + Sync {
    /// Asked when it would be said.
    fn is_overtaken(&self) -> bool;
}

impl From<String> for SetCookie {
    fn from(line: String) -> Self {
        Self { line, overtaken: None }
    }
}

impl Default for Exchange {
    fn default() -> Self {
        Self {
            request: RequestHead::default(),
            body: None,
            client_address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            ends: Ends::UNKNOWN,
            secure: false,
            correlated: false,
            body_limit: None,
            moment: Moment::default(),
            identity: None,
            refusal: None,
            answer: None,
            unknown: None,
            set_cookies: Vec::new(),
            client_fields: Vec::new(),
            client_certificate: None,
            limit: None,
            limits: Vec::new(),
            would_refuse: Vec::new(),
            taken: Vec::new(),
            open_costs: Vec::new(),
            under_way: Vec::new(),
        }
    }
}

impl Exchange {
    /// Notes what a limit has decided, if it leaves less than those before it.
    pub fn note_limit(&mut self, state: LimitState) {
        if self.limit.is_none_or(|known| state.remaining < known.remaining) {
            self.limit = Some(state);
        }
    }

    /// Forgets everything about the request; the head's buffers stay for the next one.
    pub fn clear(&mut self) {
        // Taken apart, so that a new member cannot be forgotten here; moving the whole would copy it twice.
        let Self {
            request,
            body,
            client_address,
            ends,
            secure,
            correlated,
            body_limit,
            moment,
            identity,
            refusal,
            client_certificate,
            answer,
            unknown,
            limit,
            limits,
            would_refuse,
            under_way,
            taken,
            open_costs,
            set_cookies,
            client_fields,
        } = self;
        request.clear();
        *body = None;
        *client_address = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        *ends = Ends::UNKNOWN;
        *secure = false;
        *correlated = false;
        *body_limit = None;
        *moment = Moment::default();
        *identity = None;
        *refusal = None;
        *client_certificate = None;
        *answer = None;
        *unknown = None;
        *limit = None;
        limits.clear();
        would_refuse.clear();
        under_way.clear();
        taken.clear();
        open_costs.clear();
        set_cookies.clear();
        client_fields.clear();
    }
}

impl AsMut<RequestHead> for Exchange {
    fn as_mut(&mut self) -> &mut RequestHead {
        &mut self.request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_limit_is_shown() {
        let mut exchange = Exchange::default();
        let state = |remaining| LimitState { limit: 10, remaining, reset_after: Duration::ZERO };
        exchange.note_limit(state(5));
        exchange.note_limit(state(7));
        assert_eq!(exchange.limit, Some(state(5)));
        exchange.note_limit(state(0));
        assert_eq!(exchange.limit, Some(state(0)));
    }
}
