//! Code from outside is a filter as any other.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::sync::Arc;
use torana_fault::{Fault, Reason};
use torana_filter::{
    BoxFuture, DynamicFilter, Exchange, Needs, Offline, OnRequest as _, OnResponse as _, Outside, Verdict,
};
use torana_filters::Filter;
use torana_http::ResponseHead;

/// Refuses paths that end with a dot, and says on answers that it was there.
#[derive(Debug)]
struct NoDots;

impl DynamicFilter for NoDots {
    fn name(&self) -> &str {
        "no_dots"
    }

    fn needs(&self) -> Needs {
        Needs::body(7)
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange, _: &'a dyn Outside) -> BoxFuture<'a> {
        Box::pin(async {
            match exchange.request.path().ends_with(b".") {
                true => Verdict::Fail(Fault::new(Reason::Forbidden)),
                false => Verdict::Continue,
            }
        })
    }

    fn on_response<'a>(&'a self, _: &'a mut Exchange, response: &'a mut ResponseHead) -> BoxFuture<'a> {
        Box::pin(async {
            response.fields.insert("x-no-dots", b"yes").unwrap();
            Verdict::Continue
        })
    }
}

#[tokio::test]
async fn a_dynamic_filter_is_asked_through_the_enum() {
    let filter = Filter::Dynamic(Arc::new(NoDots));
    let mut exchange = Exchange::default();
    assert_eq!((filter.name(), filter.needs(&exchange)), ("no_dots", Needs::body(7)));
    assert!(exchange.request.set_path(b"/a"));
    assert!(matches!(filter.on_request(&mut exchange, &Offline).await, Verdict::Continue));
    let mut response = ResponseHead::default();
    assert!(matches!(filter.on_response(&mut exchange, &mut response).await, Verdict::Continue));
    assert_eq!(response.fields.get("x-no-dots"), Some(&b"yes"[..]));
    assert!(exchange.request.set_path(b"/a."));
    let verdict = filter.on_request(&mut exchange, &Offline).await;
    assert!(matches!(verdict, Verdict::Fail(fault) if fault.reason == Reason::Forbidden));
}
