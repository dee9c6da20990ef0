//! Answers of a service that are kept for the time when its breaker is open.
//!
//! - [`Stale`]: what is kept of one service, shared by all routes and workers, kept over reloads.
//! - [`Question`]: a request as far as its answer may be kept, taken from there, or changes what is there.
//! - `capture`: an answer on its way to the client, copied; `around`: where it passes by.
//!
//! What may be kept, for whom and for how long is `torana-cache`'s matter. A service without `stale` has no question,
//! and nothing here is reached.

mod around;
mod capture;
mod question;

pub(crate) use question::Question;

use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use torana_cache::{Cache, Rules, Standing};
use torana_filter::Response;
use torana_http::{FieldName, Fields, InvalidField, Known, ResponseHead, Version};
use torana_plan::StalePlan;

/// What is kept of one service.
#[derive(Debug)]
pub struct Stale {
    cache: Cache<Kept>,
    rules: Rules,
    /// The longest body, in bytes.
    largest: usize,
    /// The fields in which some route asks who calls.
    credentials: Arc<[FieldName]>,
    given: AtomicU64,
}

/// A whole answer with status 200, as the service gave it.
#[derive(Debug)]
struct Kept {
    fields: Fields,
    version: Version,
    body: Bytes,
}

impl Stale {
    /// Nothing yet, by these rules. Whoever sends one of these fields shows who calls.
    #[must_use]
    pub fn new(plan: &StalePlan, credentials: Arc<[FieldName]>) -> Self {
        Self {
            cache: Cache::new(plan.memory.as_usize()),
            rules: Rules { grace: plan.grace.as_duration(), unmarked: plan.unmarked },
            largest: plan.largest.as_usize(),
            credentials,
            given: AtomicU64::new(0),
        }
    }

    /// How many answers were given from what is kept.
    #[must_use]
    pub fn given(&self) -> u64 {
        self.given.load(Ordering::Relaxed)
    }

    /// Bytes of what is kept, and how many answers that are.
    #[must_use]
    pub fn usage(&self) -> (usize, usize) {
        self.cache.usage()
    }
}

impl Kept {
    /// What is given, with its age (RFC 9111 section 5.1) and where it comes from (RFC 9211).
    fn response(&self, standing: &Standing) -> Result<Response, InvalidField> {
        let mut head = ResponseHead { version: self.version, ..ResponseHead::new(200) };
        head.fields.extend(&self.fields);
        let mut number = itoa::Buffer::new();
        head.fields.insert(Known::Age, number.format(standing.age.as_secs()).as_bytes())?;
        head.fields.append("Cache-Status", format!("torana; hit; ttl={}", standing.ttl).as_bytes())?;
        // Written out, for HEAD as well.
        head.fields.insert(Known::ContentLength, number.format(self.body.len()).as_bytes())?;
        Ok(Response { head, body: self.body.clone() })
    }
}
