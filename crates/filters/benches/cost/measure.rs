//! Nanoseconds, without what it takes to bring a request before a filter.

use crate::case::Case;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;
use torana_filter::{Exchange, OnRequest, OnResponse, Outside, Verdict};
use torana_filters::Filter;
use torana_http::ResponseHead;

/// Requests between two looks at the clock; few, so that they stay in the nearest cache.
const BATCH: usize = 16;

/// The median over so many rounds, for one request.
pub fn median(case: &Case, rounds: usize) -> u64 {
    let mut filter = case.filter();
    let mut exchanges: Vec<Exchange> = (0..BATCH).map(|_| Exchange::default()).collect();
    let mut responses: Vec<ResponseHead> = (0..BATCH).map(|_| ResponseHead::default()).collect();
    // Slow passwords are verified beside: the first request waits for them.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    case.receive(0, &mut exchanges[0]);
    let first = runtime.block_on(filter.on_request(&mut exchanges[0], &*case.outside));
    assert!(matches!(first, Verdict::Continue), "{}: {first:?}", case.name);
    let mut samples: Vec<u64> = (0..rounds)
        .map(|round| {
            if case.forgetful {
                filter = case.filter();
            }
            for (place, exchange) in exchanges.iter_mut().enumerate() {
                case.receive(round * BATCH + place, exchange);
            }
            responses.iter_mut().for_each(|response| {
                response.clear();
                response.status = 200;
                response.fields.append("Content-Type", b"application/json").unwrap();
                response.fields.append("Server", b"orders").unwrap();
            });
            let start = Instant::now();
            let passed = if case.on_response {
                back(&filter, &mut exchanges, &mut responses)
            } else {
                forth(&filter, &mut exchanges, &*case.outside)
            };
            let taken = start.elapsed();
            assert_eq!(passed, BATCH, "{}", case.name);
            u64::try_from(taken.as_nanos()).unwrap() / BATCH as u64
        })
        .collect();
    samples.sort_unstable();
    samples[samples.len() / 2]
}

fn forth(filter: &Filter, exchanges: &mut [Exchange], outside: &dyn Outside) -> usize {
    let pass =
        |exchange: &mut Exchange| matches!(at_once(filter.on_request(exchange, outside)), Verdict::Continue);
    exchanges.iter_mut().map(pass).filter(|passed| *passed).count()
}

fn back(filter: &Filter, exchanges: &mut [Exchange], responses: &mut [ResponseHead]) -> usize {
    let pass = |(exchange, response): (&mut Exchange, &mut ResponseHead)| {
        matches!(at_once(filter.on_response(exchange, response)), Verdict::Continue)
    };
    exchanges.iter_mut().zip(responses).map(pass).filter(|passed| *passed).count()
}

/// What a filter says that waits for nobody.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the filter waits"),
    }
}
