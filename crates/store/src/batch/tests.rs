//! What is told to those who ask together against what each would have been told alone.

use super::*;
use proptest::prelude::*;
use torana_limit::{FixedWindow, Gcra, Ledger, Period, SlidingWindow};

fn budget() -> Budget {
    let span = Duration::from_secs(10);
    let windows = vec![
        Window::Fixed(FixedWindow::new(45, Period::Span(Duration::from_secs(60)))),
        Window::Sliding(SlidingWindow::new(40, span)),
    ];
    Budget::new(Window::Gcra(Gcra::new(7, span, 35)), windows)
}

/// What the script would say of one ledger, from the algorithms that it repeats.
fn script(budget: &Budget, ledger: &mut Ledger, now: Duration, form: Form, count: u64) -> Vec<u64> {
    let Form::Take { want, least, charge_refused } = form else { panic!("only what takes") };
    let ask = Ask { want, least, charge_refused, details: true };
    let all: Vec<Grant> = (0..count).map(|_| budget.take(ledger, now, ask)).collect();
    let last = all.last().unwrap();
    let micros = |time: Duration| u64::try_from(time.as_nanos().div_ceil(1_000)).unwrap();
    let mut numbers = vec![all.iter().map(|grant| grant.granted).sum(), micros(last.hold)];
    for view in &last.all {
        numbers.extend([view.remaining, micros(view.retry_after), micros(view.reset_after)]);
    }
    numbers
}

/// As the script writes them.
#[allow(clippy::cast_precision_loss, reason = "the script has doubles")]
fn packed(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| (*number as f64).to_le_bytes()).collect()
}

fn form() -> impl Strategy<Value = Form> {
    prop_oneof![
        6 => (1_u64..4).prop_map(|cost| Form::take(Ask::exactly(cost))),
        1 => (1_u64..4).prop_map(|cost| Form::take(Ask { charge_refused: true, ..Ask::exactly(cost) })),
        1 => (1_u64..4).prop_map(|least| Form::take(Ask::up_to(least * 3, least))),
    ]
}

proptest! {
    /// Callers who ask in any order, in several moments: each is told what it would have been told if all had been
    /// asked one after another.
    #[test]
    fn together_is_as_one_after_another(
        moments in prop::collection::vec((0_u64..4_000, form(), prop::collection::vec(0_u8..3, 1..40)), 1..8),
    ) {
        let budget = budget();
        let (mut together, mut alone) = ([0; 3].map(|_| budget.ledger()), [0; 3].map(|_| budget.ledger()));
        let mut now = Duration::from_secs(1_000);
        for (gap, form, callers) in moments {
            now += Duration::from_millis(gap);
            let mut batch = Batch::default();
            let places: Vec<Place> =
                callers.iter().map(|caller| batch.add(form, (1, &[*caller]), 100).unwrap()).collect();
            let mut numbers = vec![u64::try_from(now.as_micros()).unwrap()];
            let mut asked = 0;
            for (kind, name, count) in batch.ledgers() {
                prop_assert_eq!(kind, 1);
                asked += count;
                let ledger = &mut together[usize::from(name[0])];
                numbers.extend(script(&budget, ledger, now, form, count));
            }
            prop_assert_eq!(asked, callers.len() as u64, "nobody is lost or counted twice");
            for (caller, place) in callers.iter().zip(places) {
                let Form::Take { want, least, charge_refused } = form else { panic!("only what takes") };
                let ask = Ask { want, least, charge_refused, details: true };
                let expected = budget.take(&mut alone[usize::from(*caller)], now, ask);
                let told = told(&budget, form, true, place, &packed(&numbers)).unwrap();
                prop_assert_eq!((told.granted, told.at), (expected.granted, expected.at));
                prop_assert_eq!((told.all.len(), told.window), (3, expected.window));
                for (told, expected) in told.all.iter().zip(&expected.all) {
                    prop_assert_eq!((told.limit, told.remaining), (expected.limit, expected.remaining));
                    prop_assert_eq!(told.retry_after, rounded(expected.retry_after));
                    let (reset, least) = (told.reset_after, rounded(expected.reset_after));
                    prop_assert!(reset <= least && reset + Duration::from_micros(1) >= least, "{:?} {:?}", reset, least);
                }
            }
            prop_assert_eq!(&together, &alone);
        }
    }
}

fn rounded(time: Duration) -> Duration {
    Duration::from_micros(u64::try_from(time.as_nanos().div_ceil(1_000)).unwrap())
}

#[test]
fn only_what_adds_up_is_one_question() {
    let cases = [
        (Form::take(Ask::exactly(2)), 1),
        (Form::take(Ask::exactly(0)), 3),
        (Form::take(Ask::up_to(9, 2)), 3),
        (Form::take(Ask { charge_refused: true, ..Ask::exactly(2) }), 3),
        (Form::Back(Returned { permits: 2, taken: Duration::ZERO }), 3),
        (Form::Look, 3),
    ];
    for (form, ledgers) in cases {
        let mut batch = Batch::default();
        for _ in 0..3 {
            assert!(batch.add(form, (1, b"a"), 3).is_some());
        }
        assert_eq!(batch.ledgers().count(), ledgers, "{form:?}");
        assert_eq!(batch.ledgers().map(|(_, _, count)| count).sum::<u64>(), 3);
    }
}

#[test]
fn names_and_kinds_never_run_together_and_a_full_batch_takes_only_those_it_knows() {
    let form = Form::take(Ask::exactly(1));
    let mut batch = Batch::default();
    let callers: [(u8, &[u8]); 4] = [(1, b"ab"), (1, b"a"), (2, b"ab"), (1, b"")];
    for caller in callers {
        assert_eq!(batch.add(form, caller, 4).unwrap().turn, 0);
    }
    assert_eq!(batch.add(form, (1, b"new"), 4), None);
    assert_eq!(batch.add(form, (2, b"ab"), 4), Some(Place { entry: 2, turn: 1 }));
    let ledgers: Vec<_> = batch.ledgers().collect();
    assert_eq!(ledgers, [(1, &b"ab"[..], 1), (1, b"a", 1), (2, b"ab", 2), (1, b"", 1)]);
}

#[test]
fn an_answer_of_another_length_is_none() {
    let place = Place { entry: 1, turn: 0 };
    let one = Budget::new(Window::Gcra(Gcra::new(1, Duration::from_secs(1), 5)), Vec::new());
    let answer = packed(&[7, 1, 0, 4, 0, 9, 1, 0, 3, 0, 9]);
    let read = |answer: &[u8]| told(&one, Form::take(Ask::exactly(1)), false, place, answer);
    assert_eq!(read(&answer).unwrap().view.remaining, 3);
    for length in 0..answer.len() {
        assert!(read(&answer[..length]).is_err(), "{length}");
    }
    let mut broken = answer.clone();
    broken[6 * 8..7 * 8].copy_from_slice(&(-1.0_f64).to_le_bytes());
    assert!(read(&broken).is_err());
    let mut odd = answer.clone();
    for (number, read_as) in [(f64::NAN, 0), (-1.0, 0), (f64::INFINITY, u64::MAX), (2.5, 2)] {
        odd[8 * 8..9 * 8].copy_from_slice(&number.to_le_bytes());
        assert_eq!(read(&odd).unwrap().view.remaining, read_as);
    }
}
