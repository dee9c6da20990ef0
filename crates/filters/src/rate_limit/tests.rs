use super::*;
use std::num::NonZeroU32;
use torana_config::written::WindowKind;
use torana_filter::{Credential, CredentialKind, Identity, Moment, Offline};

use torana_plan::WindowPlan;

fn plan(rates: &[&str]) -> RateLimitPlan {
    let window = |rate: &&str| WindowPlan {
        rate: rate.parse().unwrap(),
        burst: NonZeroU32::new(2).unwrap(),
        kind: WindowKind::Steady,
    };
    RateLimitPlan {
        id: "global".into(),
        windows: rates.iter().map(window).collect(),
        concurrency: None,
        by: vec![KeyPart::Consumer],
        expects_caller: false,
        missing: MissingKey::Address,
        ipv6_prefix: 64,
        cost: CostPlan {
            default: NonZeroU32::MIN,
            request_header: None,
            response_header: None,
            most: NonZeroU32::new(100).unwrap(),
        },
        count_refused: false,
        sharing: None,
        parts: NonZeroU32::MIN,
        shadow: false,
        headers: LimitHeaders::Standard,
        max_keys: NonZeroU32::new(1_000).unwrap(),
    }
}

fn pattern() -> PathPattern {
    PathPattern::parse("/t/{tenant}/*").unwrap()
}

fn filter(plan: RateLimitPlan) -> RateLimitFilter {
    let plan = Arc::new(plan);
    RateLimitFilter::prepare(
        &plan,
        Arc::new(LimiterState::new(&plan, None, None)),
        "GET /x",
        &pattern(),
        Some("users"),
    )
}

fn from(address: &str, consumer: Option<&str>) -> Exchange {
    let identity = consumer.map(|consumer| {
        let credential =
            Some(Credential { kind: CredentialKind::Key, id: format!("key of {consumer}").into() });
        let claims = serde_json::json!({ "tenant": { "id": "acme" }, "number": 7 });
        let claims = claims.as_object().unwrap().clone().into();
        let authenticated_groups = vec!["gold".into(), "staff".into()];
        let consumer = consumer.into();
        Arc::new(Identity { consumer, credential, claims, authenticated_groups, ..Identity::default() })
    });
    let moment = Moment { since_start: Duration::from_secs(9), unix_seconds: 9, unix_nanos: 0 };
    Exchange { client_address: address.parse().unwrap(), identity, moment, ..Exchange::default() }
}

async fn passes(filter: &RateLimitFilter, mut exchange: Exchange) -> bool {
    matches!(filter.on_request(&mut exchange, &Offline).await, Verdict::Continue)
}

#[tokio::test]
async fn consumers_come_before_addresses_and_never_meet_them() {
    let filter = filter(plan(&["2/minute"]));
    for _ in 0..2 {
        assert!(passes(&filter, from("10.0.0.1", Some("10.0.0.2"))).await);
    }
    assert!(!passes(&filter, from("10.0.0.9", Some("10.0.0.2"))).await);
    assert!(passes(&filter, from("10.0.0.2", None)).await);
    assert!(passes(&filter, from("2001:db8::1", None)).await);
    assert!(passes(&filter, from("2001:db8::2", None)).await);
    assert!(!passes(&filter, from("2001:db8::3", None)).await);
    assert!(passes(&filter, from("2001:db8:0:1::3", None)).await);
}

#[tokio::test]
async fn whoever_stands_in_for_those_without_credentials_is_many() {
    let anonymous = |address: &str| {
        let mut exchange = from(address, None);
        let identity = Identity { consumer: "guest".into(), anonymous: true, ..Identity::default() };
        exchange.identity = Some(Arc::new(identity));
        exchange
    };
    for missing in [MissingKey::Address, MissingKey::Skip] {
        let by = |part| filter(RateLimitPlan { by: vec![part], missing, ..plan(&["2/minute"]) });
        let either = by(KeyPart::ConsumerOrAddress);
        for address in ["10.0.0.1", "10.0.0.2"] {
            assert!(passes(&either, anonymous(address)).await && passes(&either, anonymous(address)).await);
            assert!(!passes(&either, anonymous(address)).await, "{address}");
            assert!(!passes(&either, from(address, None)).await, "{address}");
        }
        // Who has the name by credentials is another.
        assert!(passes(&either, from("10.0.0.1", Some("guest"))).await);
        let named = by(KeyPart::Consumer);
        assert!(passes(&named, anonymous("10.0.0.1")).await && passes(&named, anonymous("10.0.0.2")).await);
        assert!(!passes(&named, anonymous("10.0.0.3")).await, "one consumer, as was said");
    }
    let both =
        filter(RateLimitPlan { by: vec![KeyPart::ConsumerOrAddress, KeyPart::Route], ..plan(&["2/minute"]) });
    assert!(passes(&both, anonymous("10.0.0.1")).await && passes(&both, anonymous("10.0.0.1")).await);
    assert!(!passes(&both, anonymous("10.0.0.1")).await && passes(&both, anonymous("10.0.0.2")).await);
}

