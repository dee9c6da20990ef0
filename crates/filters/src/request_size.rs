//! How long the body of a request may be.
//!
//! A declared length is refused at once; a body in chunks is counted on its way, by what the filter notes in
//! the exchange.

use std::sync::Arc;
use torana_fault::{Fault, Reason};
use torana_filter::{Exchange, OnRequest, Outside, Verdict};
use torana_http::h1::BodyFraming;
use torana_plan::RequestSizePlan;
use torana_types::ByteSize;

/// How long the body of a request may be.
#[derive(Clone, Debug)]
pub struct RequestSizeFilter {
    plan: Arc<RequestSizePlan>,
}

impl RequestSizeFilter {
    /// Prepares the filter.
    #[must_use]
    pub fn prepare(plan: &Arc<RequestSizePlan>) -> Self {
        Self { plan: Arc::clone(plan) }
    }

    /// What it asks for.
    #[must_use]
    pub fn describe(&self) -> String {
        let declared = if self.plan.require_content_length { ", its length declared" } else { "" };
        format!("a body of at most {}{declared}", ByteSize::from_bytes(self.plan.limit))
    }
}

impl OnRequest for RequestSizeFilter {
    async fn on_request(&self, exchange: &mut Exchange, _: &dyn Outside) -> Verdict {
        let limit = self.plan.limit;
        match exchange.request.framing {
            BodyFraming::None => {}
            BodyFraming::Length(length) if length > limit => {
                return Verdict::Fail(Fault::new(Reason::BodyTooLarge).because("longer than `request_size`"));
            }
            BodyFraming::Length(_) => {}
            _ if self.plan.require_content_length => {
                return Verdict::Fail(Fault::new(Reason::LengthRequired));
            }
            _ => {}
        }
        let known = exchange.body_limit.unwrap_or(u64::MAX);
        exchange.body_limit = Some(known.min(limit));
        Verdict::Continue
    }
}
