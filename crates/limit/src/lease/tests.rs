use super::*;

const fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn grant(granted: u64, hold: u64, taken: u64) -> Grant {
    Grant { granted, hold: at(hold), at: at(taken), ..Grant::default() }
}

#[test]
fn permits_are_put_back_only_where_they_came_from_and_while_they_hold() {
    let mut lease = Lease::default();
    assert!(matches!(lease.step(at(0), 1, false), Step::Ask { .. }));
    assert_eq!(lease.granted(at(1), at(0), 1, &grant(3, 100, 7_000)), None);
    assert_eq!((lease.step(at(2), 2, false), lease.lot()), (Step::Pass, at(7_000)));
    // The last permit is used up, and comes back all the same.
    assert!(lease.put_back(at(3), at(7_000), 2) && lease.holds());
    assert!(!lease.put_back(at(3), at(6_000), 2), "of another grant");
    assert!(!lease.put_back(at(100), at(7_000), 2), "they have ended");
    assert_eq!(lease.step(at(4), 2, false), Step::Pass);
    assert_ne!(lease.step(at(5), 1, false), Step::Pass);
}

#[test]
fn whoever_asks_has_its_own_and_what_comes_too_late_to_be_kept_goes_back() {
    let mut lease = Lease::default();
    assert_eq!(lease.step(at(0), 3, false), Step::Ask { want: 3, least: 3 });
    assert_eq!(lease.step(at(1), 1, false), Step::Join);
    let view = View { remaining: 20, ..View::default() };
    let back = lease.granted(at(4), at(0), 3, &Grant { view, ..grant(20, 4, 7_000) });
    assert_eq!(back, Some(Returned { permits: 17, taken: at(7_000) }));
    assert!(!lease.holds());
    // The way to the store takes longer than permits hold: each asks for its own, beside any other.
    assert_eq!(lease.step(at(4), 1, true), Step::Own);
    assert_eq!(lease.step(at(4), 1, false), Step::Own);
    // Until it is quick again.
    lease.told(at(6), at(5), 1, &grant(1, 4, 7_005));
    assert!(matches!(lease.step(at(6), 1, false), Step::Ask { .. }));
}

#[test]
fn nobody_waits_twice() {
    let mut lease = Lease::default();
    assert!(matches!(lease.step(at(0), 1, false), Step::Ask { .. }));
    assert_eq!(lease.step(at(0), 1, false), Step::Join);
    assert_eq!(lease.step(at(1), 1, true), Step::Own, "beside the question under way");
    let many = Grant { view: View { remaining: 1_000, ..View::default() }, ..grant(1, 900, 0) };
    assert_eq!(lease.granted(at(1), at(0), 1, &grant(1, 900, 0)), None);
    assert_eq!(lease.step(at(1), 1, true), Step::Refuse, "nothing is left, as it has just been told");
    assert!(matches!(lease.step(at(1), 1, false), Step::Ask { .. }));
    lease.failed();
    assert!(matches!(lease.step(at(1), 1, true), Step::Ask { .. }), "nobody was told anything");
    assert_eq!(lease.granted(at(1), at(0), 1, &many), None);
    // Every question of the pace is asked, each for one request that uses all it brings.
    while let Step::Ask { least, .. } = lease.step(at(1), 1, false) {
        assert_eq!(lease.granted(at(1), at(1), least, &many), None);
    }
    let Step::Wait(wait) = lease.step(at(1), 1, false) else { panic!("it is not its turn") };
    assert!(wait <= at(1_000 / ASKS_PER_SECOND));
    assert_eq!(lease.step(at(1), 1, true), Step::Own);
}

#[test]
fn a_refusal_is_one_for_what_costs_as_much() {
    let mut lease = Lease::default();
    assert!(matches!(lease.step(at(0), 50, false), Step::Ask { .. }));
    let view = View { remaining: 30, retry_after: at(5_000), ..View::default() };
    assert_eq!(lease.granted(at(1), at(0), 50, &Grant { view, ..grant(0, 900, 0) }), None);
    assert_eq!(lease.step(at(2), 60, false), Step::Refuse);
    assert_eq!(lease.step(at(2), 50, false), Step::Refuse);
    assert!(matches!(lease.step(at(2), 20, false), Step::Ask { .. }));
}

#[test]
fn permits_of_either_grant_are_used_and_a_third_one_displaces_the_oldest() {
    let mut lease = Lease::default();
    assert!(matches!(lease.step(at(0), 1, false), Step::Ask { .. }));
    assert_eq!(lease.granted(at(0), at(0), 1, &grant(3, 900, 1)), None);
    assert!(matches!(lease.step(at(1), 5, false), Step::Ask { .. }));
    assert_eq!(lease.granted(at(1), at(1), 5, &grant(11, 900, 2)), None);
    assert_eq!((lease.step(at(2), 4, false), lease.lot()), (Step::Pass, at(2)));
    assert_eq!((lease.step(at(2), 1, false), lease.lot()), (Step::Pass, at(1)));
    assert!(matches!(lease.step(at(3), 5, false), Step::Ask { .. }));
    let back = lease.granted(at(3), at(3), 5, &grant(9, 900, 3));
    assert_eq!((back, lease.permits()), (Some(Returned { permits: 1, taken: at(1) }), 6));
}

#[test]
fn who_was_never_answered_is_not_taken_to_have_used_up_anything() {
    let mut lease = Lease::default();
    for number in 0..1_000 {
        // However many ask and hear nothing: it is never the budget that refuses, and nobody waits for his turn.
        match lease.step(at(1), 1, number % 2 == 1) {
            Step::Ask { .. } => lease.failed(),
            Step::Own => {}
            other => panic!("{number}: {other:?}"),
        }
    }
}

#[test]
fn a_refusal_is_told_for_as_long_as_it_holds_and_asked_about_again_before() {
    let mut lease = Lease::default();
    assert!(matches!(lease.step(at(0), 1, false), Step::Ask { .. }));
    let month =
        Grant { view: View { retry_after: at(2_000_000_000), ..View::default() }, ..grant(0, 900, 0) };
    assert_eq!(lease.granted(at(10), at(0), 1, &month), None);
    let mut asked = 0;
    for millis in 11..10_011 {
        match lease.step(at(millis), 1, false) {
            Step::Ask { .. } => {
                asked += 1;
                let late = Grant {
                    view: View { retry_after: at(2_000_000_000 - millis), ..month.view },
                    ..month.clone()
                };
                assert_eq!(lease.granted(at(millis), at(millis), 1, &late), None);
            }
            step => assert_eq!(step, Step::Refuse),
        }
        assert_eq!(lease.view(at(millis)).1.retry_after, at(2_000_000_000 - millis));
    }
    assert_eq!(asked, 20, "twice a second");
    // What came back passes.
    assert!(matches!(lease.step(at(10_511), 1, false), Step::Ask { .. }));
    assert_eq!(lease.granted(at(10_512), at(10_511), 1, &grant(4, 900, 0)), None);
    assert_eq!(lease.step(at(10_513), 1, false), Step::Pass);
    assert_eq!(lease.view(at(10_513)).1.retry_after, at(0));
}