#[tokio::test]
async fn whoever_lacks_the_key_is_counted_by_address_or_passed_over_as_was_said() {
    let header = || KeyPart::Header("x-tenant".into());
    let counted = filter(RateLimitPlan { by: vec![header()], ..plan(&["2/minute"]) });
    let missing = MissingKey::Skip;
    let skipped = filter(RateLimitPlan { by: vec![header()], missing, ..plan(&["2/minute"]) });
    let mut passed = (0, 0);
    for _ in 0..5 {
        passed.0 += u32::from(passes(&counted, from("10.0.0.1", None)).await);
        passed.1 += u32::from(passes(&skipped, from("10.0.0.1", None)).await);
    }
    assert_eq!(passed, (2, 5));
}

#[tokio::test]
async fn every_kind_of_key_tells_those_apart_whom_it_should() {
    // The key, somebody who has used it up, somebody who shares it, somebody who does not.
    let a = || from("10.0.0.1", Some("a"));
    let b = || from("10.0.0.2", Some("b"));
    let cases: [(Vec<KeyPart>, bool); 8] = [
        (vec![KeyPart::Consumer], false),
        (vec![KeyPart::Credential], false),
        (vec![KeyPart::Address], false),
        (vec![KeyPart::Group], true),
        (vec![KeyPart::Claim("tenant.id".into())], true),
        (vec![KeyPart::Route], true),
        (vec![KeyPart::Service], true),
        (vec![KeyPart::Everybody], true),
    ];
    for (by, shared) in cases {
        let filter = filter(RateLimitPlan { by: by.clone(), ..plan(&["2/minute"]) });
        assert!(passes(&filter, a()).await && passes(&filter, a()).await, "{by:?}");
        assert!(!passes(&filter, a()).await, "{by:?}");
        assert_eq!(passes(&filter, b()).await, !shared, "{by:?}");
    }
    let field = filter(RateLimitPlan { by: vec![KeyPart::Header("x-tenant".into())], ..plan(&["2/minute"]) });
    let of = |tenant: &str, mut exchange: Exchange| {
        exchange.request.fields.insert("X-Tenant", tenant.as_bytes()).unwrap();
        exchange
    };
    assert!(passes(&field, of("t", a())).await && passes(&field, of("t", b())).await);
    assert!(!passes(&field, of("t", a())).await && passes(&field, of("u", a())).await);
    let both = filter(RateLimitPlan { by: vec![KeyPart::Group, KeyPart::Address], ..plan(&["2/minute"]) });
    assert!(passes(&both, a()).await && passes(&both, a()).await && !passes(&both, a()).await);
    assert!(passes(&both, b()).await);
    let path = filter(RateLimitPlan { by: vec![KeyPart::Path("/x".into())], ..plan(&["2/minute"]) });
    let at_x = |mut exchange: Exchange| {
        assert!(exchange.request.set_path(b"/x"));
        exchange
    };
    assert!(passes(&path, at_x(a())).await && passes(&path, at_x(b())).await);
    assert!(!passes(&path, at_x(a())).await && passes(&path, a()).await);
}

