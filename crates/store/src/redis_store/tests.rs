//! The script against the algorithms it repeats: the same steps at the same times give the same answers.

use super::*;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use torana_limit::{Budget, FixedWindow, Gcra, Period, SlidingWindow, Window};
use torana_testkit::RedisServer;

/// The script with a clock that is passed in.
fn with_clock() -> String {
    let clock = "redis.call('TIME')";
    assert!(SCRIPT.contains(clock));
    SCRIPT.replacen(clock, "{ ARGV[#ARGV - 1], ARGV[#ARGV] }", 1)
}

#[derive(Clone, Debug)]
enum Act {
    Take { want: u64, least: u64, charge: bool },
    Back { permits: u64, ago: u64 },
    Look,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (1_u64..40, any::<bool>(), any::<bool>()).prop_map(|(want, lease, charge)| Act::Take {
            want,
            least: if lease { want.div_ceil(4) } else { want },
            charge,
        }),
        1 => (1_u64..5, 0_u64..3_000_000).prop_map(|(permits, ago)| Act::Back { permits, ago }),
        1 => Just(Act::Look),
    ]
}

fn window() -> impl Strategy<Value = Window> {
    let span = prop_oneof![Just(1_u64), Just(7), Just(60), Just(86_400)].prop_map(Duration::from_secs);
    let limit = prop_oneof![1_u32..60, Just(997), Just(20_000), Just(1_000_003)];
    let period = prop_oneof![
        3 => span.clone().prop_map(Period::Span),
        1 => Just(Period::Month),
        1 => Just(Period::Year),
    ];
    prop_oneof![
        (limit.clone(), span.clone(), 1_u64..80, any::<bool>()).prop_map(|(limit, span, burst, leased)| {
            let gcra = Gcra::new(u64::from(limit), span, burst);
            Window::Gcra(if leased { gcra.leased(Duration::from_millis(100)) } else { gcra })
        }),
        (limit.clone(), period)
            .prop_map(|(limit, period)| { Window::Fixed(FixedWindow::new(u64::from(limit), period)) }),
        (limit, span).prop_map(|(limit, span)| Window::Sliding(SlidingWindow::new(limit, span))),
    ]
}

#[test]
fn the_script_decides_as_the_algorithms_do() {
    let server = RedisServer::start();
    let client = redis::Client::open(("127.0.0.1", server.port())).unwrap();
    let connection = std::cell::RefCell::new(client.get_connection().unwrap());
    let script = redis::Script::new(&with_clock());
    let cases = std::cell::Cell::new(0_u32);
    let steps = prop::collection::vec((0_u64..2_500_000, act()), 1..40);
    // One alone goes a way of its own.
    let windows = prop_oneof![prop::collection::vec(window(), 1), prop::collection::vec(window(), 2..4)];
    let mut runner = TestRunner::new(Config { cases: 250, failure_persistence: None, ..Config::default() });
    let done = runner.run(&(windows, steps), |(windows, steps)| {
        let case = cases.get() + 1;
        cases.set(case);
        let budget = Budget::new(windows[0], windows[1..].to_vec());
        prop_assert!(wire::fits(&budget));
        let limit = StoredLimit::new("test", budget.clone());
        let mut ledger = budget.ledger();
        let mut now = 1_700_000_000_000_000_u64;
        for (gap, act) in steps {
            now += gap;
            let at = Duration::from_micros(now);
            let mut invocation = script.key(format!("case {case}"));
            let (least, mut expected) = match act {
                Act::Take { want, least, charge } => {
                    invocation.arg("take").arg("life").arg(-1).arg(want).arg(least).arg(u8::from(charge));
                    let ask = Ask { want, least, charge_refused: charge, details: true };
                    (least, budget.take(&mut ledger, at, ask))
                }
                Act::Back { permits, ago } => {
                    let taken = now - ago;
                    invocation.arg("back").arg("life").arg(-1).arg(permits).arg(taken).arg(0);
                    budget.give_back(&mut ledger, Duration::from_micros(taken), permits);
                    (1, budget.look(&ledger, at))
                }
                Act::Look => {
                    invocation.arg("look").arg("life").arg(-1).arg(0).arg(1).arg(0);
                    (1, budget.look(&ledger, at))
                }
            };
            for argument in &limit.arguments {
                invocation.arg(argument);
            }
            invocation.arg(now / 1_000_000).arg(now % 1_000_000);
            let numbers: Vec<i64> = invocation.invoke(&mut *connection.borrow_mut()).unwrap();
            let got = wire::grant(&budget, least, true, &numbers).unwrap();
            // The script knows microseconds, rounded up.
            for view in &mut expected.all {
                view.retry_after = rounded(view.retry_after);
                view.reset_after = rounded(view.reset_after);
            }
            prop_assert_eq!(got.granted, expected.granted);
            prop_assert_eq!(&got.all, &expected.all);
            prop_assert_eq!(got.at, at);
            prop_assert_eq!(got.hold.as_micros(), expected.hold.as_micros());
        }
        Ok(())
    });
    done.unwrap();
}

fn rounded(duration: Duration) -> Duration {
    Duration::from_micros(u64::try_from(duration.as_nanos().div_ceil(1_000)).unwrap())
}
