//! Ejection, probes, shares, slow start.

use super::*;
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;

fn ejection(statuses: u8, max_percent: u32) -> EjectionSettings {
    EjectionSettings {
        thresholds: Thresholds { statuses, connects: 2, timeouts: 3, successes: 0 },
        eject_for: Some(Duration::from_secs(30)),
        at_most: Duration::from_secs(100),
        max_percent,
    }
}

fn panel(weights: &[u32], ejection: EjectionSettings) -> Panel {
    let alarm = Arc::<Alarm>::default();
    let endpoints =
        weights.iter().map(|weight| (EndpointHealth::new(Arc::clone(&alarm), 0), *weight)).collect();
    Panel {
        endpoints,
        alarm,
        calm: Calm::default(),
        probed: true,
        ejection: Some(ejection),
        panic_percent: 0,
        minimum_percent: 0,
        slow_start: Duration::ZERO,
    }
}

fn fail(panel: &Panel, index: usize, times: usize, now: u64) -> bool {
    (0..times).any(|_| panel.asked(index, Finding::BadStatus, || now))
}

#[test]
fn failures_in_a_row_eject_for_a_time_that_grows_and_comes_down_again() {
    let panel = panel(&[1, 1, 1], ejection(5, 50));
    assert_eq!(panel.survey(|| 0), Survey::Quiet);
    assert!(!fail(&panel, 0, 4, 0));
    panel.asked(0, Finding::Success, || 0);
    assert!(!fail(&panel, 0, 4, 0), "a success ends the row");
    assert!(fail(&panel, 0, 1, 0));
    assert_eq!(panel.survey(|| 0), Survey::Mixed);
    assert!(!panel.is_in(0, 30 * SECOND - 1) && panel.is_in(0, 30 * SECOND));
    assert_eq!(panel.survey(|| 30 * SECOND), Survey::Quiet);
    assert!(fail(&panel, 0, 5, 40 * SECOND));
    assert!(!panel.is_in(0, 99 * SECOND) && panel.is_in(0, 100 * SECOND), "twice as long");
    assert!(fail(&panel, 0, 5, 300 * SECOND));
    assert!(panel.is_in(0, 330 * SECOND), "it had served well for long");
    assert_eq!(panel.endpoints[0].0.ejections(), 3);
}

#[test]
fn each_kind_of_failure_has_its_own_row() {
    let panel = panel(&[1, 1], ejection(5, 50));
    for finding in [Finding::ConnectFailed, Finding::TimedOut, Finding::TimedOut] {
        assert!(!panel.asked(0, finding, || 0));
    }
    assert!(panel.asked(0, Finding::ConnectFailed, || 0), "two connections failed, timeouts between");
}

#[test]
fn no_more_than_the_largest_share_is_ejected() {
    let four = panel(&[1, 1, 1, 1], ejection(1, 50));
    assert!(fail(&four, 0, 1, 0) && fail(&four, 1, 1, 0));
    assert!(!fail(&four, 2, 9, 0), "the third would be more than half");
    assert_eq!(four.out(0), (0, 2));
    assert!(fail(&four, 2, 1, 31 * SECOND), "the first two are back");
    let two = panel(&[9, 1], ejection(1, 10));
    assert!(fail(&two, 0, 1, 0), "one may always be ejected");
    assert!(!fail(&two, 1, 1, 0));
    assert!(!fail(&panel(&[1], ejection(1, 99)), 0, 5, 0), "never the only one");
    assert!(fail(&panel(&[1], ejection(1, 100)), 0, 1, 0), "unless that is what was asked for");
}

