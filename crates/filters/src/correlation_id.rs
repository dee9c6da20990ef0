//! An identifier that goes with a request through every service, so that their logs can be put together.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};
use torana_config::written::{CorrelationIdCharacters, CorrelationIdConfig, CorrelationIdGenerator};
use torana_fault::Fault;
use torana_filter::{Ends, Exchange, OnRequest, OnResponse, Outside, Verdict};
use torana_http::ResponseHead;
use uuid::Uuid;
use uuid::fmt::Hyphenated;

/// Random bytes that are drawn at once: asking for few costs as much as asking for many.
const DRAWN: usize = 1024;

/// An identifier that goes with a request.
#[derive(Clone, Debug)]
pub struct CorrelationIdFilter {
    plan: Arc<CorrelationIdConfig>,
}

/// What numbered identifiers of this process begin with.
static OWN: LazyLock<String> = LazyLock::new(|| uuid().hyphenated().to_string());
/// The next number of such an identifier.
static NEXT: AtomicU64 = AtomicU64::new(1);
/// The next number of a tracker.
static NEXT_TRACKER: AtomicU64 = AtomicU64::new(1);

impl CorrelationIdFilter {
    /// Prepares the filter.
    #[must_use]
    pub fn prepare(plan: &Arc<CorrelationIdConfig>) -> Self {
        Self { plan: Arc::clone(plan) }
    }

    /// What it does; it asks for nothing.
    #[must_use]
    pub fn describe(&self) -> String {
        format!("nothing; gives the request an identifier in `{}`, where it has none", self.plan.header)
    }

    /// The identifier of a request that has passed the filter, taken over or made.
    #[must_use]
    pub fn of<'r>(&self, exchange: &'r Exchange) -> Option<&'r [u8]> {
        // One that the filter has not seen yet is whatever the client sent.
        exchange.correlated.then(|| exchange.request.fields.get(self.plan.header.as_str())).flatten()
    }

    /// Sees to the identifier: one that came along stays if it may, else one is made.
    ///
    /// # Errors
    /// The head has no room for it.
    pub fn correlate(&self, exchange: &mut Exchange) -> Result<(), Fault> {
        exchange.correlated = true;
        let header = self.plan.header.as_str();
        let mut incoming = exchange.request.fields.get_all(header);
        let keep = incoming.next().is_some_and(|id| self.is_acceptable(id)) && incoming.next().is_none();
        drop(incoming);
        if keep {
            return Ok(());
        }
        let mut room = [0; Hyphenated::LENGTH];
        let own = self.make(exchange, &mut room);
        Ok(exchange.request.fields.insert(header, own.as_bytes())?)
    }

    fn is_acceptable(&self, id: &[u8]) -> bool {
        let any = self.plan.accept == CorrelationIdCharacters::Any;
        (1..=self.plan.max_length).contains(&id.len()) && (any || id.iter().all(u8::is_ascii_graphic))
    }

    fn make<'r>(&self, exchange: &Exchange, room: &'r mut [u8; Hyphenated::LENGTH]) -> Cow<'r, str> {
        let next = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        match self.plan.generator {
            CorrelationIdGenerator::Uuid => Cow::Borrowed(uuid().hyphenated().encode_lower(room)),
            CorrelationIdGenerator::UuidCounter => Cow::Owned(format!("{}#{}", *OWN, next(&NEXT))),
            CorrelationIdGenerator::Tracker => {
                let Ends { local, peer } = exchange.ends;
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
                let (process, number) = (std::process::id(), next(&NEXT_TRACKER));
                let (own, port, theirs) = (local.ip().to_canonical(), local.port(), peer.port());
                Cow::Owned(format!("{own}-{port}-{process}-{theirs}-{number}-{now:.3}"))
            }
        }
    }
}

/// A random UUID (RFC 9562 section 5.4).
pub(crate) fn uuid() -> Uuid {
    thread_local! {
        /// Bytes, and how many of them are left.
        static AHEAD: RefCell<(usize, [u8; DRAWN])> = const { RefCell::new((0, [0; DRAWN])) };
    }
    let random = AHEAD.with_borrow_mut(|(left, drawn)| {
        if *left < 16 {
            aws_lc_rs::rand::fill(drawn).expect("the system's source of randomness does not fail");
            *left = DRAWN;
        }
        *left = left.saturating_sub(16);
        // Always there: they are drawn sixty-four times sixteen.
        drawn.get(*left..).and_then(<[u8]>::first_chunk::<16>).copied().unwrap_or_default()
    });
    uuid::Builder::from_random_bytes(random).into_uuid()
}

impl OnRequest for CorrelationIdFilter {
    async fn on_request(&self, exchange: &mut Exchange, _: &dyn Outside) -> Verdict {
        match self.correlate(exchange) {
            Ok(()) => Verdict::Continue,
            Err(fault) => Verdict::Fail(fault),
        }
    }
}

impl OnResponse for CorrelationIdFilter {
    async fn on_response(&self, exchange: &mut Exchange, response: &mut ResponseHead) -> Verdict {
        if self.plan.echo
            && let Some(id) = exchange.request.fields.get(self.plan.header.as_str())
            && let Err(invalid) = response.fields.insert(self.plan.header.as_str(), id)
        {
            return Verdict::Fail(invalid.into());
        }
        Verdict::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn identifiers_are_distinct_and_of_their_form() {
        let all: HashSet<String> = (0..1_000).map(|_| uuid().hyphenated().to_string()).collect();
        assert_eq!(all.len(), 1_000);
        for id in &all {
            let parts: Vec<&str> = id.split('-').collect();
            assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{id}");
            assert!(parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']), "{id}");
        }
        let config =
            CorrelationIdConfig { generator: CorrelationIdGenerator::UuidCounter, ..Default::default() };
        let filter = CorrelationIdFilter::prepare(&Arc::new(config));
        let exchange = Exchange::default();
        let [first, second] =
            [(); 2].map(|()| filter.make(&exchange, &mut [0; Hyphenated::LENGTH]).into_owned());
        assert_eq!(first.strip_suffix("#1"), second.strip_suffix("#2"));
        assert!(first.ends_with("#1"));
    }

    #[test]
    fn a_tracker_is_of_six_parts() {
        let config = CorrelationIdConfig { generator: CorrelationIdGenerator::Tracker, ..Default::default() };
        let ends = Ends { local: ([192, 0, 2, 1], 8000).into(), peer: ([192, 0, 2, 7], 5555).into() };
        let exchange = Exchange { ends, ..Exchange::default() };
        let mut room = [0; Hyphenated::LENGTH];
        let made = CorrelationIdFilter::prepare(&Arc::new(config)).make(&exchange, &mut room);
        let parts: Vec<&str> = made.split('-').collect();
        let process = std::process::id().to_string();
        assert_eq!(parts[..4], ["192.0.2.1", "8000", process.as_str(), "5555"], "{made}");
        assert!(parts.len() == 6 && parts[4].parse::<u64>().is_ok(), "{made}");
        let (seconds, thousandths) = parts[5].split_once('.').unwrap();
        assert!(seconds.parse::<u64>().unwrap() > 1_700_000_000 && thousandths.len() == 3, "{made}");
    }
}
