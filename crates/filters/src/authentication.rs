//! Who calls: the frame around the ways to say so.
//!
//! Each way is a filter of its own, so that `explain` shows each. On a route they go together as its group
//! says: every one must succeed, or the first that does is enough, and somebody may be assumed when none
//! does. What is common to all stands here: one neutral answer for every failure, with the challenge of each
//! way that was tried; a limit on failures from one address; what services are told of the caller.

mod address_key;
pub(crate) mod cache;
pub(crate) mod client_fields;
mod consumer_fields;
mod counting;
mod failures;
mod guard;
pub(crate) mod locations;
pub(crate) mod lookup;
mod method;
pub(crate) mod once;
mod refusals;
pub(crate) mod signed;
mod unknown;
pub(crate) mod unverified;
mod verified;

pub use failures::FailureLimit;
pub use method::Method;

use crate::hygiene::overriding_methods;
use crate::jwt::RemoteKeys;
use crate::key_auth::KeyAuthFilter;
use counting::{Before, Judging};
pub(crate) use failures::Unbegun;
pub(crate) use guard::Guard;
use refusals::{joined, weight, weight_of_answer};
use std::sync::Arc;
use torana_config::written::PreflightRule;
use torana_fault::{Fault, Reason};
use torana_filter::{
    Exchange, Identity, Needs, OnRequest, OnResponse, Outside, Refusal, Response, SetCookie, Tally, Verdict,
};
use torana_http::h1::BodyFraming;
use torana_http::{Known, Method as HttpMethod, RequestHead, ResponseHead};
pub(crate) use unknown::not_known;

/// A way to say who calls, on its place among the others of a route.
#[derive(Clone, Debug)]
pub struct AuthenticationFilter {
    method: Arc<Method>,
    place: Place,
    failures: Option<Arc<FailureLimit>>,
}

/// The place of a way among the others of a route.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// Whether every way must succeed.
    pub all: bool,
    /// Whether no way comes after this one.
    pub last: bool,
    /// Whether another way says who calls, where every one must succeed.
    pub yields: bool,
    /// Who a caller is taken for when nothing is accepted.
    pub anonymous: Option<Arc<Identity>>,
    /// Which requests it is not asked about.
    pub preflight: PreflightRule,
    /// The other ways of the route that are asked about some of these.
    pub still_asked: Arc<[Arc<Method>]>,
    /// The other ways of the route, where one of them is enough.
    pub others: Arc<[Arc<Method>]>,
    /// The ways before this one, where every one must succeed: they have.
    pub earlier: Arc<[Arc<Method>]>,
}

/// What a way did with a request that it let pass.
#[derive(Clone, Debug)]
pub enum LetPass {
    /// It knows the caller.
    Known,
    /// No way knows the caller, who is taken for somebody.
    Assumed,
    /// It does not know the caller, for this reason; the next way is asked.
    LeftToNext(Fault),
    /// It did not look: a way before it knows the caller, or a preflight need not say.
    NotAsked,
}

/// How a way judges a request.
pub(crate) trait Authenticate {
    /// Says who calls; fields for the service are set and credentials hidden on the way.
    ///
    /// # Errors
    /// No credential, or none that is accepted.
    async fn authenticate(
        &self,
        exchange: &mut Exchange,
        outside: &dyn Outside,
        guard: Guard<'_>,
    ) -> Result<Arc<Identity>, Fault>;
}

impl AuthenticationFilter {
    /// Puts a way on its place.
    #[must_use]
    pub const fn new(method: Arc<Method>, place: Place, failures: Option<Arc<FailureLimit>>) -> Self {
        Self { method, place, failures }
    }

