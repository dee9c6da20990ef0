//! Active health checks: one prober for each endpoint, on the chores' thread.
//!
//! A prober asks on a connection of its own each time, so that it sees what a new request would see, and
//! outside of the pool's bound, so that a full pool is not taken for a dead endpoint.
//!
//! It asks while its configuration is in force, and no longer: requests under way, such as a WebSocket, hold an earlier
//! configuration for hours, and what that would find goes into the same counters.

mod grpc;

use crate::chores::Chores;
use crate::pipeline::Pipeline;
use crate::request_id::RequestIds;
use crate::statuses::Statuses;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Semaphore;
use torana_balance::{EndpointHealth, Finding, Thresholds};
use torana_config::written::{FailuresConfig, ProbeKind};
use torana_fault::{Fault, Reason};
use torana_http::h1::{BodyFraming, HeadLimits};
use torana_http::{InvalidField, Known, RequestHead};
use torana_plan::ProbesPlan;
use torana_transport::{
    Endpoint, EndpointSettings, Fetch, FetchLimits, Pool, Protocol, Timer, TlsClient, Unwatched, after,
    nanos_since_start, now, within,
};

/// How much of an answer is looked at.
const LONGEST_ANSWER: usize = 64 * 1024;
/// How often is looked whether an endpoint that is not asked has changed sides.
const LOOK: Duration = Duration::from_millis(500);

/// An endpoint that is asked from time to time whether it works.
#[derive(Debug)]
pub struct Prober {
    plan: Arc<ProbesPlan>,
    good: Statuses,
    bad: Option<Statuses>,
    thresholds: Thresholds,
    endpoint: Arc<Endpoint>,
    authority: String,
    health: Arc<EndpointHealth>,
    succeeded: AtomicU64,
    failed: AtomicU64,
    /// Why the last failure failed.
    last: Mutex<Option<String>>,
    /// Where it asks; nowhere when a configuration is only looked at.
    chores: Option<Chores>,
    /// Where the questions to all endpoints of the service find room; without it there is always.
    room: Option<Arc<Semaphore>>,
    /// How often it has begun and ended to ask: odd while it does.
    term: AtomicU64,
}

impl Prober {
    /// Asks nothing before its configuration is in force: [`take_over`].
    pub(crate) fn new(
        plan: &Arc<ProbesPlan>,
        asked: &Endpoint,
        tls: Option<Arc<TlsClient>>,
        authority: &str,
        health: &Arc<EndpointHealth>,
        chores: Option<&Chores>,
    ) -> Self {
        let settings = EndpointSettings {
            max_connections: 4,
            connect_timeout: plan.timeout.as_duration(),
            idle_timeout: Duration::ZERO,
            // gRPC is HTTP/2, whatever is spoken otherwise.
            protocol: match plan.kind {
                ProbeKind::Grpc => Protocol::Http2,
                ProbeKind::Http => asked.settings.protocol,
                ProbeKind::Tcp => Protocol::Http1,
            },
            http2: asked.settings.http2,
            ..EndpointSettings::default()
        };
        let FailuresConfig { statuses, connections, timeouts } = plan.unhealthy_after;
        Self {
            good: Statuses::of(&plan.good),
            bad: plan.bad.as_ref().map(Statuses::of),
            thresholds: Thresholds {
                successes: plan.healthy_after,
                statuses,
                connects: connections,
                timeouts,
            },
            plan: Arc::clone(plan),
            endpoint: Endpoint::reached_by(asked.address.clone(), settings, tls, asked.introduces),
            authority: authority.to_owned(),
            health: Arc::clone(health),
            succeeded: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            last: Mutex::default(),
            chores: chores.cloned(),
            room: None,
            term: AtomicU64::new(0),
        }
    }

    /// Asks only where there is room for one more question.
    pub(crate) fn within(mut self, room: Option<Arc<Semaphore>>) -> Self {
        self.room = room;
        self
    }

    /// Begins to ask, unless it does. What others have found in a row before counts for nothing.
    fn begin(self: &Arc<Self>) {
        let Some(chores) = self.chores.as_ref().filter(|_| !self.is_asking()) else { return };
        self.health.probed_anew();
        let term = self.term.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        let prober = Arc::downgrade(self);
        chores.begin(move || run(prober, term));
    }

