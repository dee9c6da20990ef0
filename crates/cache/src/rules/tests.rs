use super::*;

type Lines = [(&'static str, &'static str)];

const RULES: Rules = Rules { grace: Duration::from_secs(600), unmarked: false };
/// 1994-11-06 08:49:37 UTC.
const NOW: u64 = 784_111_777;

fn judge_with(rules: Rules, answer: &Lines, shows_somebody: bool) -> Result<Terms, Refusal> {
    let received =
        Received { asked: Duration::from_secs(50), delay: Duration::from_secs(2), unix_seconds: NOW };
    rules.judge(answer, shows_somebody, &received)
}

fn judge(answer: &Lines, shows_somebody: bool) -> Result<Terms, Refusal> {
    judge_with(RULES, answer, shows_somebody)
}

#[test]
fn who_may_get_what() {
    let (all, strangers) = (Ok(Audience::Everybody), Ok(Audience::Strangers));
    let (no, unmarked) = (Err(Refusal::Forbidden), Err(Refusal::Unmarked));
    let theirs = Err(Refusal::Credentials);
    for (answer, of_nobody, of_somebody) in [
        (&[][..], unmarked, theirs),
        (&[("Cache-Control", "public")], all, all),
        (&[("Cache-Control", "max-age=0")], strangers, theirs),
        (&[("Cache-Control", "max-age=5, public")], all, all),
        (&[("Cache-Control", "max-age=5"), ("Cache-Control", "public")], all, all),
        (&[("Expires", "Sun, 06 Nov 1994 08:49:37 GMT")], strangers, theirs),
        (&[("Expires", "0")], unmarked, theirs),
        (&[("Expires", "Sun, 06 Nov 1994 08:49:37 GMT"), ("Expires", "0")], unmarked, theirs),
        (&[("Cache-Control", "immutable")], unmarked, theirs),
        (&[("Cache-Control", "public, private=\"x\"")], no, no),
        (&[("Cache-Control", "public, no-cache=\"set-cookie\"")], no, no),
        (&[("Cache-Control", "public"), ("Cache-Control", "no-store")], no, no),
        (&[("Cache-Control", "public, must-revalidate")], no, no),
        (&[("Cache-Control", "public, proxy-revalidate")], no, no),
        (&[("Cache-Control", "public, s-maxage=9")], no, no),
        (&[("Cache-Control", "public max-age=9")], no, no),
        (&[("Cache-Control", "public"), ("Pragma", "No-Cache")], no, no),
        (
            &[("Cache-Control", "public"), ("Set-Cookie", "a=b")],
            Err(Refusal::Personal),
            Err(Refusal::Personal),
        ),
    ] {
        let audience = |shows| judge(answer, shows).map(|terms| terms.audience);
        assert_eq!((audience(false), audience(true)), (of_nobody, of_somebody), "{answer:?}");
    }
}

#[test]
fn what_says_nothing_is_kept_only_where_that_is_asked_for() {
    let rules = Rules { unmarked: true, ..RULES };
    let silent: &Lines = &[("Content-Type", "text/plain"), ("Last-Modified", "x"), ("ETag", "\"1\"")];
    assert_eq!(judge_with(rules, silent, false).map(|terms| terms.audience), Ok(Audience::Strangers));
    assert_eq!(judge_with(rules, silent, true), Err(Refusal::Credentials));
    for line in [
        ("Cache-Control", "immutable"),
        ("Cache-Control", ""),
        ("Expires", "0"),
        ("Pragma", "x"),
        ("CDN-Cache-Control", "no-store"),
        ("Surrogate-Control", "no-store"),
    ] {
        assert_eq!(judge_with(rules, &[line], false), Err(Refusal::Unmarked), "{line:?}");
    }
}

#[test]
fn how_long_it_may_be_given() {
    let public = ("Cache-Control", "public");
    for (answer, lifetime, grace, age) in [
        (&[public][..], 0, 600, 0),
        (&[public, ("Cache-Control", "max-age=60"), ("Age", "7")], 60, 600, 7),
        (&[public, ("Cache-Control", "max-age=60"), ("Expires", "0")], 60, 600, 0),
        (&[public, ("Expires", "Sun, 06 Nov 1994 08:50:37 GMT")], 60, 600, 0),
        (&[public, ("Expires", "Sun, 06 Nov 1993 08:50:37 GMT")], 0, 600, 0),
        (
            &[
                public,
                ("Expires", "Sun, 06 Nov 1994 08:50:37 GMT"),
                ("Date", "Sun, 06 Nov 1994 08:49:27 GMT"),
            ],
            70,
            600,
            // Ten seconds by the clocks when it came, two of which were the way here.
            8,
        ),
        (&[public, ("Age", "20"), ("Date", "Sun, 06 Nov 1994 08:49:27 GMT")], 0, 600, 20),
        (&[public, ("Age", "-1"), ("Date", "tomorrow")], 0, 600, 0),
        (&[public, ("Cache-Control", "stale-if-error=5")], 0, 5, 0),
        (&[public, ("Cache-Control", "stale-if-error=0")], 0, 0, 0),
        (&[public, ("Age", "99999999999999999999")], 0, 600, 1 << 31),
    ] {
        let terms = judge(answer, false).unwrap();
        let seconds = (terms.lifetime.as_secs(), terms.grace.as_secs(), terms.age.as_secs());
        assert_eq!(seconds, (lifetime, grace, age), "{answer:?}");
        assert_eq!(terms.since, Duration::from_secs(50));
    }
}

#[test]
fn it_stands_until_freshness_and_grace_are_over() {
    let terms = judge(&[("Cache-Control", "max-age=60, stale-if-error=40"), ("Age", "10")], false).unwrap();
    let at = |seconds| {
        terms.standing(Duration::from_secs(seconds)).map(|standing| (standing.age.as_secs(), standing.ttl))
    };
    assert_eq!(at(0), Some((10, 50)), "a clock that goes back makes nothing younger than it was");
    assert_eq!(at(50), Some((10, 50)));
    assert_eq!(at(100), Some((60, 0)));
    assert_eq!(at(140), Some((100, -40)));
    assert_eq!(at(141), None);
    assert_eq!(terms.standing(Duration::MAX), None);
}

#[test]
fn fields_that_services_know_callers_by() {
    for name in [
        "X-Api-Key",
        "apikey",
        "X-Auth-Token",
        "x-user-id",
        "X-Session",
        "Tenant",
        "X-Amzn-Oidc-Identity",
        "Signature-Input",
        "X-Hub-Signature",
        "X-Credential",
        "Client-Id",
        "X-Customer-Number",
    ] {
        assert!(shows_somebody(name.as_bytes()), "{name}");
    }
    for name in [
        "Sec-Fetch-User",
        "Sec-WebSocket-Key",
        "Accept",
        "DNT",
        "X-Requested-With",
        "",
        "Upgrade-Insecure-Requests",
    ] {
        assert!(!shows_somebody(name.as_bytes()), "{name}");
    }
}

#[test]
fn answers_that_take_the_place_of_a_good_one() {
    for status in [201, 203, 204, 301, 302, 307, 308, 401, 403, 404, 410] {
        assert!(supersedes(status), "{status}");
    }
    for status in [100, 200, 206, 304, 400, 408, 412, 416, 429, 431, 500, 502, 503] {
        assert!(!supersedes(status), "{status}");
    }
}