#[tokio::test]
async fn what_the_path_names_and_what_an_expression_makes_is_counted() {
    let at = |path: &str, consumer: Option<&str>| {
        let mut exchange = from("10.0.0.1", consumer);
        assert!(exchange.request.set_path(path.as_bytes()));
        exchange
    };
    let by = |part| filter(RateLimitPlan { by: vec![part], ..plan(&["2/minute"]) });
    let tenant = by(KeyPart::Parameter("tenant".into()));
    assert!(passes(&tenant, at("/t/a/x", None)).await && passes(&tenant, at("/t/a/y", None)).await);
    assert!(!passes(&tenant, at("/t/a/x", None)).await);
    assert!(passes(&tenant, at("/t/b/x", None)).await);
    // In all its spellings it is one.
    assert!(passes(&tenant, at("/t/c:d/x", None)).await && passes(&tenant, at("/t/c%3Ad/x", None)).await);
    assert!(
        !passes(&tenant, at("/t/c:d;1/x", None)).await && !passes(&tenant, at("/t/c%3Ad%3B2/x", None)).await
    );
    let path = filter(RateLimitPlan {
        by: vec![KeyPart::Path("/t/c:d".into())],
        missing: MissingKey::Skip,
        ..plan(&["2/minute"])
    });
    assert!(passes(&path, at("/t/c%3Ad;v", None)).await && passes(&path, at("/t/c:d", None)).await);
    assert!(!passes(&path, at("/t/c%3Ad", None)).await);
    assert!(!passes(&path, at("/t/c:d", None)).await);
    assert!(passes(&path, at("/t/e", None)).await);
    // A path without it is counted by its address, which no other name meets.
    assert!(passes(&tenant, at("/other", None)).await && passes(&tenant, at("/other", None)).await);
    assert!(!passes(&tenant, at("/else", None)).await);
    let source = "consumer.startsWith(\"b\") ? claims.tenant.id : request.path";
    let made = torana_expression::Expression::compile(source, &torana_expression::Kind::Text).unwrap();
    let expression = by(KeyPart::Expression(made.clone()));
    for consumer in ["bea", "bob"] {
        assert!(passes(&expression, at("/t/a/x", Some(consumer))).await);
    }
    assert!(!passes(&expression, at("/t/b/x", Some("ben"))).await);
    assert!(passes(&expression, at("/t/b/x", Some("ada"))).await);
    let both = filter(RateLimitPlan {
        by: vec![KeyPart::Expression(made), KeyPart::Parameter("tenant".into())],
        ..plan(&["2/minute"])
    });
    for tenant in ["a", "b"] {
        let path = format!("/t/{tenant}/x");
        assert!(passes(&both, at(&path, Some("bea"))).await && passes(&both, at(&path, Some("bob"))).await);
        assert!(!passes(&both, at(&path, Some("bea"))).await, "{tenant}");
    }
}

/// What a limit by address would still let through.
async fn left(filter: &RateLimitFilter) -> u32 {
    let mut passed = 0;
    while passes(filter, from("10.0.0.1", None)).await {
        passed += 1;
    }
    passed
}

fn named(name: &str, rates: &[&str], change: impl FnOnce(&mut RateLimitPlan)) -> RateLimitFilter {
    let mut plan = plan(rates);
    (plan.id, plan.by) = (name.into(), vec![KeyPart::Address]);
    for window in &mut plan.windows {
        window.burst = window.rate.limit();
    }
    change(&mut plan);
    filter(plan).beside_others(true)
}

#[tokio::test]
async fn what_a_later_limit_refuses_is_taken_from_none_before_it() {
    for kind in [WindowKind::Steady, WindowKind::Fixed, WindowKind::Sliding] {
        let wide = |plan: &mut RateLimitPlan| {
            plan.windows.iter_mut().for_each(|window| window.kind = kind);
            plan.headers = LimitHeaders::Draft;
        };
        let first = named("first", &["10/hour", "9/day"], wide);
        let second = named("second", &["8/hour"], |plan| plan.shadow = true);
        let third = named("third", &["3/hour"], |_| {});
        let mut passed = 0;
        for _ in 0..20 {
            let mut exchange = from("10.0.0.1", None);
            let mut verdict = Verdict::Continue;
            for limit in [&first, &second, &third] {
                verdict = limit.on_request(&mut exchange, &Offline).await;
                if !matches!(verdict, Verdict::Continue) {
                    break;
                }
            }
            match verdict {
                Verdict::Continue => passed += 1,
                // What is told is what is left after all.
                _ => assert_eq!(exchange.limits[0].limit.remaining, 7, "{kind:?}"),
            }
        }
        assert_eq!(passed, 3);
        assert_eq!(left(&first).await, 6, "{kind:?}");
        assert_eq!(second.state.usage().would_refuse, 0, "{kind:?}");
    }
}

