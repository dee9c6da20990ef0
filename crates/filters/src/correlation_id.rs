//! An identifier that goes with a request through every service, so that their logs can be put together.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use torana_config::written::{CorrelationIdConfig, CorrelationIdGenerator};
use torana_filter::{Exchange, OnRequest, OnResponse, Outside, Verdict};
use torana_http::{RequestHead, ResponseHead};

/// The longest identifier that is taken over from a client, in bytes.
const LONGEST: usize = 128;

/// An identifier that goes with a request.
#[derive(Clone, Debug)]
pub struct CorrelationIdFilter {
    plan: Arc<CorrelationIdConfig>,
}

/// What numbered identifiers of this process begin with.
static OWN: LazyLock<String> = LazyLock::new(uuid);
/// The next number.
static NEXT: AtomicU64 = AtomicU64::new(1);

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

    /// The identifier of a request that has passed the filter.
    #[must_use]
    pub fn of<'r>(&self, request: &'r RequestHead) -> Option<&'r str> {
        // One that the filter has not seen yet is whatever the client sent.
        request.fields.get_str(self.plan.header.as_str()).filter(|id| is_acceptable(id.as_bytes()))
    }

    fn make(&self) -> String {
        match self.plan.generator {
            CorrelationIdGenerator::Uuid => uuid(),
            CorrelationIdGenerator::UuidCounter => {
                format!("{}#{}", *OWN, NEXT.fetch_add(1, Ordering::Relaxed))
            }
        }
    }
}

fn is_acceptable(id: &[u8]) -> bool {
    (1..=LONGEST).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

/// A random UUID (RFC 9562 section 5.4).
fn uuid() -> String {
    let mut random = [0; 16];
    aws_lc_rs::rand::fill(&mut random).expect("the system's source of randomness does not fail");
    let number = u128::from_be_bytes(random);
    let number = number & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let digits = format!("{number:032x}");
    let part = |from, to| digits.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

impl OnRequest for CorrelationIdFilter {
    async fn on_request(&self, exchange: &mut Exchange, _: &dyn Outside) -> Verdict {
        let fields = &mut exchange.request.fields;
        let mut incoming = fields.get_all(self.plan.header.as_str());
        let keep = incoming.next().is_some_and(is_acceptable) && incoming.next().is_none();
        drop(incoming);
        if !keep && let Err(invalid) = fields.insert(self.plan.header.as_str(), self.make().as_bytes()) {
            return Verdict::Fail(invalid.into());
        }
        Verdict::Continue
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
        let all: HashSet<String> = (0..1_000).map(|_| uuid()).collect();
        assert_eq!(all.len(), 1_000);
        for id in &all {
            let parts: Vec<&str> = id.split('-').collect();
            assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{id}");
            assert!(parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']), "{id}");
        }
        let config =
            CorrelationIdConfig { generator: CorrelationIdGenerator::UuidCounter, ..Default::default() };
        let filter = CorrelationIdFilter::prepare(&Arc::new(config));
        let (first, second) = (filter.make(), filter.make());
        assert_eq!(first.strip_suffix("#1"), second.strip_suffix("#2"));
        assert!(first.ends_with("#1"));
    }
}
