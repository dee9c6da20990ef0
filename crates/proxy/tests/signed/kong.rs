//! Kong's `hmac` scheme.

use super::*;
use torana_testkit::http2::FrameClient;

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn kongs_scheme_admits_who_signed_just_that_and_nobody_else() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&file(&origin));
    let get = || kong("GET", "/signed/a%2Db?x=%20&y", "");
    let post = || kong("POST", "/signed/a", "{\"n\": 1}");
    let cases = vec![
        ("accepted", get(), 200),
        ("a path that is normalised", kong("GET", "/signed/x/../%7ea//b", ""), 200),
        ("a body", post(), 200),
        (
            "a secret in base64",
            Request::new("GET", "/signed/a", "").field("Date", date(now())).kong(
                "bob",
                BOB,
                "date request-line",
            ),
            200,
        ),
        (
            "X-Date",
            Request::new("GET", "/signed/a", "").field("X-Date", date(now())).kong(
                "alice",
                ALICE,
                "x-date request-line",
            ),
            200,
        ),
        (
            "for the proxy",
            get().with(|request| request.fields.last_mut().unwrap().0 = "Proxy-Authorization".into()),
            200,
        ),
        ("nothing", Request::new("GET", "/signed/a", ""), 401),
        ("another scheme", Request::new("GET", "/signed/a", "").field("Authorization", "Bearer hmac"), 401),
        ("another method", get().with(|request| request.method = "DELETE"), 401),
        ("another path", get().with(|request| request.target = "/signed/a-b?x=%20&y".into()), 401),
        ("another query", get().with(|request| request.target.push('z')), 401),
        ("another date", get().set("Date", |_| date(now() - 100)), 401),
        (
            "expired",
            Request::new("GET", "/signed/a", "").field("Date", date(now() - 400)).kong(
                "alice",
                ALICE,
                "date request-line",
            ),
            401,
        ),
        (
            "from the future",
            Request::new("GET", "/signed/a", "").field("Date", date(now() + 400)).kong(
                "alice",
                ALICE,
                "date request-line",
            ),
            401,
        ),
        (
            "an unsigned date made fresh",
            Request::new("GET", "/signed/a", "")
                .field("Date", date(now() - 400))
                .kong("alice", ALICE, "date request-line")
                .field("X-Date", date(now())),
            401,
        ),
        ("no date", Request::new("GET", "/signed/a", "").kong("alice", ALICE, "date request-line"), 401),
        (
            "the date not signed",
            Request::new("GET", "/signed/a", "").field("Date", date(now())).kong(
                "alice",
                ALICE,
                "request-line",
            ),
            401,
        ),
        (
            "the target not signed",
            Request::new("GET", "/signed/a", "").field("Date", date(now())).kong("alice", ALICE, "date host"),
            401,
        ),
        (
            "wrong key",
            Request::new("GET", "/signed/a", "").field("Date", date(now())).kong(
                "alice",
                BOB,
                "date request-line",
            ),
            401,
        ),
        ("as somebody else", get().set("Authorization", |value| value.replace("alice", "bob")), 401),
        ("nobody", get().set("Authorization", |value| value.replace("alice", "nobody")), 401),
        (
            "a key that signs messages",
            get().set("Authorization", |value| value.replace("alice", "alice-key")),
            401,
        ),
        ("weak algorithm", get().set("Authorization", |value| value.replace("sha256", "sha1")), 401),
        ("malformed", get().set("Authorization", |value| value.replace("headers", "header")), 401),
        ("cut", get().set("Authorization", |value| value[..value.len() - 3].to_owned()), 401),
        (
            "repeated field",
            get().with(|request| {
                let again = request.fields[0].clone();
                request.fields.push(again);
            }),
            401,
        ),
        (
            "two signatures",
            get().with(|request| {
                let again = request.fields[1].clone();
                request.fields.push(again);
            }),
            401,
        ),
        (
            "beside a token that nobody has verified",
            get().with(|request| request.fields.insert(1, ("Authorization".into(), "Bearer x".into()))),
            401,
        ),
        ("before a token that nobody has verified", get().field("Authorization", "Bearer x"), 401),
        (
            "spoofed",
            Request::new("GET", "/signed/a", "")
                .field("X-Consumer-Username", "alice")
                .field("X-Credential-Identifier", "alice"),
            401,
        ),
        ("body tampered with", post().with(|request| request.body = "{\"n\": 2}".into()), 401),
        (
            "body and digest tampered with",
            post()
                .with(|request| request.body = "{\"n\": 2}".into())
                .set("Digest", |_| format!("SHA-256={}", STANDARD.encode(Sha256::digest("{\"n\": 2}")))),
            401,
        ),
        ("body without digest", kong("POST", "/signed/a", "").with(|request| request.body = "x".into()), 401),
        (
            "digest not signed",
            Request::new("POST", "/signed/a", "x").field("Date", date(now())).digest().kong(
                "alice",
                ALICE,
                "date request-line",
            ),
            401,
        ),
        ("too long a body", kong("POST", "/signed/a", &"x".repeat(1_100_000)), 413),
    ];
    judge(&gateway, &origin, cases);
}

#[test]
fn kongs_own_options_are_there() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&file(&origin));
    let at = |seconds| Request::new("POST", "/kong/a", "x").field("Date", date(seconds));
    for (name, request, status) in [
        ("date and digest not signed", at(now()).digest().kong("alice", ALICE, "host"), 200),
        (
            "a body that is another",
            at(now()).digest().kong("alice", ALICE, "host").with(|request| request.body = "y".into()),
            401,
        ),
        ("a body without digest", at(now()).kong("alice", ALICE, "host"), 401),
        ("expired all the same", at(now() - 400).digest().kong("alice", ALICE, "host"), 401),
        ("messages are not asked", message("/kong/a", "x", Key::Secret(ALICE), "alice", ""), 401),
    ] {
        assert_eq!(request.send(&gateway).status, status, "{name}");
    }
    let seen = origin.requests().pop().unwrap();
    assert!(seen.header("Authorization").is_some_and(|value| value.starts_with("hmac ")));
    assert_eq!(seen.header("X-Consumer-Username"), Some("alice"));
}

#[test]
fn a_request_line_over_http2_is_what_kong_signs() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&file(&origin));
    for (version, status) in [("2.0", 200), ("2", 401), ("1.1", 401)] {
        let request = Request::new("GET", "/signed/a%2Db?x=%20&y", "").field("Date", date(now()));
        let request = request.kong_by(version, "alice", ALICE, "date request-line");
        let mut fields =
            vec![(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", &request.target)];
        let lower: Vec<_> =
            request.fields.iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        fields.extend(lower.iter().map(|(name, value)| (&**name, &***value)));
        let outcome = FrameClient::connect(gateway.address).headers(1, &fields, true).outcome(1);
        assert_eq!(outcome.status, status, "{version}");
    }
    assert_eq!(origin.only_request().header("X-Consumer-Username"), Some("alice"));
}
