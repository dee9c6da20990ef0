//! Services that are asked who calls: one that lets requests pass, and one that says what tokens mean.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "shared by test binaries that use parts of it")]

use torana_testkit::{Origin, Reply};

/// Lets `Bearer good` and the cookie `s=1` pass, and `Bearer reader` read.
pub fn door() -> Origin {
    Origin::respond(|request| {
        let method = request.header("X-Forwarded-Method").unwrap_or_default();
        let yes = |user: &str, groups: &str| Reply::ok("").header("X-User", user).header("X-Groups", groups);
        match (request.header("Authorization"), request.header("Cookie")) {
            (Some("Bearer good"), _) | (None, Some("s=1")) => yes("alice", "staff"),
            (Some("Bearer reader"), _) if method == "GET" => yes("reader", "readers"),
            (Some("Bearer reader" | "Bearer banned"), _) => Reply::status(403),
            (Some("Bearer lost"), _) => Reply::status(404),
            (Some("Bearer broken"), _) => Reply::status(500),
            (Some("Bearer nameless"), _) => Reply::ok(""),
            (None, None) => Reply::status(302).header("Location", "/login"),
            _ => Reply::status(401),
        }
    })
}

/// Knows some tokens.
pub fn login() -> Origin {
    Origin::respond(|request| {
        let body = request.body_text();
        let token = body.split('&').find_map(|pair| pair.strip_prefix("token=")).unwrap_or_default();
        Reply::ok(match token {
            "opaque" => r#"{"active":true,"sub":"alice","scope":"read write","roles":["admin"],"aud":"api"}"#,
            "reader" => r#"{"active":true,"sub":"bob","scope":"read","aud":["api","web"]}"#,
            "old" => r#"{"active":true,"sub":"alice","scope":"read write","exp":1,"aud":"api"}"#,
            "early" => r#"{"active":true,"sub":"alice","scope":"read","nbf":99999999999,"aud":"api"}"#,
            "other" => r#"{"active":true,"sub":"alice","scope":"read","aud":"billing"}"#,
            "stranger" => r#"{"active":true,"sub":"mallory","scope":"read","aud":"api"}"#,
            "broken" => "{",
            "text" => r#"{"active":"true","sub":"alice","aud":"api"}"#,
            "twice" => r#"{"active":false,"active":true,"sub":"alice","aud":"api"}"#,
            _ => r#"{"active":false}"#,
        })
    })
}