#[test]
fn the_last_that_serves_is_not_ejected() {
    let failing = |panel: &Panel, index: usize| {
        let rules = Thresholds { statuses: 1, ..Thresholds::default() };
        assert!(panel.endpoints[index].0.probed(Finding::BadStatus, rules, 0));
    };
    let drained = panel(&[0, 1], ejection(1, 50));
    assert!(!fail(&drained, 1, 9, 0), "the other one has no weight");
    assert!(fail(&drained, 0, 1, 0), "what has no weight takes none away");
    assert_eq!(
        (drained.survey(|| 0), drained.survey(|| 0)),
        (Survey::Mixed, Survey::Mixed),
        "sticky clients ask"
    );
    assert!(!fail(&drained, 1, 9, 0));
    let probed = panel(&[1, 1], ejection(1, 50));
    failing(&probed, 0);
    assert!(!fail(&probed, 1, 9, 0), "the other one fails its probes");
    assert_eq!((probed.survey(|| 0), probed.out(0)), (Survey::Mixed, (1, 0)));
    let three = panel(&[1, 1, 1], ejection(1, 99));
    failing(&three, 0);
    assert!(fail(&three, 1, 1, 0) && !fail(&three, 2, 9, 0));
    let all = panel(&[1, 1, 1], ejection(1, 100));
    failing(&all, 0);
    assert!(fail(&all, 1, 1, 0) && fail(&all, 2, 1, 0), "unless that is what was asked for");
    assert_eq!(all.survey(|| 0), Survey::Down);
}

#[test]
fn probes_decide_until_they_say_otherwise() {
    let panel = panel(&[1, 1], ejection(1, 50));
    let rules = Thresholds { successes: 2, statuses: 3, connects: 1, timeouts: 0 };
    let health = &panel.endpoints[0].0;
    assert!(!health.probed(Finding::BadStatus, rules, 0) && !health.probed(Finding::BadStatus, rules, 0));
    assert!(health.probed(Finding::BadStatus, rules, 0));
    assert_eq!(health.out(1_000 * SECOND), Some(Out::Probes), "for as long as it takes");
    assert!(!health.probed(Finding::Success, rules, 0) && health.probed(Finding::Success, rules, 0));
    assert_eq!(health.out(0), None);
    assert!((0..50).all(|_| !health.probed(Finding::TimedOut, rules, 0)), "0 is off");
    assert!(health.probed(Finding::ConnectFailed, rules, 0));
    assert_eq!(panel.survey(|| 0), Survey::Mixed);
}

#[test]
fn what_requests_ejected_for_good_comes_back_by_probes_alone() {
    let forever = EjectionSettings { eject_for: None, ..ejection(1, 100) };
    let panel = panel(&[1], forever);
    assert!(fail(&panel, 0, 1, 0), "also the only one, as in Kong");
    assert_eq!(panel.survey(|| u64::MAX - 1), Survey::Down);
    let rules = Thresholds { successes: 1, ..Thresholds::default() };
    assert!(panel.endpoints[0].0.probed(Finding::Success, rules, SECOND));
    assert_eq!(panel.survey(|| SECOND), Survey::Quiet);
}

#[test]
fn probes_that_succeed_neither_shorten_an_ejection_nor_end_the_row_of_them() {
    let panel = panel(&[1, 1], ejection(5, 50));
    let rules = Thresholds { successes: 1, statuses: 1, ..Thresholds::default() };
    let health = &panel.endpoints[0].0;
    assert!(fail(&panel, 0, 5, 0));
    assert!((1..30).all(|second| !health.probed(Finding::Success, rules, second * SECOND)));
    assert!(!panel.is_in(0, 30 * SECOND - 1) && panel.is_in(0, 30 * SECOND));
    assert!(!health.probed(Finding::Success, rules, 31 * SECOND));
    assert_eq!(panel.survey(|| 31 * SECOND), Survey::Quiet);
    assert_eq!(health.last_change().unwrap().why, HealthCause::TimeOver);
    assert!(!fail(&panel, 0, 3, 40 * SECOND));
    assert!(!health.probed(Finding::Success, rules, 40 * SECOND));
    assert!(
        fail(&panel, 0, 2, 40 * SECOND),
        "nor does a probe of one in service end a row of failed requests"
    );
    assert!(!panel.is_in(0, 99 * SECOND) && panel.is_in(0, 100 * SECOND), "twice as long");
    // One that fails its probes while it is ejected is out until both are over.
    assert!(fail(&panel, 0, 5, 110 * SECOND));
    assert!(health.probed(Finding::BadStatus, rules, 120 * SECOND));
    assert_eq!(panel.out_of(0, 121 * SECOND), Some(Out::Probes));
    assert!(health.probed(Finding::Success, rules, 122 * SECOND));
    assert_eq!(panel.out_of(0, 122 * SECOND), Some(Out::Ejected));
    assert!(panel.is_in(0, 210 * SECOND));
}

