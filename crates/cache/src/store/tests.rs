use super::*;
use crate::{Audience, Received, Rules};
use proptest::collection::vec;
use proptest::prelude::*;

type Lines = [(&'static str, &'static str)];
const NOBODY: &Lines = &[];

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

fn terms(audience: Audience, since: u64) -> Terms {
    Terms { audience, lifetime: seconds(10), grace: seconds(10), age: Duration::ZERO, since: seconds(since) }
}

fn entry(vary: &'static str, request: &Lines, terms: Terms, value: u64) -> Entry<u64> {
    let answer: &Lines = &[("Vary", vary)];
    let variant = Variant::of(answer, request, []).unwrap();
    Entry { variant, terms, kept: terms.since, value: Arc::new(value) }
}

fn plain(store: &mut Store<u64>, url: &str, since: u64, value: u64) {
    let entry = entry("", NOBODY, terms(Audience::Everybody, since), value);
    store.insert(url.as_bytes(), NOBODY, entry, 0);
}

fn value(store: &mut Store<u64>, url: &str, now: u64) -> Option<u64> {
    store.find(url.as_bytes(), NOBODY, false, seconds(now)).map(|(value, _)| *value)
}

#[test]
fn the_least_recently_used_goes_first() {
    let mut store = Store::new(3 * (OVERHEAD + 2));
    for (number, url) in ["/a", "/b", "/c"].into_iter().enumerate() {
        plain(&mut store, url, 0, number as u64);
    }
    assert_eq!(value(&mut store, "/a", 0), Some(0));
    assert!(!store.wants(b"/b", NOBODY, &terms(Audience::Everybody, 0), seconds(0)));
    plain(&mut store, "/d", 0, 3);
    let all = ["/a", "/b", "/c", "/d"].map(|url| value(&mut store, url, 0));
    assert_eq!(all, [Some(0), Some(1), None, Some(3)]);
    assert_eq!((store.len(), store.bytes()), (3, 3 * (OVERHEAD + 2)));
    store.insert(b"/e", NOBODY, entry("", NOBODY, terms(Audience::Everybody, 0), 4), 3 * OVERHEAD);
    assert_eq!((store.len(), value(&mut store, "/e", 0)), (3, None), "what fits nowhere drives nothing out");
}

#[test]
fn a_url_has_several_answers_but_not_many() {
    let mut store = Store::new(1 << 20);
    let requests: Vec<[(&str, &str); 1]> = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
        .map(|language| [("Accept-Language", language)])
        .into();
    for (number, request) in requests.iter().enumerate() {
        let entry = entry("accept-language", &request[..], terms(Audience::Everybody, 0), number as u64);
        store.insert(b"/", &request[..], entry, 0);
    }
    let found = requests
        .iter()
        .map(|request| store.find(b"/", &request[..], false, seconds(0)).map(|(value, _)| *value));
    let found: Vec<_> = found.collect();
    assert_eq!(found[..2], [None, None]);
    assert!((2..10).all(|number| found[number] == Some(number as u64)), "{found:?}");
    assert_eq!(store.len(), MOST_VARIANTS);
    store.forget_answer(b"/", &requests[5][..], false);
    assert_eq!(store.len(), MOST_VARIANTS - 1);
    store.forget(b"/");
    assert_eq!((store.len(), store.bytes()), (0, 0));
    assert!(store.urls.is_empty());
}

#[test]
fn strangers_answers_are_for_strangers() {
    let mut store = Store::new(1 << 20);
    store.insert(b"/", NOBODY, entry("", NOBODY, terms(Audience::Strangers, 0), 1), 0);
    assert!(store.find(b"/", NOBODY, true, seconds(0)).is_none());
    store.forget_answer(b"/", NOBODY, true);
    assert_eq!(value(&mut store, "/", 0), Some(1), "who would not get it says nothing about it");
    assert!(store.wants(b"/", NOBODY, &terms(Audience::Everybody, 0), seconds(0)), "for other callers");
    plain(&mut store, "/", 0, 2);
    assert_eq!(store.find(b"/", NOBODY, true, seconds(0)).map(|(value, _)| *value), Some(2));
    assert_eq!(store.len(), 1);
}

#[test]
fn a_copy_is_made_anew_after_a_second_and_never_older() {
    let mut store = Store::new(1 << 20);
    plain(&mut store, "/", 5, 1);
    let now = terms(Audience::Everybody, 5);
    assert!(!store.wants(b"/", NOBODY, &now, Duration::from_millis(5_999)));
    assert!(store.wants(b"/", NOBODY, &now, seconds(6)));
    plain(&mut store, "/", 4, 0);
    assert_eq!(value(&mut store, "/", 5), Some(1), "one that was asked for earlier came later");
    plain(&mut store, "/", 6, 2);
    assert_eq!(value(&mut store, "/", 26), Some(2));
    assert_eq!(value(&mut store, "/", 27), None);
    assert_eq!(store.len(), 0, "what may not be given any more is let go");
}

