//! The script against the algorithms it repeats: the same steps at the same times give the same answers.

use super::carry::fill;
use super::*;
use crate::batch;
use crate::outbox::Outbox;
use crate::wire;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use torana_limit::{Ask, Budget, FixedWindow, Gcra, Ledger, Period, SlidingWindow, Window};
use torana_testkit::RedisServer;

/// The script with a clock that is passed in as the generation.
fn with_clock() -> String {
    let clock = "redis.call('TIME')";
    assert!(SCRIPT.contains(clock));
    SCRIPT.replacen(clock, "{ string.match(ARGV[2], '(%d+) (%d+)') }", 1)
}

#[derive(Clone, Debug)]
enum Act {
    Take { want: u64, least: u64, charge: bool, count: u64 },
    Charge(u64),
    Back { permits: u64, ago: u64 },
    Look,
}

impl Act {
    /// What is asked of the script, at so many microseconds.
    fn form(&self, now: u64) -> Form {
        match *self {
            Self::Take { want, least, charge, .. } => {
                Form::take(Ask { want, least, charge_refused: charge, details: true })
            }
            Self::Charge(cost) => Form::Charge(cost),
            Self::Back { permits, ago } => {
                Form::Back(Returned { permits, taken: Duration::from_micros(now - ago) })
            }
            Self::Look => Form::Look,
        }
    }
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => (1_u64..40, any::<bool>(), any::<bool>()).prop_map(|(want, lease, charge)| Act::Take {
            want,
            least: if lease { want.div_ceil(4) } else { want },
            charge,
            count: 1,
        }),
        2 => (1_u64..9, 1_u64..30).prop_map(|(cost, count)| Act::Take {
            want: cost,
            least: cost,
            charge: false,
            count,
        }),
        1 => prop_oneof![4 => 1_u64..200, 1 => 1_u64..4_294_967_296].prop_map(Act::Charge),
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
    decides_as_the_algorithms_do(&RedisServer::start());
}

#[test]
fn on_valkey_too_the_script_decides_as_the_algorithms_do() {
    decides_as_the_algorithms_do(&RedisServer::valkey());
}

fn decides_as_the_algorithms_do(server: &RedisServer) {
    let client = redis::Client::open(("127.0.0.1", server.port())).unwrap();
    let connection = std::cell::RefCell::new(client.get_connection().unwrap());
    let script = with_clock();
    let cases = std::cell::Cell::new(0_u32);
    // Now and then long enough that much of what is owed has been paid.
    let gap = prop_oneof![9 => 0_u64..2_500_000, 1 => 0_u64..400_000_000];
    let steps = prop::collection::vec((gap, act()), 1..40);
    // One alone goes a way of its own.
    let windows = prop_oneof![prop::collection::vec(window(), 1), prop::collection::vec(window(), 2..4)];
    let mut runner = TestRunner::new(Config { cases: 250, failure_persistence: None, ..Config::default() });
    let done = runner.run(&(windows, steps), |(windows, steps)| {
        let case = cases.get() + 1;
        cases.set(case);
        let budget = Budget::new(windows[0], windows[1..].to_vec());
        prop_assert!(wire::fits(&budget));
        let limit = StoredLimit::new("test", budget.clone());
        // Two callers, who ask in turns.
        let mut standing = [budget.ledger(), budget.ledger()];
        let names = [format!("case {case}"), format!("another of case {case}")];
        let mut now = 1_700_000_000_000_000_u64;
        for (gap, act) in steps {
            now += gap;
            let at = Duration::from_micros(now);
            let form = act.form(now);
            let count = if let Act::Take { count, .. } = act { count } else { 1 };
            let outbox = Outbox::default();
            let mut asking = Vec::new();
            let mut expected = Vec::new();
            for turn in 0..count {
                let who = usize::from(turn % 2 == 1);
                let (name, ledger) = (&names[who], &mut standing[who]);
                asking.push(outbox.join(&limit, form, Key { kind: 1, bytes: name.as_bytes() }, 2));
                expected.push(decided(&budget, ledger, form, at));
            }
            prop_assert_eq!(asking.iter().filter(|(_, _, first)| *first).count(), 1, "all in one call");
            let call = &asking[0].0;
            let ledgers: Vec<(Vec<u8>, u64)> =
                call.batch.borrow().ledgers().map(|(_, name, count)| (name.to_vec(), count)).collect();
            let mut command = redis::cmd("EVAL");
            let clock = format!("{} {}", now / 1_000_000, now % 1_000_000);
            fill(command.arg(&script), (&limit, form), (&clock, -1), &ledgers);
            let answer: Vec<u8> = command.query(&mut *connection.borrow_mut()).unwrap();
            for ((_, place, _), mut expected) in asking.into_iter().zip(expected) {
                let got = batch::told(&budget, form, true, place, &answer).unwrap();
                // The script knows microseconds, rounded up; of those who were not the last one less at most.
                for (view, got) in expected.all.iter_mut().zip(&got.all) {
                    view.retry_after = rounded(view.retry_after);
                    view.reset_after = rounded(view.reset_after);
                    if got.reset_after + Duration::from_micros(1) == view.reset_after {
                        view.reset_after = got.reset_after;
                    }
                }
                prop_assert_eq!(got.granted, expected.granted);
                prop_assert_eq!(&got.all, &expected.all);
                prop_assert_eq!(got.at, at);
                prop_assert_eq!(got.hold.as_micros(), expected.hold.as_micros());
            }
        }
        Ok(())
    });
    done.unwrap();
}

/// What the algorithms decide.
fn decided(budget: &Budget, ledger: &mut Ledger, form: Form, at: Duration) -> Grant {
    match form {
        Form::Take { want, least, charge_refused } => {
            return budget.take(ledger, at, Ask { want, least, charge_refused, details: true });
        }
        Form::Charge(cost) => budget.charge(ledger, at, cost),
        Form::Back(back) => budget.give_back(ledger, at, back.taken, back.permits),
        Form::Look => {}
    }
    budget.look(ledger, at)
}

fn rounded(duration: Duration) -> Duration {
    Duration::from_micros(u64::try_from(duration.as_nanos().div_ceil(1_000)).unwrap())
}
