//! What callers are told of a limit, in each style and wherever it counts, on whole gateways.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use std::ops::RangeInclusive;
use std::time::Instant;
use torana_testkit::{RedisServer, Response, not_at_midnight};
use yaml::Running;

/// What the windows of these tests are, and where they may count.
const WINDOWS: &str = "limit: [2/hour, 9/day], by: everybody";
const MODES: [&str; 3] = ["local", "exact", "leased"];

fn start(server: &RedisServer, limits: &str) -> Running {
    not_at_midnight();
    assert!(server.command(&["FLUSHALL"]).starts_with("+OK"));
    Running::start(&format!(
        "access_log: off
store: {{ url: \"redis://127.0.0.1:{}\", timeout: 5s }}
policies: {{ rate_limits: {{ {limits} }} }}
routes: [{{ path: /, respond: {{ status: 204 }} }}]
",
        server.port()
    ))
}

/// The fields of a response that are about limits, in their order.
fn told(response: &Response) -> Vec<String> {
    let is_about_limits = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.contains("ratelimit") || name == "retry-after"
    };
    let line = |(name, value): &(String, String)| format!("{name}: {value}");
    response.headers.iter().filter(|(name, _)| is_about_limits(name)).map(line).collect()
}

/// Compares with what is expected, in which `T` stands for a number of seconds, in order of these ranges.
#[track_caller]
fn assert_told(response: &Response, expected: &[&str], times: &[RangeInclusive<u64>]) {
    let told = told(response);
    assert_eq!(told.len(), expected.len(), "{told:?} are not {expected:?}");
    let mut times = times.iter();
    for (told, expected) in told.iter().zip(expected) {
        let Some((before, after)) = expected.split_once('T') else {
            assert_eq!(told, expected);
            continue;
        };
        let time = told.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        let time = time.and_then(|time| time.parse().ok());
        let range = times.next().unwrap();
        assert!(
            time.is_some_and(|time| range.contains(&time)),
            "{told:?} is not {expected:?} with {range:?}"
        );
    }
    assert!(times.next().is_none());
}

const HALF_AN_HOUR: RangeInclusive<u64> = 1_800..=1_800;
/// A while after something of an hour was taken.
const NEARLY_AN_HOUR: RangeInclusive<u64> = 3_500..=3_600;
const NEARLY_HALF_AN_HOUR: RangeInclusive<u64> = 1_700..=1_800;
const WITHIN_A_DAY: RangeInclusive<u64> = 1..=86_400;

#[test]
fn standard_fields_are_of_the_window_that_leaves_least() {
    let server = RedisServer::start();
    for mode in MODES {
        let gateway = start(&server, &format!("all: {{ {WINDOWS}, headers: standard, mode: {mode} }}"));
        for (left, reset) in [(1, HALF_AN_HOUR), (0, NEARLY_AN_HOUR)] {
            let left = format!("RateLimit-Remaining: {left}");
            let passed = gateway.get("/");
            assert_eq!(passed.status, 204, "{mode}");
            let passed_told = ["RateLimit-Limit: 2", &left, "RateLimit-Reset: T"];
            assert_told(&passed, &passed_told, &[reset]);
        }
        let refused = gateway.get("/");
        assert_eq!(refused.status, 429, "{mode}");
        let expected =
            ["Retry-After: T", "RateLimit-Limit: 2", "RateLimit-Remaining: 0", "RateLimit-Reset: T"];
        assert_told(&refused, &expected, &[NEARLY_HALF_AN_HOUR, NEARLY_AN_HOUR]);
    }
}

#[test]
fn the_draft_has_an_item_for_each_window() {
    let server = RedisServer::start();
    let policy = ["RateLimit-Policy: \"2/hour\";q=2;w=3600", "RateLimit-Policy: \"9/day\";q=9;w=86400"];
    for mode in MODES {
        let gateway = start(&server, &format!("all: {{ {WINDOWS}, headers: draft, mode: {mode} }}"));
        for (hour, day, reset) in [(1, 8, HALF_AN_HOUR), (0, 7, NEARLY_AN_HOUR)] {
            let passed = gateway.get("/");
            assert_eq!(passed.status, 204, "{mode}");
            let hour = format!("RateLimit: \"2/hour\";r={hour};t=T");
            let day = format!("RateLimit: \"9/day\";r={day};t=T");
            assert_told(&passed, &[policy[0], &hour, policy[1], &day], &[reset, WITHIN_A_DAY]);
        }
        let refused = gateway.get("/");
        assert_eq!(refused.status, 429, "{mode}");
        let (hour, day) = ("RateLimit: \"2/hour\";r=0;t=T", "RateLimit: \"9/day\";r=7;t=T");
        let times = [NEARLY_HALF_AN_HOUR, NEARLY_AN_HOUR, WITHIN_A_DAY];
        assert_told(&refused, &["Retry-After: T", policy[0], hour, policy[1], day], &times);
    }
}

#[test]
fn kongs_fields_are_named_by_the_window() {
    let server = RedisServer::start();
    for mode in MODES {
        let gateway = start(&server, &format!("all: {{ {WINDOWS}, headers: kong, mode: {mode} }}"));
        for (status, hour, day) in [(204, 1, 8), (204, 0, 7), (429, 0, 7)] {
            let response = gateway.get("/");
            assert_eq!(response.status, status, "{mode}");
            let (hour, day) = (hour.to_string(), day.to_string());
            for (name, value) in [
                ("X-RateLimit-Limit-Hour", "2"),
                ("X-RateLimit-Remaining-Hour", &*hour),
                ("X-RateLimit-Limit-Day", "9"),
                ("X-RateLimit-Remaining-Day", &*day),
                ("RateLimit-Limit", "2"),
                ("RateLimit-Remaining", &*hour),
            ] {
                assert_eq!(response.header_all(name), [value], "{mode} {name}");
            }
            assert!(response.header("RateLimit-Reset").is_some());
            let retry = response.header("Retry-After").map(|seconds| seconds.parse::<u64>().unwrap());
            assert_eq!(retry.is_some_and(|seconds| NEARLY_HALF_AN_HOUR.contains(&seconds)), status == 429);
            assert_eq!(told(&response).len(), if status == 429 { 8 } else { 7 });
        }
    }
}

#[test]
fn nothing_but_when_to_come_again_is_told_where_fields_are_off() {
    let server = RedisServer::start();
    for mode in MODES {
        let gateway = start(&server, &format!("all: {{ {WINDOWS}, headers: off, mode: {mode} }}"));
        for _ in 0..2 {
            let passed = gateway.get("/");
            assert_eq!((passed.status, told(&passed)), (204, Vec::new()), "{mode}");
        }
        let refused = gateway.get("/");
        assert_eq!(refused.status, 429, "{mode}");
        assert_told(&refused, &["Retry-After: T"], &[NEARLY_HALF_AN_HOUR]);
    }
}

#[test]
fn a_limit_in_shadow_is_seen_in_the_metrics_alone_in_every_style() {
    let server = RedisServer::start();
    for mode in MODES {
        for style in ["standard", "draft", "kong", "off"] {
            let limit = format!("all: {{ {WINDOWS}, headers: {style}, mode: {mode}, shadow: true }}");
            let gateway = start(&server, &limit);
            for _ in 0..5 {
                let passed = gateway.get("/");
                assert_eq!((passed.status, told(&passed)), (204, Vec::new()), "{mode} {style}");
            }
            let page = gateway.metrics.render();
            for line in [
                r#"torana_limiter_would_refuse_total{limit="global#all"} 3"#,
                r#"torana_limiter_allowed_total{limit="global#all"} 2"#,
            ] {
                assert!(page.contains(line), "{mode} {style}: {line} is not in\n{page}");
            }
        }
    }
}

#[test]
fn a_limit_in_shadow_beside_another_changes_nothing_of_what_is_told() {
    let server = RedisServer::start();
    let limits =
        "real: { limit: 3/hour, by: everybody }, trial: { limit: 1/hour, by: everybody, shadow: true }";
    let gateway = start(&server, limits);
    for (status, left) in [(204, "2"), (204, "1"), (204, "0"), (429, "0")] {
        let response = gateway.get("/");
        assert_eq!((response.status, response.header("RateLimit-Remaining")), (status, Some(left)));
        assert_eq!(response.header_all("RateLimit-Limit"), ["3"]);
    }
}

/// Permits that are kept for later count as left until they are used.
#[test]
fn every_window_is_told_also_of_permits_that_lie_here() {
    let server = RedisServer::start();
    let limit = "all: { limit: [10000/day, 50000/month], by: everybody, mode: leased, headers: draft }";
    let gateway = start(&server, limit);
    let begun = Instant::now();
    for used in 1..=40 {
        let passed = gateway.get("/");
        let left = |limit: u64| limit - used;
        let items = [
            format!("RateLimit: \"10000/day\";r={};t=T", left(10_000)),
            format!("RateLimit: \"50000/month\";r={};t=T", left(50_000)),
        ];
        let expected = [
            "RateLimit-Policy: \"10000/day\";q=10000;w=86400",
            &items[0],
            "RateLimit-Policy: \"50000/month\";q=50000;w=2419200",
            &items[1],
        ];
        assert_told(&passed, &expected, &[WITHIN_A_DAY, 1..=2_678_400]);
    }
    let page = gateway.metrics.render();
    let commands = page.lines().find_map(|line| line.strip_prefix("torana_store_questions_total "));
    // What lies idle for a moment goes back, and is asked for again.
    let moments = begun.elapsed().as_secs_f64() / 0.1;
    assert!(commands.unwrap().parse::<f64>().unwrap() < 30.0 + 2.0 * moments, "they came in batches: {page}");
}