/// The same endpoints under another configuration.
fn reloaded(before: &Panel, probed: bool, ejection: Option<EjectionSettings>) -> Panel {
    Panel {
        endpoints: before.endpoints.clone(),
        alarm: Arc::clone(&before.alarm),
        calm: Calm::default(),
        probed,
        ejection,
        slow_start: Duration::from_secs(10),
        ..*before
    }
}

#[test]
fn what_a_configuration_could_not_take_back_does_not_outlive_the_one_that_found_it() {
    let rules = Thresholds { statuses: 1, ..Thresholds::default() };
    let forever = EjectionSettings { eject_for: None, ..ejection(1, 100) };
    let before = panel(&[1, 1], forever);
    assert!(before.endpoints[0].0.probed(Finding::BadStatus, rules, 0) && fail(&before, 1, 1, 0));
    assert_eq!(before.survey(|| SECOND), Survey::Down);
    let after = reloaded(&before, false, Some(ejection(1, 100)));
    assert_eq!(
        (after.out_of(0, SECOND), after.out_of(1, SECOND)),
        (None, Some(Out::Ejected)),
        "nothing told"
    );
    after.take_over(SECOND);
    assert_eq!(after.endpoints[0].0.last_change().unwrap().why, HealthCause::Reloaded);
    assert!(!after.is_in(1, 31 * SECOND - 1) && after.is_in(1, 31 * SECOND), "for the time that is set now");
    assert_eq!(after.survey(|| 32 * SECOND), Survey::Mixed, "slowly");
    assert_eq!(after.survey(|| 41 * SECOND), Survey::Quiet);
    // What still goes on under the old one, as its last requests and probes do, does not matter.
    assert!(before.endpoints[0].0.probed(Finding::BadStatus, rules, 50 * SECOND));
    assert!(after.is_in(0, 50 * SECOND));
    let without = reloaded(&before, true, None);
    assert!(fail(&before, 1, 1, 60 * SECOND) && !before.is_in(1, 60 * SECOND));
    without.take_over(60 * SECOND);
    assert!(without.is_in(1, 60 * SECOND) && !without.is_in(0, 60 * SECOND), "its probes are still asked");
}

#[test]
fn configurations_that_follow_one_another_do_not_calm_each_other() {
    let before = panel(&[1], ejection(1, 50));
    let mut endpoints = before.endpoints.to_vec();
    endpoints.push((EndpointHealth::new(Arc::clone(&before.alarm), SECOND), 1));
    let after = Panel { endpoints: endpoints.into(), ..reloaded(&before, true, Some(ejection(1, 50))) };
    assert_eq!(before.survey(|| SECOND), Survey::Quiet, "it does not know the new one");
    assert_eq!(after.survey(|| SECOND), Survey::Mixed, "which starts slowly");
}

#[test]
fn few_left_means_panic_or_nobody() {
    let mut panel = panel(&[1, 1, 1, 1], ejection(1, 100));
    for index in 0..3 {
        fail(&panel, index, 1, 0);
    }
    assert_eq!(panel.survey(|| 0), Survey::Mixed);
    panel.minimum_percent = 25;
    assert_eq!(panel.survey(|| 0), Survey::Down);
    panel.panic_percent = 50;
    assert_eq!(panel.survey(|| 0), Survey::Down, "what nobody could carry, all would only prolong");
    panel.minimum_percent = 24;
    assert_eq!(panel.survey(|| 0), Survey::Panic, "between the two");
    fail(&panel, 3, 1, 0);
    assert_eq!(panel.survey(|| 0), Survey::Down);
    panel.minimum_percent = 0;
    assert_eq!(panel.survey(|| 0), Survey::Panic, "also with nothing left");
    panel.panic_percent = 0;
    assert_eq!(panel.survey(|| 0), Survey::Down);
    assert_eq!(panel.survey(|| 31 * SECOND), Survey::Quiet);
}