/// What may happen to a store.
#[derive(Clone, Debug)]
enum Step {
    Keep { url: u8, language: u8, shows: bool, answer: u8, weight: usize },
    Ask { url: u8, language: u8, shows: bool },
    Forget { url: u8 },
    ForgetAnswer { url: u8, language: u8, shows: bool },
    Pass { seconds: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = prop_oneof![
        4 => (0..6_u8, 0..3_u8, any::<bool>(), 0..6_u8, 0..3_000_usize)
            .prop_map(|(url, language, shows, answer, weight)| Step::Keep { url, language, shows, answer, weight }),
        4 => (0..6_u8, 0..3_u8, any::<bool>())
            .prop_map(|(url, language, shows)| Step::Ask { url, language, shows }),
        1 => (0..6_u8).prop_map(|url| Step::Forget { url }),
        1 => (0..6_u8, 0..3_u8, any::<bool>())
            .prop_map(|(url, language, shows)| Step::ForgetAnswer { url, language, shows }),
        2 => (0..40_u64).prop_map(|seconds| Step::Pass { seconds }),
    ];
    vec(one, 0..200)
}

const ANSWERS: [&[(&str, &str)]; 6] = [
    &[("Cache-Control", "public")],
    &[("Cache-Control", "max-age=20"), ("Vary", "Accept-Language")],
    &[],
    &[("Cache-Control", "public, max-age=5, stale-if-error=3"), ("Vary", "Accept-Language")],
    &[("Cache-Control", "private, max-age=5")],
    &[("Cache-Control", "public"), ("Set-Cookie", "a=b")],
];

/// What is known of a value that was kept.
#[derive(Clone, Copy, Debug)]
struct Known {
    url: u8,
    language: u8,
    shows: bool,
    answer: u8,
    at: u64,
}

proptest! {
    /// Whatever happens: what was answered to somebody is given only when it is public, to the same question, and
    /// in its time; and nothing takes more than it may.
    #[test]
    fn nothing_is_given_that_may_not_be(steps in steps(), bound in 0..8_000_usize, unmarked in any::<bool>()) {
        let rules = Rules { grace: seconds(30), unmarked };
        let mut store: Store<Known> = Store::new(bound);
        let mut now = 0;
        let request = |language: u8| [("Accept-Language", ["de", "fr", "en"][usize::from(language)])];
        for step in steps {
            match step {
                Step::Pass { seconds } => now += seconds,
                Step::Keep { url, language, shows, answer, weight } => {
                    let (request, lines) = (request(language), ANSWERS[usize::from(answer)]);
                    let received = Received { asked: seconds(now), ..Received::default() };
                    let Ok(terms) = rules.judge(lines, shows, &received) else { continue };
                    let variant = Variant::of(lines, &request[..], []).unwrap();
                    let known = Known { url, language, shows, answer, at: now };
                    let entry = Entry { variant, terms, kept: seconds(now), value: Arc::new(known) };
                    store.insert(&[url], &request[..], entry, weight);
                }
                Step::Ask { url, language, shows } => {
                    let Some((given, standing)) = store.find(&[url], &request(language)[..], shows, seconds(now))
                    else { continue };
                    let public = matches!(given.answer, 0 | 3);
                    prop_assert!(public || !given.shows && !shows, "{given:?} to {shows}");
                    prop_assert!(given.answer < 4 && (given.answer != 2 || unmarked));
                    let varies = matches!(given.answer, 1 | 3);
                    prop_assert!(given.url == url && (!varies || given.language == language));
                    let time = [30, 50, 30, 8][usize::from(given.answer)];
                    let age = now - given.at;
                    prop_assert!(age <= time && standing.age == seconds(age));
                }
                Step::Forget { url } => {
                    store.forget(&[url]);
                    for language in 0..3 {
                        prop_assert!(store.find(&[url], &request(language)[..], false, seconds(now)).is_none());
                    }
                }
                Step::ForgetAnswer { url, language, shows } => {
                    store.forget_answer(&[url], &request(language)[..], shows);
                    prop_assert!(store.find(&[url], &request(language)[..], shows, seconds(now)).is_none());
                }
            }
            prop_assert!(store.bytes() <= bound);
            let held: usize = store.nodes.iter().flatten().map(|node| node.weight).sum();
            prop_assert_eq!(held, store.bytes());
            prop_assert!(store.urls.values().all(|places| !places.is_empty() && places.len() <= MOST_VARIANTS));
            let (mut listed, mut place) = (0, store.newest);
            while let Some(node) = store.nodes.get(place as usize).and_then(Option::as_ref) {
                (listed, place) = (listed + 1, node.older);
            }
            prop_assert_eq!(listed, store.len());
        }
    }
}