#[tokio::test]
async fn a_place_that_is_missing_gives_back_too_and_a_limit_that_counts_refusals_keeps_its_own() {
    let counts = named("counts", &["10/hour"], |plan| plan.count_refused = true);
    let gives = named("gives", &["10/hour"], |_| {});
    let full = named("full", &[], |plan| plan.concurrency = NonZeroU32::new(1));
    let mut under_way = from("10.0.0.9", None);
    under_way.client_address = "10.0.0.1".parse().unwrap();
    assert!(matches!(full.on_request(&mut under_way, &Offline).await, Verdict::Continue));
    for _ in 0..4 {
        let mut exchange = from("10.0.0.1", None);
        for limit in [&counts, &gives] {
            assert!(matches!(limit.on_request(&mut exchange, &Offline).await, Verdict::Continue));
        }
        let Verdict::Fail(fault) = full.on_request(&mut exchange, &Offline).await else { panic!("full") };
        assert_eq!(fault.reason, Reason::ConcurrencyLimited);
    }
    assert_eq!(left(&gives).await, 10);
    assert_eq!(left(&counts).await, 6);
}

#[tokio::test]
async fn those_who_ask_most_are_shown_without_their_secrets_and_all_can_be_forgotten() {
    let open = named("open", &["2/hour"], |_| {});
    // One in sixteen is counted.
    for _ in 0..32 {
        passes(&open, from("10.0.0.1", None)).await;
    }
    let top = open.state.top(5, from("10.0.0.1", None).moment);
    assert_eq!((top[0].kind, &*top[0].name), ("address", "10.0.0.1"));
    assert!(top[0].asked >= 16 && top[0].view.unwrap().remaining == 0, "{top:?}");
    open.state.reset().await.unwrap();
    assert!(open.state.top(5, from("10.0.0.1", None).moment).is_empty());
    assert_eq!(left(&open).await, 2);
    let secret = filter(RateLimitPlan { by: vec![KeyPart::Credential], ..plan(&["2/hour"]) });
    for _ in 0..40 {
        passes(&secret, from("10.0.0.1", Some("ada"))).await;
    }
    let top = secret.state.top(5, Moment::default());
    assert_eq!(top[0].kind, "credential");
    assert!(top[0].name.starts_with('#') && !top[0].name.contains("ada"), "{top:?}");
}

#[tokio::test]
async fn fixed_windows_are_those_of_utc_as_it_is_at_each_decision_and_paces_are_not() {
    let named = |kind| {
        named("clock", &["2/minute"], |plan| plan.windows.iter_mut().for_each(|window| window.kind = kind))
    };
    let (fixed, steady) = (named(WindowKind::Fixed), named(WindowKind::Steady));
    let at = |since_start, unix_seconds| {
        let since_start = Duration::from_secs(since_start);
        let moment = Moment { since_start, unix_seconds, unix_nanos: 0 };
        Exchange { moment, ..from("10.0.0.1", None) }
    };
    let mut seen = Vec::new();
    // Up to the border of a minute; the clock is set on by a day, and then back to before.
    for (since_start, unix) in [(100, 1_000), (101, 1_019), (102, 1_020), (103, 87_420), (104, 1_025)] {
        let mut passed = (0, 0);
        for _ in 0..3 {
            passed.0 += u32::from(passes(&fixed, at(since_start, unix)).await);
            passed.1 += u32::from(passes(&steady, at(since_start, unix)).await);
        }
        seen.push(passed);
    }
    assert_eq!(seen, [(2, 2), (0, 0), (2, 0), (2, 0), (0, 0)]);
    // What is shown is the window that decides: that of the day after, until it has come.
    let top = fixed.state.top(1, at(105, 1_026).moment);
    let view = top[0].view.unwrap();
    assert_eq!((view.remaining, view.reset_after), (0, Duration::from_secs(87_480 - 1_026)));
    let mut exchange = at(105, 1_026);
    let Verdict::Fail(fault) = fixed.on_request(&mut exchange, &Offline).await else { panic!("used up") };
    assert_eq!(fault.fields(), [("Retry-After", (87_480 - 1_026).to_string())]);
}