    /// The name by which people write it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.method.name()
    }

    /// The keys that it has fetched.
    #[must_use]
    pub fn remote_keys(&self) -> Vec<&Arc<RemoteKeys>> {
        self.method.remote_keys()
    }

    /// What must be there before it is asked about this request: nothing where it will not look.
    #[must_use]
    pub fn needs(&self, exchange: &Exchange) -> Needs {
        if self.is_answered(exchange) {
            return Needs::NOTHING;
        }
        let own = self.method.needs(exchange, self.guard(exchange, &Judging::default()));
        // What a later way would look into is there before an earlier one lets it pass.
        let others = self.key_ways().map(|keys| keys.needs(exchange).request_body);
        Needs { request_body: others.fold(own.request_body, Option::max) }
    }

    /// The ways of the route that may find a key in a body, as far as one of them is enough.
    fn key_ways(&self) -> impl Iterator<Item = &KeyAuthFilter> {
        let all = std::iter::once(&self.method).chain(&*self.place.others);
        all.filter_map(|way| if let Method::KeyAuth(keys) = &**way { Some(keys) } else { None })
    }

    fn guard<'a>(&'a self, exchange: &Exchange, judging: &'a Judging) -> Guard<'a> {
        Guard {
            failures: self.failures.as_ref(),
            address: exchange.client_address,
            now: exchange.moment.since_start,
            judging,
        }
    }

    /// Whether nothing is asked: somebody else knows the caller already, or a preflight need not say.
    fn is_answered(&self, exchange: &Exchange) -> bool {
        let someone_else_did = !self.place.all && exchange.identity.is_some();
        someone_else_did || self.lets_pass(&exchange.request)
    }

    fn lets_pass(&self, request: &RequestHead) -> bool {
        match self.place.preflight {
            PreflightRule::Required => false,
            PreflightRule::Cors => is_options(request) && is_preflight(request),
            PreflightRule::Options => is_options(request),
        }
    }

    /// Takes out what callers show to the ways that did not accept them.
    fn remove_unverified(&self, exchange: &mut Exchange, accepted: bool) {
        let own = std::slice::from_ref(&self.method);
        for other in &*self.place.others {
            unverified::remove(exchange, other, if accepted { own } else { &[] });
        }
        if !accepted {
            unverified::remove(exchange, &self.method, &self.place.earlier);
        }
    }

    /// Takes the fields of an earlier way's consumer back where this one knows the caller as no consumer: the
    /// last way says who calls. A service that is asked may be shown them, and gives fields of its own.
    fn forget_consumer(&self, exchange: &mut Exchange, accepted: Option<&Identity>) {
        let earlier = exchange.identity.as_ref().is_some_and(|earlier| earlier.record.is_some());
        let asks = matches!(*self.method, Method::ForwardAuth(_));
        match accepted {
            None if earlier && !asks => consumer_fields::clear(&mut exchange.request.fields, |_| false),
            Some(identity) if earlier && asks && identity.record.is_none() => {
                let sets = |name: &str| match &*self.method {
                    Method::ForwardAuth(filter) => filter.sets(name),
                    _ => false,
                };
                let says_anonymous = |name: &str| identity.anonymous && name == consumer_fields::ANONYMOUS;
                consumer_fields::clear(&mut exchange.request.fields, |name| {
                    sets(name) || says_anonymous(name)
                });
            }
            _ => {}
        }
    }

    /// What it asks for, in one line without secrets.
    #[must_use]
    pub fn describe(&self) -> String {
        let asks = self.method.describe();
        match (self.place.all, self.place.last) {
            (true, _) => asks,
            (false, true) => format!("{asks}, unless a way before it succeeded"),
            (false, false) => format!("{asks}, or what a later way asks for"),
        }
    }

    /// Judges, counts a wrong credential, and gives what becomes of the request.
    async fn judge(&self, exchange: &mut Exchange, outside: &dyn Outside, judging: &Judging) -> Verdict {
        let guard = self.guard(exchange, judging);
        if let Some(verdict) = self.method.answer(exchange, outside, guard).await {
            // Nothing else that comes back is a guess at anything.
            if judging.wrong.get() {
                self.count(exchange);
            }
            return verdict;
        }
        if self.is_answered(exchange) {
            return self.let_pass(exchange);
        }
        if let Some(fault) = self.key_ways().find_map(|keys| keys.judge_body(exchange).err()) {
            return Verdict::Fail(fault);
        }
        // Who calls is said by a way that has succeeded, or by one that is still asked: this one only has to succeed.
        let yields = self.place.yields && exchange.identity.is_some();
        if !yields {
            self.forget_consumer(exchange, None);
        }
        // Before anything is taken out.
        let refusal = exchange.refusal.as_ref();
        let before = refusal.map_or_else(Before::default, |refusal| self.counted(exchange, refusal.tally));
        match self.method.authenticate(exchange, outside, guard).await {
            Ok(identity) => {
                exchange.refusal = None;
                self.take_back(exchange, before.alone);
                self.remove_unverified(exchange, !identity.anonymous);
                if yields {
                    if identity.anonymous {
                        exchange.request.fields.remove(consumer_fields::ANONYMOUS);
                    }
                    return Verdict::Continue;
                }
                self.forget_consumer(exchange, Some(&identity));
                accept(exchange, identity)
            }
            Err(fault) => self.refuse(exchange, fault, before.same, judging),
        }
    }

    /// Lets a request pass that it is not asked about, unless it comes last and nobody before it knows the caller.
    fn let_pass(&self, exchange: &mut Exchange) -> Verdict {
        if self.lets_pass(&exchange.request) {
            unverified::remove(exchange, &self.method, &self.place.still_asked);
        }
        match exchange.refusal.take_if(|_| self.place.last) {
            Some(before) => self.conclude(exchange, before.fault, before.tally, None),
            None => Verdict::Continue,
        }
    }

    /// What it did with a request that it let pass; `known` says whether the caller was known before.
    #[must_use]
    pub fn passed(&self, exchange: &Exchange, known: bool) -> LetPass {
        match (&exchange.refusal, &exchange.identity) {
            (Some(refusal), _) => LetPass::LeftToNext(refusal.last.clone()),
            (None, Some(_)) if known && !self.place.all => LetPass::NotAsked,
            (None, Some(identity)) if identity.anonymous => LetPass::Assumed,
            (None, Some(_)) => LetPass::Known,
            (None, None) => LetPass::NotAsked,
        }
    }

    /// Counts a wrong credential.
    fn count(&self, exchange: &Exchange) {
        if let Some(failures) = &self.failures {
            failures.count(exchange.client_address, exchange.moment.since_start);
        }
    }

    /// How often earlier ways have counted what this one is shown.
    fn counted(&self, exchange: &Exchange, tally: Tally) -> Before {
        let others = self.place.others.iter().map(|way| &**way);
        Before::of(&exchange.request, counting::counted(tally, others), &self.method)
    }

    /// Takes back what was counted that this way has found to be good.
    fn take_back(&self, exchange: &Exchange, times: usize) {
        if let Some(failures) = &self.failures {
            for _ in 0..times {
                failures.take_back(exchange.client_address, exchange.moment.since_start);
            }
        }
    }

    /// Notes what was refused, and counts it if it is a guess; `same` says how often others have counted it.
    fn tally(&self, exchange: &Exchange, fault: &Fault, same: usize, judging: &Judging) -> Tally {
        let mut tally = exchange.refusal.as_ref().map_or_else(Tally::default, |refusal| refusal.tally);
        if judging.counts_nothing.get()
            || (fault.reason != Reason::CredentialsInvalid && !judging.wrong.get())
        {
            return tally;
        }
        if judging.no_guess.get() {
            tally.unsettled = true;
        } else if same == 0 {
            self.count(exchange);
            tally.counted |= self.method.mark();
        }
        tally
    }

    /// Notes a refusal, and gives what becomes of the request.
    fn refuse(&self, exchange: &mut Exchange, fault: Fault, same: usize, judging: &Judging) -> Verdict {
        let tally = self.tally(exchange, &fault, same, judging);
        // What an asked service said is given only where its refusal is the one that counts.
        let answer = exchange.answer.take();
        let own = fault.cause();
        let (fault, is_own) = match exchange.refusal.take() {
            Some(before)
                if answer.is_some()
                    && weight_of_answer(&fault, &exchange.request) >= weight(&before.fault) =>
            {
                (fault, true)
            }
            Some(before) => (joined(before.fault, fault), false),
            None => (fault, true),
        };
        if !self.place.all && !self.place.last {
            exchange.refusal = Some(Box::new(Refusal { fault, last: own, tally }));
            return Verdict::Continue;
        }
        self.conclude(exchange, fault, tally, answer.filter(|_| is_own))
    }

    /// Gives what becomes of a request whose caller no way knows.
    fn conclude(
        &self,
        exchange: &mut Exchange,
        fault: Fault,
        tally: Tally,
        answer: Option<Box<Response>>,
    ) -> Verdict {
        if tally.unsettled && tally.counted == 0 {
            self.count(exchange);
        }
        match &self.place.anonymous {
            // What cannot be decided is not decided by assuming somebody.
            Some(anonymous) if fault.status() < 500 && fault.reason != Reason::AuthenticationLimited => {
                self.remove_unverified(exchange, false);
                exchange.unknown = Some(fault);
                accept(exchange, Arc::clone(anonymous))
            }
            _ => {
                exchange.answer = answer;
                Verdict::Fail(fault)
            }
        }
    }
}

