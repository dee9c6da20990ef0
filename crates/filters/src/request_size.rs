//! How long the body of a request may be.
//!
//! A declared length is refused at once; a body in chunks is counted on its way, by what the filter notes in
//! the exchange.

use std::sync::Arc;
use torana_config::written::{DeclaredLength, DeclaredLengthWord};
use torana_fault::{Fault, Reason};
use torana_filter::{Exchange, OnRequest, Outside, Verdict};
use torana_http::h1::BodyFraming;
use torana_http::{Known, RequestHead};
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
        let declared = match self.plan.require_content_length {
            DeclaredLength::Bodies(false) => "",
            DeclaredLength::Bodies(true) => ", its length declared",
            DeclaredLength::Word(DeclaredLengthWord::UnlessChunked) => ", its length declared or in chunks",
        };
        format!("a body of at most {}{declared}", ByteSize::from_bytes(self.plan.limit))
    }
}

impl RequestSizeFilter {
    /// Whether the request had to say how long its body is, and does not.
    fn lacks_length(&self, request: &RequestHead) -> bool {
        match self.plan.require_content_length {
            DeclaredLength::Bodies(wanted) => wanted && request.framing == BodyFraming::Chunked,
            // In HTTP/2 a body without length is one in pieces.
            DeclaredLength::Word(DeclaredLengthWord::UnlessChunked) => {
                request.framing == BodyFraming::None && !request.fields.contains(Known::ContentLength)
            }
        }
    }
}

impl OnRequest for RequestSizeFilter {
    async fn on_request(&self, exchange: &mut Exchange, _: &dyn Outside) -> Verdict {
        let (request, limit) = (&exchange.request, self.plan.limit);
        if matches!(request.framing, BodyFraming::Length(length) if length > limit) {
            let fault = Fault::new(Reason::BodyTooLarge).because("longer than `request_size`");
            let expected = self.plan.expectation_failed && request.expects_continue;
            return Verdict::Fail(if expected { fault.with_status(417) } else { fault });
        }
        if self.lacks_length(request) {
            return Verdict::Fail(Fault::new(Reason::LengthRequired));
        }
        let known = exchange.body_limit.unwrap_or(u64::MAX);
        exchange.body_limit = Some(known.min(limit));
        Verdict::Continue
    }
}

#[cfg(test)]
mod tests;