#[tokio::test]
async fn callers_are_told_where_they_stand() {
    let filter = filter(RateLimitPlan { by: vec![KeyPart::Address], ..plan(&["2/minute"]) });
    let mut exchange = from("10.0.0.1", None);
    let mut head = ResponseHead::new(200);
    assert!(matches!(filter.on_request(&mut exchange, &Offline).await, Verdict::Continue));
    filter.on_response(&mut exchange, &mut head).await;
    assert_eq!(head.fields.get_str("RateLimit-Limit"), Some("2"));
    assert_eq!(head.fields.get_str("RateLimit-Remaining"), Some("1"));
    assert_eq!(head.fields.get_str("RateLimit-Reset"), Some("30"));
    assert!(passes(&filter, from("10.0.0.1", None)).await);
    let mut exchange = from("10.0.0.1", None);
    let Verdict::Fail(fault) = filter.on_request(&mut exchange, &Offline).await else { panic!("used up") };
    assert_eq!(fault.reason, Reason::RateLimited);
    assert_eq!(fault.fields(), [("Retry-After", "30".to_owned())]);
    assert_eq!(exchange.limit.unwrap().remaining, 0);
}

async fn told(headers: LimitHeaders) -> Vec<(String, String)> {
    told_of(RateLimitPlan { headers, ..plan(&["2/minute", "9/hour"]) }).await
}

async fn told_of(plan: RateLimitPlan) -> Vec<(String, String)> {
    let filter = filter(plan);
    let mut exchange = from("10.0.0.1", None);
    let mut head = ResponseHead::new(200);
    filter.on_request(&mut exchange, &Offline).await;
    filter.on_response(&mut exchange, &mut head).await;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    head.fields.iter().map(|(name, value)| (text(name), text(value))).collect()
}

#[tokio::test]
async fn each_style_has_its_own_fields() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(told(LimitHeaders::Off).await, []);
    let draft = told(LimitHeaders::Draft).await;
    let expected = [
        pair("RateLimit-Policy", "\"2/minute\";q=2;w=60"),
        pair("RateLimit", "\"2/minute\";r=1;t=30"),
        pair("RateLimit-Policy", "\"9/hour\";q=9;w=3600"),
        pair("RateLimit", "\"9/hour\";r=1;t=400"),
    ];
    assert_eq!(draft, expected);
    let kong = told(LimitHeaders::Kong).await;
    let expected = [
        pair("X-RateLimit-Limit-Minute", "2"),
        pair("X-RateLimit-Remaining-Minute", "1"),
        pair("X-RateLimit-Limit-Hour", "9"),
        pair("X-RateLimit-Remaining-Hour", "1"),
    ];
    assert_eq!(kong[..4], expected);
    // A tie is told for the longer window.
    let expected =
        [pair("RateLimit-Limit", "9"), pair("RateLimit-Remaining", "1"), pair("RateLimit-Reset", "400")];
    assert_eq!(kong[4..], expected);
}

#[tokio::test]
async fn kong_shows_the_limit_of_the_rate_whatever_the_burst() {
    for (rate, burst, remaining, standard) in [("20/s", 100, "20", "100"), ("100/s", 10, "9", "100")] {
        let mut plan = RateLimitPlan { headers: LimitHeaders::Kong, ..plan(&[rate]) };
        plan.windows[0].burst = NonZeroU32::new(burst).unwrap();
        let limit = rate.trim_end_matches("/s");
        let told = told_of(plan).await;
        let expected = [("X-RateLimit-Limit-Second", limit), ("X-RateLimit-Remaining-Second", remaining)];
        let shown: Vec<_> = told.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(shown[..2], expected);
        assert_eq!(shown[2], ("RateLimit-Limit", standard), "with the burst where that is larger");
    }
}

