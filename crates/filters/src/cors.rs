//! What pages of other origins may do (the Fetch standard, section 3.2).
//!
//! A preflight is answered here, before anything asks for credentials that a browser does not send with it.
//! On every other answer the gateway alone decides: what a service says of `Access-Control-*` is replaced.

use crate::origin;
use std::sync::Arc;
use torana_fault::{Fault, Reason};
use torana_filter::{Exchange, OnRequest, OnResponse, Outside, Response, Verdict};
use torana_http::{Fields, Known, KnownSet, Method, RequestHead, ResponseHead};
use torana_plan::{CorsPlan, OriginPattern};

/// What all fields of the protocol begin with; none of them is well-known.
const ALL: &str = "Access-Control-";
const ALLOW_ORIGIN: &str = "Access-Control-Allow-Origin";
const ALLOW_CREDENTIALS: &str = "Access-Control-Allow-Credentials";
const EXPOSE_HEADERS: &str = "Access-Control-Expose-Headers";

/// What pages of other origins may do.
#[derive(Clone, Debug)]
pub struct CorsFilter {
    plan: Arc<CorsPlan>,
    /// Whether every origin may, so that the answer is the same for all.
    any: bool,
}

/// The method that a page asks for, where the request is a preflight.
#[must_use]
pub fn preflight_method(request: &RequestHead) -> Option<&[u8]> {
    if request.method() != Method::Options || !request.fields.contains(Known::Origin) {
        return None;
    }
    request.fields.get("Access-Control-Request-Method")
}

impl CorsFilter {
    /// Prepares the filter.
    #[must_use]
    pub fn prepare(plan: &Arc<CorsPlan>) -> Self {
        let any = plan.origins.contains(&OriginPattern::Any);
        Self { plan: Arc::clone(plan), any }
    }

    /// Whether preflights are answered here rather than by the service.
    #[must_use]
    pub fn answers_preflights(&self) -> bool {
        !self.plan.preflight_continue
    }

    /// What it asks for.
    #[must_use]
    pub fn describe(&self) -> String {
        let origins = self.plan.origins.iter().map(|pattern| match pattern {
            OriginPattern::Any => "any".to_owned(),
            OriginPattern::Exact(exact) => exact.clone(),
            OriginPattern::Below(scheme, suffix) => format!("{scheme}*{suffix}"),
            OriginPattern::Regex(regex) => format!("~{}", regex.as_str()),
        });
        let with = if self.plan.credentials { ", with credentials" } else { "" };
        let others = if self.plan.refuse_others { "pages of no other origin" } else { "nothing" };
        format!("{others}; pages of {} may read answers{with}", origins.collect::<Vec<_>>().join(", "))
    }

    /// Whether the answer is the same for every origin, so that none needs to be named.
    fn is_same_for_all(&self) -> bool {
        self.any && !self.plan.credentials
    }

    /// The request's origin, if its page may read the answer.
    fn may<'r>(&self, request: &'r RequestHead) -> Option<&'r str> {
        let origin = origin::of(&request.fields)?;
        if self.any {
            // Nothing that is no origin is repeated.
            return (origin == "null" || origin::parts(origin).is_some()).then_some(origin);
        }
        origin::is_one_of(origin, &self.plan.origins).then_some(origin)
    }

    /// The value of `Access-Control-Allow-Origin` for this request.
    fn told<'r>(&'r self, request: &'r RequestHead) -> Option<&'r str> {
        let asks = request.fields.contains(Known::Origin);
        let absent = !asks && self.plan.allow_origin_absent;
        match &self.plan.always {
            Some(always) => (asks || absent).then_some(always),
            None if self.any && (absent || (asks && !self.plan.credentials)) => Some("*"),
            None => self.may(request),
        }
    }

    fn permit(&self, request: &RequestHead, fields: &mut Fields) -> bool {
        if !self.is_same_for_all() || !self.plan.allow_origin_absent {
            vary(fields, "Origin");
        }
        fields.strip(KnownSet::of(&[]), |name| {
            name.get(..ALL.len()).is_some_and(|start| start.eq_ignore_ascii_case(ALL.as_bytes()))
        });
        let Some(told) = self.told(request) else { return false };
        // An origin that was compared holds nothing that a field may not.
        let _ = fields.insert(ALLOW_ORIGIN, told.as_bytes());
        if self.plan.credentials && told != "*" {
            let _ = fields.insert(ALLOW_CREDENTIALS, b"true");
        }
        true
    }

    fn preflight(&self, request: &RequestHead) -> Response {
        let plan = &self.plan;
        let mut head = ResponseHead::new(plan.preflight_status);
        let fields = &mut head.fields;
        if self.permit(request, fields) {
            let mut set = |name: &'static str, value: &[u8]| {
                // Names and values come from the plan or from a field that was read.
                let _ = fields.insert(name, value);
            };
            set("Access-Control-Allow-Methods", plan.methods.as_bytes());
            let asked = request.fields.get("Access-Control-Request-Headers");
            if let Some(headers) = plan.headers.as_deref().map(str::as_bytes).or(asked) {
                set("Access-Control-Allow-Headers", headers);
            }
            if let Some(seconds) = plan.max_age {
                set("Access-Control-Max-Age", seconds.to_string().as_bytes());
            }
            let private = request.fields.get("Access-Control-Request-Private-Network");
            if plan.private_network && private == Some(b"true") {
                set("Access-Control-Allow-Private-Network", b"true");
            }
            if plan.headers.is_none() {
                vary(&mut head.fields, "Access-Control-Request-Headers");
            }
        }
        Response { head, body: bytes::Bytes::new() }
    }
}

/// Adds a name to `Vary`, unless it is there.
fn vary(fields: &mut Fields, name: &'static str) {
    let there = fields.get_all(Known::Vary).any(|value| {
        value.split(|byte| *byte == b',').any(|own| {
            let own = own.trim_ascii();
            own.eq_ignore_ascii_case(name.as_bytes()) || own == b"*"
        })
    });
    if !there {
        let _ = fields.append(Known::Vary, name.as_bytes());
    }
}

impl OnRequest for CorsFilter {
    async fn on_request(&self, exchange: &mut Exchange, _: &dyn Outside) -> Verdict {
        let request = &exchange.request;
        if !self.plan.preflight_continue && preflight_method(request).is_some() {
            return Verdict::Respond(Box::new(self.preflight(request)));
        }
        if self.plan.refuse_others
            && !self.any
            && request.fields.contains(Known::Origin)
            && self.may(request).is_none()
        {
            let own =
                origin::of(&request.fields).is_some_and(|origin| origin::is_host(origin, request.host()));
            if !own {
                let detail = "a page of another origin than those that may";
                return Verdict::Fail(Fault::new(Reason::OriginNotAllowed).because(detail));
            }
        }
        Verdict::Continue
    }
}

impl OnResponse for CorsFilter {
    async fn on_response(&self, exchange: &mut Exchange, response: &mut ResponseHead) -> Verdict {
        if preflight_method(&exchange.request).is_some() {
            return Verdict::Continue;
        }
        let fields = &mut response.fields;
        if self.permit(&exchange.request, fields)
            && let Some(exposed) = &self.plan.exposed
        {
            let _ = fields.insert(EXPOSE_HEADERS, exposed.as_bytes());
        }
        Verdict::Continue
    }
}

#[cfg(test)]
mod tests;