#[test]
fn an_endpoint_that_comes_back_gets_its_share_slowly() {
    let mut panel = panel(&[1, 1], ejection(1, 50));
    panel.slow_start = Duration::from_secs(100);
    fail(&panel, 0, 1, 0);
    let share =
        |seconds: u64| (0..2_000).filter(|word| panel.serves(0, seconds * SECOND, remix(*word))).count() / 20;
    assert_eq!(share(29), 0);
    assert!((7..13).contains(&share(31)), "{}", share(31));
    assert!((45..55).contains(&share(80)), "{}", share(80));
    assert_eq!(panel.survey(|| 80 * SECOND), Survey::Mixed);
    assert_eq!((share(130), panel.survey(|| 130 * SECOND)), (100, Survey::Quiet));
}

use crate::choice::remix;

#[test]
fn who_is_ejected_and_fails_its_probes_counts_among_the_ejected() {
    let panel = panel(&[1, 1, 1], ejection(1, 34));
    let rules = Thresholds { successes: 1, statuses: 1, ..Thresholds::default() };
    fail(&panel, 0, 1, 0);
    panel.endpoints[0].0.probed(Finding::BadStatus, rules, 0);
    fail(&panel, 1, 1, 0);
    panel.endpoints[0].0.probed(Finding::Success, rules, 0);
    assert_eq!(panel.out(0), (0, 1), "the first still is when its probes succeed");
}

proptest! {
    /// The largest share holds at every moment, whatever fails when, and the last that serves is not ejected; time
    /// and probes bring all back.
    #[test]
    fn the_ejected_share_is_bounded_and_everybody_comes_back(
        weights in prop::collection::vec(0_u32..10, 2..8), max_percent in 1_u32..=100,
        steps in prop::collection::vec((0_u64..20, 0_usize..8, 0_u8..6), 1..200),
    ) {
        let panel = panel(&weights, ejection(2, max_percent));
        let total: u32 = weights.iter().sum();
        let mut now = 0;
        let rules = Thresholds { successes: 1, statuses: 1, ..Thresholds::default() };
        for (pause, index, finding) in steps {
            now += pause * SECOND;
            let index = index % weights.len();
            let finding = match finding {
                0 => Finding::Success,
                1 => Finding::BadStatus,
                2 => Finding::ConnectFailed,
                3 => Finding::TimedOut,
                probed => {
                    let found = if probed == 4 { Finding::Success } else { Finding::BadStatus };
                    panel.endpoints[index].0.probed(found, rules, now);
                    continue;
                }
            };
            let ejected = panel.asked(index, finding, || now);
            let out = |wanted: Out| {
                let out = panel.endpoints.iter().filter(move |(health, _)| health.out(now) == Some(wanted));
                out.map(|(_, weight)| *weight).collect::<Vec<_>>()
            };
            let (by_requests, by_probes) = (out(Out::Ejected), out(Out::Probes));
            let share: u32 = by_requests.iter().sum();
            let left = total - share - by_probes.iter().sum::<u32>();
            let few = by_requests.iter().filter(|weight| **weight > 0).count() <= 1;
            prop_assert!(few || share * 100 <= total * max_percent, "{:?}", by_requests);
            prop_assert!(!ejected || left > 0 || max_percent == 100, "{:?} {:?}", by_requests, by_probes);
        }
        for (health, _) in &panel.endpoints {
            health.probed(Finding::Success, rules, now);
        }
        prop_assert_eq!(panel.survey(|| now + 101 * SECOND), Survey::Quiet);
    }
}

#[test]
fn four_threads_never_eject_more_than_the_share_together() {
    for _ in 0..100 {
        let panel = panel(&[1; 4], ejection(1, 50));
        std::thread::scope(|scope| {
            for index in 0..4 {
                let panel = &panel;
                scope.spawn(move || fail(panel, index, 3, 0));
            }
        });
        assert_eq!(panel.out(0), (0, 2));
    }
}