    /// Asks no more; what is being asked is not heard.
    fn end(&self) {
        if self.is_asking() {
            self.term.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn is_asking(&self) -> bool {
        self.term.load(Ordering::Acquire) % 2 == 1
    }

    fn is_in(&self, term: u64) -> bool {
        self.term.load(Ordering::Acquire) == term
    }

    /// Probes that went well, and those that did not.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.succeeded.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }

    /// Why the last probe that failed did.
    #[must_use]
    pub fn last_failure(&self) -> Option<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Until the next question; `None` while the endpoint is not asked.
    fn interval(&self) -> Option<Duration> {
        let works = self.health.out(nanos_since_start()).is_none();
        let span = if works { self.plan.interval } else { self.plan.unhealthy_interval };
        span.map(torana_types::TimeSpan::as_duration)
    }

    async fn probe(&self, term: u64, pool: &Rc<Pool>, timer: &Timer) {
        let _room = match &self.room {
            Some(room) => room.acquire().await.ok(),
            None => None,
        };
        if !self.is_in(term) {
            return;
        }
        let found = match self.plan.kind {
            ProbeKind::Tcp => self.connect(pool, timer).await,
            ProbeKind::Http => self.ask(pool, timer).await,
            ProbeKind::Grpc => self.check(pool, timer).await,
        };
        let (finding, why) = match found {
            Ok(None) => return,
            Ok(Some((finding, why))) => (finding, why),
            Err(fault) => (kind(&fault), fault.to_string()),
        };
        if !self.is_in(term) {
            return;
        }
        if finding == Finding::Success {
            self.succeeded.fetch_add(1, Ordering::Relaxed);
        } else {
            self.failed.fetch_add(1, Ordering::Relaxed);
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
        }
        self.health.probed(finding, self.thresholds, nanos_since_start());
    }

    async fn connect(&self, pool: &Rc<Pool>, timer: &Timer) -> Result<Option<(Finding, String)>, Fault> {
        let deadline = after(self.plan.timeout.as_duration());
        let acquired = within(timer, deadline, Reason::UpstreamConnectTimeout, pool.acquire(timer, true));
        acquired.await??;
        Ok(Some((Finding::Success, String::new())))
    }

    /// `None`: the answer says nothing.
    async fn ask(&self, pool: &Rc<Pool>, timer: &Timer) -> Result<Option<(Finding, String)>, Fault> {
        let request = self.request()?;
        // A page that is longer is as good as any.
        let fetch = Fetch { pool, timer, request: &request, body: b"", limits: self.limits() };
        let answer = fetch.beginning(&mut Unwatched::default()).await?;
        let status = answer.head.status;
        if self.good.contains(status) {
            let wanted = self.plan.body.as_deref();
            let found = wanted.is_none_or(|text| {
                text.is_empty() || memchr::memmem::find(&answer.body, text.as_bytes()).is_some()
            });
            return Ok(Some(if found {
                (Finding::Success, String::new())
            } else {
                (Finding::BadStatus, absent(answer.body.len()))
            }));
        }
        let speaks = self.bad.is_none_or(|bad| bad.contains(status));
        Ok(speaks.then(|| (Finding::BadStatus, format!("status {status}"))))
    }

    /// Asks by the protocol of health of gRPC.
    async fn check(&self, pool: &Rc<Pool>, timer: &Timer) -> Result<Option<(Finding, String)>, Fault> {
        let question = grpc::question(self.plan.service.as_deref().unwrap_or_default());
        let mut request = RequestHead::default();
        request.set_method("POST");
        let _ = request.set_path(grpc::PATH);
        request.framing = BodyFraming::Length(question.len() as u64);
        self.introduce(&mut request)?;
        request.fields.insert(Known::ContentType, b"application/grpc")?;
        request.fields.insert("te", b"trailers")?;
        let fetch = Fetch { pool, timer, request: &request, body: &question, limits: self.limits() };
        let answer = fetch.whole(&mut Unwatched::default()).await?;
        Ok(Some(
            match grpc::verdict(answer.head.status, &answer.head.fields, &answer.trailers, &answer.body) {
                Ok(()) => (Finding::Success, String::new()),
                Err(why) => (Finding::BadStatus, why),
            },
        ))
    }

    fn limits(&self) -> FetchLimits {
        FetchLimits {
            timeout: self.plan.timeout.as_duration(),
            body_bytes: LONGEST_ANSWER,
            head: HeadLimits::default(),
        }
    }

    fn request(&self) -> Result<RequestHead, InvalidField> {
        let mut request = RequestHead::default();
        request.set_method("GET");
        let (path, query) = match self.plan.path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (&*self.plan.path, None),
        };
        // Both were checked with the configuration.
        let _ = request.set_path(path.as_bytes());
        let _ = request.set_query(query.map(str::as_bytes));
        self.introduce(&mut request)?;
        Ok(request)
    }

    /// Says who is asked, and who asks.
    fn introduce(&self, request: &mut RequestHead) -> Result<(), InvalidField> {
        let host = self.plan.host.as_deref().unwrap_or(&self.authority);
        request.fields.insert(Known::Host, host.as_bytes())?;
        request.fields.insert(Known::UserAgent, b"torana-probe")?;
        let mut before = None;
        for (name, value) in &self.plan.headers {
            // The first of a name takes the place of what would be sent.
            match before.replace(name) {
                Some(before) if before == name => request.fields.append(name.as_str(), value.as_bytes())?,
                _ => request.fields.insert(name.as_str(), value.as_bytes())?,
            }
        }
        Ok(())
    }
}

/// Why the text was not found in so many bytes.
fn absent(searched: usize) -> String {
    let beginning = if searched < LONGEST_ANSWER { "" } else { " in its first 64 KiB" };
    format!("the answer does not contain the text{beginning}")
}

fn kind(fault: &Fault) -> Finding {
    match fault.reason {
        Reason::TotalTimeout
        | Reason::UpstreamConnectTimeout
        | Reason::UpstreamFirstByteTimeout
        | Reason::UpstreamIdleTimeout
        | Reason::PoolTimeout => Finding::TimedOut,
        _ => Finding::ConnectFailed,
    }
}

/// This configuration is in force from now on, and none before it: its probers ask, and no others do.
pub(crate) fn take_over(before: Option<&Pipeline>, after: &Pipeline) {
    let asking: HashSet<*const Prober> = probers(after).map(Arc::as_ptr).collect();
    let ended = before.into_iter().flat_map(probers).filter(|prober| !asking.contains(&Arc::as_ptr(prober)));
    ended.for_each(|prober| prober.end());
    probers(after).for_each(Prober::begin);
}

fn probers(pipeline: &Pipeline) -> impl Iterator<Item = &Arc<Prober>> {
    pipeline
        .upstreams
        .iter()
        .filter_map(|upstream| upstream.health.as_ref())
        .flat_map(|health| &health.probers)
}

async fn run(prober: Weak<Prober>, term: u64) {
    let (timer, random) = (Timer::default(), RequestIds::default());
    let asks = || prober.upgrade().filter(|prober| prober.is_in(term));
    loop {
        let Some(held) = asks() else { return };
        let _ = now();
        let wait = match held.interval() {
            Some(interval) => {
                // A pool for each question, or the next would go on the same HTTP/2 connection.
                held.probe(term, &Pool::new(Arc::clone(&held.endpoint)), &timer).await;
                // The probe may have changed sides, and with it the interval.
                jittered(held.interval().unwrap_or(interval), random.word())
            }
            None => LOOK,
        };
        drop(held);
        // A configuration that is gone is noticed soon, however long the interval.
        let mut left = wait;
        while left > Duration::ZERO && asks().is_some() {
            let step = left.min(Duration::from_secs(1));
            tokio::time::sleep(step).await;
            left = left.saturating_sub(step);
        }
    }
}

/// From nine tenths to eleven tenths, so that many probers do not ask at once.
fn jittered(interval: Duration, random: u64) -> Duration {
    #[allow(clippy::cast_precision_loss, reason = "a share does not need more than 53 bits")]
    let share = 0.9 + 0.2 * (random as f64 / u64::MAX as f64);
    interval.mul_f64(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_near_the_interval() {
        let interval = Duration::from_secs(10);
        for random in [0, 1, u64::MAX / 2, u64::MAX] {
            let wait = jittered(interval, random);
            assert!((Duration::from_secs(9)..=Duration::from_millis(11_001)).contains(&wait), "{wait:?}");
        }
    }
}
