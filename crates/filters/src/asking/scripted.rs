//! For tests: a world outside that answers from a list, and a filter as people write it.

use crate::authentication::{AuthenticationFilter, FailureLimit, Method, Place};
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;
use torana_config::FixedResolver;
use torana_fault::Fault;
use torana_filter::{BoxFuture, Exchange, FetchBounds, Moment, OnRequest, Outside, Response, Verdict};
use torana_http::{RequestHead, ResponseHead};
use torana_plan::{AuthenticationPlan, PolicyPlan, load};

/// Gives its answers in order.
#[derive(Default)]
pub(crate) struct Scripted {
    answers: RefCell<VecDeque<Result<Response, Fault>>>,
    pub(crate) asked: Cell<usize>,
}

impl Scripted {
    pub(crate) fn then(self, status: u16, fields: &[(&str, &str)], body: &str) -> Self {
        let mut head = ResponseHead::new(status);
        for (name, value) in fields {
            head.fields.append(*name, value.as_bytes()).unwrap();
        }
        let body = Bytes::copy_from_slice(body.as_bytes());
        self.answers.borrow_mut().push_back(Ok(Response { head, body }));
        self
    }

    pub(crate) fn then_fails(self, fault: Fault) -> Self {
        self.answers.borrow_mut().push_back(Err(fault));
        self
    }
}

impl Outside for Scripted {
    fn fetch<'a>(
        &'a self,
        _: usize,
        _: &'a mut RequestHead,
        _: &'a [u8],
        _: FetchBounds,
    ) -> BoxFuture<'a, Result<Response, Fault>> {
        self.asked.set(self.asked.get() + 1);
        let answer = self.answers.borrow_mut().pop_front().expect("no more questions were expected");
        Box::pin(async { answer })
    }
}

/// The way to say who calls that is written so, alone on a route.
pub(crate) fn alone(policy: &str, make: impl FnOnce(&AuthenticationPlan) -> Method) -> AuthenticationFilter {
    limited(policy, None, make)
}

/// As [`alone`], where wrong credentials are limited.
pub(crate) fn limited(
    policy: &str,
    failures: Option<Arc<FailureLimit>>,
    make: impl FnOnce(&AuthenticationPlan) -> Method,
) -> AuthenticationFilter {
    let text = format!(
        "services: {{ a: {{ endpoints: [http://a] }} }}\nconsumers: [{{ username: alice, certificates: [{{ name: alice }}] }}]\npolicies: {{ {policy} }}\nroutes: [{{ service: a }}]\n"
    );
    let loaded = load("t.yaml", &text, &FixedResolver::default());
    let plan = loaded.plan.unwrap_or_else(|| panic!("{:?}", loaded.findings));
    let PolicyPlan::Authentication(way) = &plan.routes[0].policies[0].policy else { panic!("a way") };
    let place = Place { all: true, last: true, ..Place::default() };
    AuthenticationFilter::new(Arc::new(make(way)), place, failures)
}

/// Shows a bearer token at a second; gives 200 where it passes, else the status of the refusal.
pub(crate) async fn at(filter: &AuthenticationFilter, outside: &Scripted, second: u64, token: &str) -> u16 {
    let moment = Moment { unix_seconds: second, ..Moment::default() };
    let mut exchange = Exchange { moment, ..Exchange::default() };
    exchange.request.fields.insert("Authorization", format!("Bearer {token}").as_bytes()).unwrap();
    assert!(exchange.request.set_path(b"/"));
    match filter.on_request(&mut exchange, outside).await {
        Verdict::Continue => 200,
        Verdict::Fail(fault) => fault.status(),
        Verdict::Respond(response) => response.head.status,
    }
}