impl OnRequest for AuthenticationFilter {
    async fn on_request(&self, exchange: &mut Exchange, outside: &dyn Outside) -> Verdict {
        let mut judging = Judging::default();
        let verdict = self.judge(exchange, outside, &judging).await;
        if let Some(judged) = judging.under_way.get_mut() {
            judged.settle();
        }
        verdict
    }
}

impl OnResponse for AuthenticationFilter {
    async fn on_response(&self, exchange: &mut Exchange, response: &mut ResponseHead) -> Verdict {
        let is_overtaken =
            |cookie: &mut SetCookie| cookie.overtaken.as_ref().is_some_and(|by| by.is_overtaken());
        exchange.set_cookies.retain_mut(|cookie| !is_overtaken(cookie));
        match client_fields::tell(exchange, response) {
            Ok(()) => Verdict::Continue,
            Err(invalid) => Verdict::Fail(invalid.into()),
        }
    }
}

fn accept(exchange: &mut Exchange, identity: Arc<Identity>) -> Verdict {
    if let Err(invalid) = consumer_fields::set(&mut exchange.request.fields, &identity) {
        return Verdict::Fail(invalid.into());
    }
    exchange.identity = Some(identity);
    Verdict::Continue
}

/// Whether an OPTIONS is the Fetch standard's CORS preflight. It has no body, which a service could take for a request.
fn is_preflight(request: &RequestHead) -> bool {
    matches!(request.framing, BodyFraming::None | BodyFraming::Length(0))
        && request.fields.contains(Known::Origin)
        && request.fields.contains("Access-Control-Request-Method")
}

/// Whether a request asks what may be done, and no field asks for another method.
fn is_options(request: &RequestHead) -> bool {
    request.method() == HttpMethod::Options && overriding_methods(&request.fields).next().is_none()
}
