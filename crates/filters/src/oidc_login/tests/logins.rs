//! From a page to the provider and back.

use super::*;

#[tokio::test]
async fn a_browser_logs_in_and_comes_back_to_the_page() {
    let mut tested = Tested::new(", scopes: [openid, email], parameters: { prompt: consent }");
    let mut browser = Browser::new();
    let sent = browser.begin(&tested, "/orders/7?a=b&c=%2F").await;
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "shop"),
        ("redirect_uri", "https://shop.test/oauth2/callback"),
        ("scope", "openid email"),
        ("prompt", "consent"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(parameter(&sent, name), value);
    }
    let exchange = browser.exchange(&back(&sent), &PAGE);
    let (done, form) = {
        let asked = async {
            let question = tested.questions.recv().await.unwrap();
            let id = {
                let claims = json!({"iss": ISSUER, "aud": ["shop"], "sub": "u", "nonce": parameter(&sent, "nonce"), "exp": NOW + 9, "iat": NOW});
                tested.key.token(claims.as_object().unwrap()).unwrap()
            };
            let asked = (format!("{}?{}", question.url, question.form), question.authorization.clone());
            question.answered(Ok((200, tokens(&id).to_string().into_bytes())));
            asked
        };
        let filter = &Tested {
            filter: tested.filter.clone(),
            questions: tokio::sync::mpsc::channel(1).1,
            key: pair().0,
        };
        tokio::join!(browser.send(filter, exchange), asked)
    };
    let (asked, authorization) = form;
    assert_eq!(parameter(&asked, "code"), "c");
    assert_eq!(parameter(&asked, "redirect_uri"), "https://shop.test/oauth2/callback");
    assert_eq!(text::challenge(&parameter(&asked, "code_verifier")), parameter(&sent, "code_challenge"));
    let authorization = authorization.unwrap();
    let secret =
        base64::engine::general_purpose::STANDARD.decode(authorization.strip_prefix("Basic ").unwrap());
    assert_eq!(secret.unwrap(), b"shop:a%20secret%2Fwith%3Asigns%20of%2032%20bytes%20and%20more");
    assert_eq!((done.status, &*done.location), (302, "https://shop.test/orders/7?a=b&c=%2F"));
    assert!(done.set[0].starts_with("__Host-torana_session=1."), "{:?}", done.set);
    assert!(done.set[0].ends_with("; Path=/; Max-Age=100; HttpOnly; SameSite=Lax; Secure"));
    assert_eq!(browser.jar.len(), 1, "the login is over");
    browser.jar.insert("other".into(), "1".into());
    let page = browser.visit(&tested, "/orders/7").await;
    assert_eq!((page.status, page.user.as_deref(), page.consumer.as_deref()), (200, Some("u"), Some("u")));
    assert_eq!(page.cookies_left.as_deref(), Some("other=1"), "the service sees no session");
    assert_eq!(browser.ask(&tested, "/api", &[("Accept", "application/json")]).await.status, 200);
}

#[tokio::test]
async fn several_tabs_log_in_at_once_and_not_without_end() {
    let mut tested = Tested::new("");
    let mut browser = Browser::new();
    let (one, two) = (browser.begin(&tested, "/one").await, browser.begin(&tested, "/two").await);
    for (sent, place) in [(&two, "/two"), (&one, "/one")] {
        let id = tested.id_token(&parameter(sent, "nonce"), &json!({}));
        let done = browser.finish(&mut tested, &back(sent), Ok((200, tokens(&id)))).await;
        assert_eq!(done.location, format!("https://shop.test{place}"));
    }
    let mut flooded = Browser::new();
    for number in 0..30 {
        flooded.begin(&tested, &format!("/{number}")).await;
    }
    assert_eq!(flooded.jar.len(), 8);
}

#[tokio::test]
async fn only_pages_are_sent_to_log_in() {
    let tested = Tested::new("");
    for fields in [&[("Accept", "application/json")][..], &[("Sec-Fetch-Mode", "cors")], &[]] {
        let answer = Browser::new().ask(&tested, "/api", fields).await;
        assert_eq!((answer.status, answer.reason), (401, Some(Reason::CredentialsMissing)));
        assert!(answer.location.is_empty() && answer.set.is_empty());
    }
}

#[tokio::test]
async fn what_comes_back_leads_nowhere_but_to_the_gateway() {
    for place in ["//evil.test/", "/\\evil.test", "/%2f/evil.test", "/@evil.test", "/x?to=https://evil.test"]
    {
        let mut tested = Tested::new("");
        let mut browser = Browser::new();
        let sent = browser.begin(&tested, place).await;
        let id = tested.id_token(&parameter(&sent, "nonce"), &json!({}));
        let done = browser.finish(&mut tested, &back(&sent), Ok((200, tokens(&id)))).await;
        assert_eq!(done.location, format!("https://shop.test{place}"));
    }
}

