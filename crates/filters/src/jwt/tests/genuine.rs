//! Tokens whose signature is right, whatever they say.

use super::*;

#[tokio::test]
async fn no_item_of_a_list_is_told_as_two() {
    let filter = filter();
    for (roles, told) in [
        (json!(["a", "b"]), Some("a,b")),
        (json!(["a b"]), Some("a b")),
        (json!("a,b"), Some("a,b")),
        (json!(["acme,admin"]), Some("acme%2Cadmin")),
        (json!(["x", "acme,admin,y"]), Some("x,acme%2Cadmin%2Cy")),
        (json!(["admin ", "x"]), Some("admin%20,x")),
        (json!(["a\nb"]), Some("a%0Ab")),
        (json!("Jos "), Some("Jos%20")),
        (json!("a\r\nX-Admin: 1"), Some("a%0D%0AX-Admin: 1")),
        (json!(["a", 5]), Some("[\"a\",5]")),
        (json!(["a,admin,b", 5]), Some("[\"a\\u002cadmin\\u002cb\",5]")),
        (json!({"k,admin": "x,admin"}), Some("{\"k\\u002cadmin\":\"x\\u002cadmin\"}")),
        (json!({"a": " \n\u{7f}"}), Some("{\"a\":\" \\n\\u007f\"}")),
        (json!(null), None),
    ] {
        let token = sign(&json!({"sub": "u", "roles": roles}));
        let mut exchange = with(&[&format!("Bearer {token}")], NOW);
        assert!(matches!(filter.on_request(&mut exchange).await, Verdict::Continue), "{roles}");
        assert_eq!(exchange.request.fields.get_str("X-Roles"), told, "{roles}");
    }
}

#[tokio::test]
async fn roles_in_another_form_are_none_and_noted_so() {
    let filter = filter();
    let none: &[&str] = &[];
    for (value, read, unread) in [
        (json!(["a", "b"]), &["a", "b"][..], false),
        (json!([]), none, false),
        (json!(null), none, false),
        (json!({"a": 1}), none, true),
        (json!([{"name": "admin", "tenant": "x"}]), none, true),
        (json!(["a", 5]), &["a"], true),
        (json!(5), none, true),
        (json!(true), none, true),
    ] {
        for claim in ["roles", "groups"] {
            let mut exchange = with(&[&format!("Bearer {}", sign(&json!({"sub": "u", claim: value})))], NOW);
            assert!(matches!(filter.on_request(&mut exchange).await, Verdict::Continue), "{claim} {value}");
            let identity = exchange.identity.unwrap();
            let (own, noted, other) = if claim == "roles" {
                (&identity.roles, identity.unread_roles, identity.unread_groups)
            } else {
                (&identity.authenticated_groups, identity.unread_groups, identity.unread_roles)
            };
            assert_eq!(
                (own.as_slice(), noted, other),
                (&*read.iter().map(ToString::to_string).collect::<Vec<_>>(), unread, false),
                "{claim} {value}"
            );
        }
    }
}

#[tokio::test]
async fn whoever_shows_what_is_signed_well_has_guessed_nothing() {
    let limit = || Some(Arc::new(FailureLimit::new(&"3/minute".parse().unwrap())));
    let keys = "secret: \"${env:KEY}\", required_claims: [tier], audience: [api], max_lifetime: 1h";
    let good = json!({"sub": "u", "tier": 1, "aud": "api", "exp": NOW + 60});
    for (claim, value) in [
        ("aud", json!("other")),
        ("tier", serde_json::Value::Null),
        ("sub", json!({})),
        ("exp", json!("soon")),
        ("exp", json!(NOW - 60)),
        ("exp", json!(NOW + 9_000)),
        ("nbf", json!(NOW + 60)),
        ("iat", json!(NOW + 60)),
    ] {
        let filter = Tested::with(keys, limit());
        let mut claims = good.clone();
        if value.is_null() {
            claims.as_object_mut().unwrap().shift_remove(claim);
        } else {
            claims[claim] = value;
        }
        for number in 0..5 {
            claims["number"] = json!(number);
            let fault = refusal(&filter, &sign(&claims), NOW).await.unwrap();
            assert_eq!(fault.status(), 401, "{claims}");
        }
        assert!(refusal(&filter, &sign(&good), NOW).await.is_none(), "{claims}");
    }
    let filter = Tested::with("secret: \"${env:KEY}\"", limit());
    let twice = sign_text(r#"{"alg":"HS256"}"#, r#"{"sub":"u","sub":"admin"}"#, SECRET);
    for _ in 0..5 {
        assert_eq!(refusal(&filter, &twice, NOW).await.unwrap().status(), 401);
    }
    // What is made up counts, once each.
    for number in 0..3 {
        let wrong = sign_text(r#"{"alg":"HS256"}"#, &json!({"sub": number, "aud": "x"}).to_string(), "wrong");
        assert_eq!(refusal(&filter, &wrong, NOW).await.unwrap().status(), 401);
    }
    assert_eq!(refusal(&filter, &sign(&good), NOW).await.unwrap().status(), 429);
}