#[tokio::test]
async fn a_limit_in_shadow_counts_and_says_so_but_refuses_nobody() {
    let filter = filter(RateLimitPlan { shadow: true, ..plan(&["2/minute"]) });
    for _ in 0..2 {
        assert!(passes(&filter, from("10.0.0.1", None)).await);
    }
    let mut exchange = from("10.0.0.1", None);
    assert!(matches!(filter.on_request(&mut exchange, &Offline).await, Verdict::Continue));
    assert_eq!(exchange.would_refuse.iter().map(|id| &**id).collect::<Vec<_>>(), ["global"]);
    assert!(exchange.limit.is_none());
    let usage = filter.state.usage();
    assert_eq!((usage.allowed, usage.denied, usage.would_refuse), (2, 1, 1));
}

#[tokio::test]
async fn places_are_taken_while_requests_are_under_way() {
    let concurrency = NonZeroU32::new(2);
    let filter = filter(RateLimitPlan { concurrency, ..plan(&[]) });
    let mut under_way = Vec::new();
    for _ in 0..2 {
        let mut exchange = from("10.0.0.1", None);
        assert!(matches!(filter.on_request(&mut exchange, &Offline).await, Verdict::Continue));
        under_way.push(exchange);
    }
    let mut third = from("10.0.0.1", None);
    let Verdict::Fail(fault) = filter.on_request(&mut third, &Offline).await else { panic!("all taken") };
    assert_eq!(fault.reason, Reason::ConcurrencyLimited);
    assert_eq!(filter.state.usage().under_way, 2);
    // A request ends however it ends.
    under_way.pop();
    assert!(passes(&filter, from("10.0.0.1", None)).await);
    under_way[0].clear();
    let usage = filter.state.usage();
    assert_eq!((usage.under_way, usage.allowed, usage.denied), (0, 3, 1));
}

#[tokio::test]
async fn whoever_finds_no_place_is_counted_once_and_shown() {
    for rates in [&[][..], &["100/minute"]] {
        let filter = filter(RateLimitPlan {
            by: vec![KeyPart::Address],
            concurrency: NonZeroU32::new(1),
            windows: plan(rates)
                .windows
                .into_iter()
                .map(|window| WindowPlan { burst: NonZeroU32::new(100).unwrap(), ..window })
                .collect(),
            ..plan(&[])
        });
        let mut under_way = from("10.0.0.1", None);
        assert!(matches!(filter.on_request(&mut under_way, &Offline).await, Verdict::Continue));
        // One in sixteen is shown.
        for _ in 0..64 {
            assert!(!passes(&filter, from("10.0.0.1", None)).await);
        }
        let usage = filter.state.usage();
        assert_eq!((usage.allowed, usage.denied), (1, 64), "{rates:?}");
        let top = filter.state.top(5, Moment::default());
        assert_eq!((top[0].kind, &*top[0].name), ("address", "10.0.0.1"));
        assert!(top[0].refused >= 32, "{top:?}");
    }
}

#[tokio::test]
async fn a_request_costs_what_it_or_its_response_says() {
    let mut plan = plan(&["10/minute"]);
    plan.windows[0].burst = NonZeroU32::new(10).unwrap();
    plan.cost.request_header = Some("x-cost".into());
    plan.cost.response_header = Some("x-was".into());
    let filter = filter(plan);
    let costs = |cost: &str| {
        let mut exchange = from("10.0.0.1", None);
        exchange.request.fields.insert("x-cost", cost.as_bytes()).unwrap();
        exchange
    };
    assert!(passes(&filter, costs("4")).await);
    assert!(!passes(&filter, costs("7")).await, "six are left, and what was refused took none");
    let mut never = costs("11");
    let Verdict::Fail(fault) = filter.on_request(&mut never, &Offline).await else {
        panic!("it never passes")
    };
    assert_eq!((fault.reason, fault.status(), fault.fields().len()), (Reason::CostAboveLimit, 429, 0));
    assert!(passes(&filter, costs("0")).await, "nothing is free");
    let mut exchange = costs("nonsense");
    assert!(matches!(filter.on_request(&mut exchange, &Offline).await, Verdict::Continue));
    assert_eq!(exchange.limit.unwrap().remaining, 4);
    let mut head = ResponseHead::new(200);
    head.fields.insert("x-was", b"4").unwrap();
    filter.on_response(&mut exchange, &mut head).await;
    assert!(!head.fields.contains("x-was"));
    assert!(passes(&filter, costs("1")).await && !passes(&filter, costs("1")).await);
}