#[tokio::test]
async fn whoever_was_on_a_page_with_a_long_address_comes_back_to_the_first_one() {
    for (query, back_to) in
        [("x".repeat(500), format!("/p?{}", "x".repeat(500))), ("x".repeat(5000), "/".into())]
    {
        let mut tested = Tested::new("");
        let mut browser = Browser::new();
        let sent = browser.begin(&tested, &format!("/p?{query}")).await;
        assert_eq!(browser.jar.len(), 1);
        let id = tested.id_token(&parameter(&sent, "nonce"), &json!({}));
        let done = browser.finish(&mut tested, &back(&sent), Ok((200, tokens(&id)))).await;
        assert_eq!(done.location, format!("https://shop.test{back_to}"));
    }
}

#[tokio::test]
async fn an_id_token_that_is_not_for_this_login_lets_nobody_in() {
    let cases = [
        json!({"nonce": "another"}),
        json!({"nonce": null}),
        json!({"aud": "other"}),
        json!({"aud": ["shop", "other"]}),
        json!({"aud": ["shop", "other"], "azp": "other"}),
        json!({"azp": "other"}),
        json!({"azp": 1}),
        json!({"iss": "https://evil.test"}),
        json!({"iss": "https://login.test/"}),
        json!({"exp": NOW - 100}),
        json!({"exp": null}),
        json!({"iat": NOW + 100}),
        json!({"sub": ""}),
    ];
    for more in cases {
        let mut tested = Tested::new("");
        let mut browser = Browser::new();
        let sent = browser.begin(&tested, "/").await;
        let id = tested.id_token(&parameter(&sent, "nonce"), &more);
        let done = browser.finish(&mut tested, &back(&sent), Ok((200, tokens(&id)))).await;
        assert_eq!((done.status, done.reason), (401, Some(Reason::CredentialsInvalid)), "{more}");
        assert!(!browser.jar.contains_key("__Host-torana_session"), "{more}");
        assert_eq!(browser.visit(&tested, "/").await.status, 302);
    }
    let mut tested = Tested::new("");
    for forged in ["other key", "none", "cut", "empty"] {
        let mut browser = Browser::new();
        let sent = browser.begin(&tested, "/").await;
        let nonce = parameter(&sent, "nonce");
        let good = tested.id_token(&nonce, &json!({}));
        let payload = good.split('.').nth(1).unwrap();
        let id = match forged {
            "other key" => {
                let (key, _) = pair();
                key.token(session::claims(&good).unwrap().map()).unwrap()
            }
            "none" => format!("{}.{payload}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#)),
            "cut" => good[..good.len() - 1].into(),
            _ => String::new(),
        };
        let done = browser.finish(&mut tested, &back(&sent), Ok((200, tokens(&id)))).await;
        assert_eq!((done.status, done.reason), (401, Some(Reason::CredentialsInvalid)), "{forged}");
    }
    let good = json!({"aud": ["shop", "other"], "azp": "shop"});
    let mut browser = Browser::new();
    let sent = browser.begin(&tested, "/").await;
    let id = tested.id_token(&parameter(&sent, "nonce"), &good);
    assert_eq!(browser.finish(&mut tested, &back(&sent), Ok((200, tokens(&id)))).await.status, 302);
}

#[tokio::test]
async fn who_did_not_begin_a_login_cannot_finish_it() {
    let mut tested = Tested::new("");
    let mut browser = Browser::new();
    let sent = browser.begin(&tested, "/").await;
    let (good, state) = (back(&sent), parameter(&sent, "state"));
    let cookie = format!("__Host-torana_session.login.{state}");
    let sealed = browser.jar[&cookie].clone();
    let other_state = parameter(&browser.clone().begin(&tested, "/").await, "state");
    let mut wrong_state = browser.clone();
    wrong_state.jar = [(format!("__Host-torana_session.login.{other_state}"), sealed.clone())].into();
    let mut tampered = browser.clone();
    let (start, last) = sealed.split_at(sealed.len() - 1);
    let changed = if last == "A" { "Q" } else { "A" };
    tampered.jar.insert(cookie.clone(), format!("{start}{changed}"));
    let mut late = browser.clone();
    late.now += 60;
    let cases: Vec<(&str, Browser, String)> = vec![
        ("another browser", Browser::new(), good.clone()),
        ("a renamed login", wrong_state, good.replace(&state, &other_state)),
        ("a tampered login", tampered, good.clone()),
        ("too late", late, good.clone()),
        ("no state", browser.clone(), good.replace("state=", "estate=")),
        ("a short state", browser.clone(), good.replace(&state, "x")),
        ("a made-up state", browser.clone(), good.replace(&state, &"A".repeat(22))),
        ("another issuer", browser.clone(), good.replace("login.test", "evil.test")),
        ("no issuer", browser.clone(), good.replace("&iss", "&siss")),
        ("two codes", browser.clone(), format!("{good}&code=d")),
        ("two states", browser.clone(), format!("{good}&state={state}")),
        ("no code", browser.clone(), good.replace("code=c", "code_=c")),
        ("an error", browser.clone(), good.replace("code=c", "error=access_denied")),
    ];
    for (what, mut browser, target) in cases {
        let answer = browser.visit(&tested, &target).await;
        assert_eq!(answer.status, 401, "{what}");
        assert!(!browser.jar.contains_key("__Host-torana_session"), "{what}");
    }
    let mut post = browser.exchange(&good, &PAGE);
    post.request.set_method("POST");
    assert_eq!(browser.clone().send(&tested, post).await.status, 405);
    assert!(tested.questions.try_recv().is_err(), "the provider was never asked");
    // The good one is still good, once.
    let mut replayed = browser.clone();
    let id = tested.id_token(&parameter(&sent, "nonce"), &json!({}));
    assert_eq!(browser.finish(&mut tested, &good, Ok((200, tokens(&id)))).await.status, 302);
    let again = replayed.visit(&tested, &good).await;
    assert_eq!((again.status, again.reason), (401, Some(Reason::CredentialsInvalid)));
    assert!(tested.questions.try_recv().is_err());
}

/// A page anywhere can have its visitor's browser ask for these; nobody there is locked out by it.
#[tokio::test]
async fn what_any_page_can_make_up_counts_as_no_guess() {
    let mut tested = Tested::limited("3/hour");
    let state = "A".repeat(22);
    for target in [
        format!("/oauth2/callback?state={state}"),
        format!("/oauth2/callback?state={state}&code=c&iss=https%3A%2F%2Flogin.test"),
        "/oauth2/callback".into(),
        "/oauth2/callback?state=a&state=b".into(),
        "/oauth2/callback?state=short&error=access_denied".into(),
    ] {
        let answer = Browser::new().ask(&tested, &target, &[("Sec-Fetch-Mode", "no-cors")]).await;
        assert_eq!((answer.status, answer.reason), (401, Some(Reason::CredentialsInvalid)), "{target}");
    }
    // Nor do sessions that were sealed with a key that is gone, in one page with many parts.
    for session in ["1.x", "7.x", "1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "x"] {
        let mut stale = Browser::new();
        stale.jar.insert("__Host-torana_session".into(), session.into());
        let answer = stale.ask(&tested, "/part", &[("Sec-Fetch-Mode", "no-cors")]).await;
        assert_eq!((answer.status, answer.reason), (401, Some(Reason::CredentialsInvalid)), "{session}");
    }
    // Nor whoever does not agree at the provider.
    for _ in 0..4 {
        let mut browser = Browser::new();
        let sent = browser.begin(&tested, "/").await;
        let no = back(&sent).replace("code=c", "error=access_denied");
        assert_eq!(browser.visit(&tested, &no).await.status, 401);
    }
    let browser = Browser::log_in(&mut tested, &json!({})).await;
    assert_eq!(browser.clone().visit(&tested, "/").await.status, 200);
}

#[tokio::test]
async fn codes_that_the_provider_refuses_are_guesses() {
    let mut tested = Tested::limited("3/hour");
    for round in 0..4 {
        let mut browser = Browser::new();
        let sent = browser.begin(&tested, "/").await;
        let refused = Ok((400, json!({"error": "invalid_grant"})));
        let answer = browser.finish(&mut tested, &back(&sent), refused).await;
        let expected = if round < 3 { Reason::CredentialsInvalid } else { Reason::AuthenticationLimited };
        assert_eq!(answer.reason, Some(expected), "{round}");
    }
}

#[tokio::test]
async fn whose_roles_have_another_form_is_let_in_without_them() {
    let mut tested = Tested::new("");
    let mut browser = Browser::new();
    let sent = browser.begin(&tested, "/").await;
    let odd = json!({"roles": [{"name": "admin"}], "groups": 5});
    let id = tested.id_token(&parameter(&sent, "nonce"), &odd);
    let done = browser.finish(&mut tested, &back(&sent), Ok((200, tokens(&id)))).await;
    assert_eq!((done.status, done.reason), (302, None));
    let visit = browser.visit(&tested, "/").await;
    assert_eq!((visit.status, visit.consumer.as_deref()), (200, Some("u")));
}
