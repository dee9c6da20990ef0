//! HTTP Message Signatures (RFC 9421).

use super::*;

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn message_signatures_admit_who_signed_just_that_and_nobody_else() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&file(&origin));
    let good = || message("/signed/a%2Db?x=1", "{\"n\": 1}", Key::Secret(ALICE), "alice", "");
    let signed = |names: &[&str], params: String| {
        Request::new("GET", "/signed/a?x=1", "").message(Key::Secret(ALICE), names, &params)
    };
    let whole = |params: String| signed(&WHOLE, params);
    let created = |ago: i64| format!(";created={};keyid=\"alice\"", i64::try_from(now()).unwrap() - ago);
    let cases = vec![
        ("accepted", good(), 200),
        ("with a public key", message("/signed/a", "x", Key::Ed25519, "alice-key", ""), 200),
        ("algorithm told", message("/signed/a", "x", Key::Ed25519, "alice-key", ";alg=\"ed25519\""), 200),
        ("without a body", whole(created(0)), 200),
        ("whole target", signed(&["@target-uri", "@method"], created(0)), 200),
        ("request target", signed(&["@request-target", "@method", "@authority"], created(0)), 200),
        ("for longer", whole(format!("{};expires={}", created(10), now() + 100)), 200),
        ("another method", good().with(|request| request.method = "PUT"), 401),
        ("another path", good().with(|request| request.target = "/signed/a-b?x=1".into()), 401),
        ("another query", good().with(|request| request.target.push('2')), 401),
        (
            "a query added",
            message("/signed/a", "x", Key::Secret(ALICE), "alice", "")
                .with(|request| request.target.push_str("?a")),
            401,
        ),
        ("query not covered", signed(&["@method", "@authority", "@path"], created(0)), 401),
        ("method not covered", signed(&["@target-uri"], created(0)), 401),
        ("host not covered", signed(&["@method", "@request-target"], created(0)), 401),
        ("nothing covered", signed(&[], created(0)), 401),
        ("expired by age", whole(created(400)), 401),
        ("expired by itself", whole(format!("{};expires={}", created(10), now() - 1)), 401),
        ("from the future", whole(created(-400)), 401),
        ("no time", whole(";keyid=\"alice\"".into()), 401),
        ("no key", whole(format!(";created={}", now())), 401),
        ("unknown key", good().set("Signature-Input", |value| value.replace("alice", "nobody")), 401),
        ("as somebody else", good().set("Signature-Input", |value| value.replace("alice", "bob")), 401),
        ("wrong key", message("/signed/a", "x", Key::Secret(BOB), "alice", ""), 401),
        (
            "another algorithm",
            message("/signed/a", "x", Key::Secret(ALICE), "alice", ";alg=\"ed25519\""),
            401,
        ),
        (
            "public key as a secret",
            message("/signed/a", "x", Key::Secret(b"alice-key"), "alice-key", ";alg=\"hmac-sha256\""),
            401,
        ),
        ("unknown parameter", message("/signed/a", "x", Key::Secret(ALICE), "alice", ";x"), 401),
        ("signature changed", good().set("Signature", |value| value.replace("sig=:", "sig=:A")), 401),
        (
            "no signature",
            good().with(|request| {
                request.fields.pop();
            }),
            401,
        ),
        ("malformed", good().set("Signature-Input", |value| value.replace(')', "")), 401),
        (
            "two signatures",
            good().field("Signature", "other=:AAAA:").field("Signature-Input", "other=();keyid=\"alice\""),
            401,
        ),
        (
            "both schemes",
            good().with(|request| {
                let other = kong("POST", &request.target, "");
                request.fields.extend(other.fields);
            }),
            401,
        ),
        ("body tampered with", good().with(|request| request.body = "{\"n\": 2}".into()), 401),
        (
            "body and digest tampered with",
            good().with(|request| request.body = "{\"n\": 2}".into()).set("Content-Digest", |_| {
                format!("sha-512=:{}:", STANDARD.encode(Sha512::digest("{\"n\": 2}")))
            }),
            401,
        ),
        ("a body added", whole(created(0)).with(|request| request.body = "x".into()), 401),
        (
            "digest not covered",
            Request::new("POST", "/signed/a?x=1", "x").content_digest().message(
                Key::Secret(ALICE),
                &WHOLE,
                &created(0),
            ),
            401,
        ),
    ];
    judge(&gateway, &origin, cases);
}
