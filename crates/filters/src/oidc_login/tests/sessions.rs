//! What the browser keeps, and for how long.

use super::*;

#[tokio::test]
async fn a_session_is_believed_only_as_it_was_sealed() {
    let key = || pair();
    let (signing, public) = key();
    let old = plan("", "\"${env:KEY}\"");
    let mut tested = Tested::with(&old, Some(ISSUER), (signing, public.clone()));
    let good = Browser::log_in(&mut tested, &json!({})).await;
    let name = "__Host-torana_session";
    let value = good.jar[name].clone();
    let mut begun = Browser::new();
    let sent = begun.begin(&tested, "/").await;
    let login = begun.jar[&format!("{name}.login.{}", parameter(&sent, "state"))].clone();
    let mut flipped = value.clone().into_bytes();
    flipped[60] = if flipped[60] == b'A' { b'B' } else { b'A' };
    for (what, value) in [
        ("flipped", String::from_utf8(flipped).unwrap()),
        ("cut", value[..value.len() - 4].to_owned()),
        ("without its count", value[2..].to_owned()),
        ("another count", value.replacen("1.", "2.", 1)),
        ("a login", login),
        ("empty", String::new()),
        ("made up", "1.e30".into()),
    ] {
        let mut browser = good.clone();
        browser.jar.insert(name.into(), value);
        let api = browser.clone().ask(&tested, "/api", &[]).await;
        assert_eq!((api.status, api.reason), (401, Some(Reason::CredentialsInvalid)), "{what}");
        assert!(api.cookies_left.is_none(), "{what}");
        assert_eq!(browser.visit(&tested, "/").await.status, 302, "{what}");
    }
    let asked = |key: &str, client: &str| {
        let text = plan(&format!(", cookie: {{ name: torana_session }}{client}"), key);
        Tested::with(&text, Some(ISSUER), pair())
    };
    let status = async |tested: &Tested| good.clone().ask(tested, "/api", &[]).await.status;
    assert_eq!(status(&asked("[\"${env:NEW}\", \"${env:KEY}\"]", "")).await, 200, "an old secret opens");
    assert_eq!(status(&asked("\"${env:NEW}\"", "")).await, 401, "a secret that is gone does not");
    let mut other = (*plan("", "\"${env:KEY}\"")).clone();
    other.provider.client_id = "other".into();
    assert_eq!(status(&Tested::with(&Arc::new(other), Some(ISSUER), pair())).await, 401, "of another client");
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_and_when_its_time_is_over() {
    let mut tested = Tested::new("");
    let mut browser = Browser::log_in(&mut tested, &json!({})).await;
    let mut idle = browser.clone();
    idle.now += 100;
    let ended = idle.ask(&tested, "/api", &[]).await;
    assert_eq!((ended.status, ended.reason), (401, Some(Reason::CredentialsExpired)));
    assert!(idle.jar.is_empty(), "the browser forgets it");
    let mut renewed = 0;
    for _ in 0..49 {
        browser.now += 20;
        let answer = browser.ask(&tested, "/api", &[]).await;
        assert_eq!(answer.status, 200, "{}", browser.now);
        renewed += answer.set.len();
    }
    assert!(renewed >= 40, "that it is used is noted: {renewed}");
    browser.now = NOW + 1000;
    assert_eq!(browser.ask(&tested, "/api", &[]).await.reason, Some(Reason::CredentialsExpired));
}

#[tokio::test]
async fn that_the_provider_is_down_is_not_the_callers_fault() {
    let tested = Tested::with(&plan("", "\"${env:KEY}\""), None, pair());
    let page = Browser::new().visit(&tested, "/").await;
    assert_eq!((page.status, page.reason), (503, Some(Reason::LoginUnavailable)));
    let mut tested = Tested::new("");
    let mut browser = Browser::new();
    let sent = browser.begin(&tested, "/").await;
    let id = tested.id_token(&parameter(&sent, "nonce"), &json!({}));
    for answer in [
        Err("refused"),
        Ok((500, json!({}))),
        Ok((401, json!({"error": "invalid_client"}))),
        Ok((400, json!({"error": "unauthorized_client"}))),
        Ok((302, json!({}))),
    ] {
        let said = format!("{answer:?}");
        let answer = browser.finish(&mut tested, &back(&sent), answer).await;
        assert_eq!((answer.status, answer.reason), (503, Some(Reason::LoginUnavailable)), "{said}");
    }
    // The page is loaded again once it is back.
    assert_eq!(browser.finish(&mut tested, &back(&sent), Ok((200, tokens(&id)))).await.status, 302);
    let mut browser = Browser::new();
    let sent = browser.begin(&tested, "/").await;
    let refused = Ok((400, json!({"error": "invalid_grant"})));
    let answer = browser.finish(&mut tested, &back(&sent), refused).await;
    assert_eq!((answer.status, answer.reason), (401, Some(Reason::CredentialsInvalid)));
}

#[tokio::test]
async fn tokens_are_renewed_once_for_all_requests_of_a_session() {
    let given = json!({"refresh_token": "r1", "expires_in": 50});
    let mut tested = Tested::new("");
    let browser = Browser::log_in(&mut tested, &given).await;
    let at = |seconds: u64| Browser { now: NOW + seconds, ..browser.clone() };
    assert_eq!(at(39).ask(&tested, "/api", &[]).await.status, 200);
    assert!(tested.questions.try_recv().is_err());
    let (mut one, mut two, mut three) = (at(45), at(45), at(51));
    let exchanges = [&one, &two, &three].map(|browser| browser.exchange("/api", &[]));
    let new = json!({"access_token": "a2", "token_type": "Bearer", "refresh_token": "r2", "expires_in": 50});
    let mut questions = std::mem::replace(&mut tested.questions, tokio::sync::mpsc::channel(1).1);
    let asked = async {
        let question = questions.recv().await.unwrap();
        assert_eq!(question.form, "grant_type=refresh_token&refresh_token=r1");
        question.answered(Ok((200, new.to_string().into_bytes())));
    };
    let [first, second, third] = exchanges;
    let (a, b, c, ()) =
        tokio::join!(one.send(&tested, first), two.send(&tested, second), three.send(&tested, third), asked);
    for visit in [a, b, c] {
        assert_eq!((visit.status, visit.consumer.as_deref()), (200, Some("u")));
        assert!(visit.set[0].starts_with("__Host-torana_session=1."));
    }
    assert!(questions.try_recv().is_err(), "the provider was asked once");
    tested.questions = questions;
    // The next time with what came back.
    one.now = NOW + 90;
    let exchange_form = {
        let exchange = one.exchange("/api", &[]);
        let mut questions = std::mem::replace(&mut tested.questions, tokio::sync::mpsc::channel(1).1);
        let asked = async {
            let question = questions.recv().await.unwrap();
            let form = question.form.clone();
            question.answered(Ok((400, br#"{"error":"invalid_grant"}"#.to_vec())));
            form
        };
        let (visit, form) = tokio::join!(one.send(&tested, exchange), asked);
        assert_eq!((visit.status, visit.reason), (401, Some(Reason::CredentialsExpired)));
        form
    };
    assert_eq!(exchange_form, "grant_type=refresh_token&refresh_token=r2");
    assert!(one.jar.is_empty());
}

#[tokio::test]
async fn an_answer_that_is_slower_than_a_renewal_brings_no_older_session_back() {
    let given = json!({"refresh_token": "r1", "expires_in": 50});
    let mut tested = Tested::new("");
    let browser = Browser::log_in(&mut tested, &given).await;
    let at = |seconds: u64| Browser { now: NOW + seconds, ..browser.clone() };
    let mut slow = [at(15).exchange("/slow", &[]), at(15).exchange("/slower", &[])];
    for exchange in &mut slow {
        assert!(matches!(tested.filter.on_request(exchange, &Scripted::default()).await, Verdict::Continue));
        assert_eq!(exchange.set_cookies.len(), 1, "it is noted that the session was used");
    }
    let [mut before, mut after] = slow;
    let mut head = ResponseHead::new(200);
    // Every way of a route sees each answer, and more than one answer may be tried.
    for mut other in [None, None, Some(ResponseHead::new(200))] {
        let head = other.as_mut().unwrap_or(&mut head);
        assert!(matches!(tested.filter.on_response(&mut before, head).await, Verdict::Continue));
        assert_eq!(head.fields.get_all(Known::SetCookie).count(), 1);
    }
    let new = json!({"access_token": "a2", "token_type": "Bearer", "refresh_token": "r2", "expires_in": 50});
    assert_eq!(at(45).finish(&mut tested, "/api", Ok((200, new))).await.set.len(), 1);
    let mut head = ResponseHead::new(200);
    assert!(matches!(tested.filter.on_response(&mut after, &mut head).await, Verdict::Continue));
    assert_eq!(head.fields.get_all(Known::SetCookie).count(), 0);
    // Who brings the old one all the same, long after, gets what the provider gave for it.
    assert_eq!(at(110).ask(&tested, "/api", &[]).await.status, 401, "idle");
    assert_eq!(at(99).ask(&tested, "/api", &[]).await.status, 200);
    assert!(tested.questions.try_recv().is_err(), "the provider was asked once");
}

#[tokio::test]
async fn a_refresh_token_that_stays_the_same_is_asked_with_again_each_time() {
    let given = json!({"refresh_token": "r1", "expires_in": 20});
    let mut tested = Tested::new("");
    let mut browser = Browser::log_in(&mut tested, &given).await;
    for round in 1..5 {
        browser.now = NOW + 20 * round;
        let good = json!({"access_token": "a", "token_type": "Bearer", "expires_in": 20});
        let answer = browser.finish(&mut tested, "/api", Ok((200, good))).await;
        assert_eq!(answer.status, 200);
        assert!(tested.questions.try_recv().is_err());
        assert_eq!(answer.set.len(), 1, "it was renewed");
    }
    browser.now += 20;
    assert_eq!(browser.finish(&mut tested, "/api", Err("refused")).await.status, 503, "it is asked again");
}

#[tokio::test]
async fn a_provider_that_is_down_ends_a_session_only_once_its_tokens_expired() {
    let given = json!({"refresh_token": "r1", "expires_in": 50});
    let mut tested = Tested::new("");
    let browser = Browser::log_in(&mut tested, &given).await;
    let at = |seconds: u64| Browser { now: NOW + seconds, ..browser.clone() };
    let ageing = at(45).finish(&mut tested, "/api", Err("refused")).await;
    assert_eq!(ageing.status, 200);
    let expired = at(50).finish(&mut tested, "/api", Err("refused")).await;
    assert_eq!((expired.status, expired.reason), (503, Some(Reason::LoginUnavailable)));
    let good = json!({"access_token": "a2", "token_type": "Bearer", "expires_in": 50});
    assert_eq!(at(51).finish(&mut tested, "/api", Ok((200, good))).await.status, 200);
}

#[tokio::test]
async fn a_renewed_token_of_somebody_else_is_refused() {
    for more in [
        json!({"sub": "v"}),
        json!({"nonce": "x"}),
        json!({"aud": "other"}),
        json!({"iss": "https://evil.test"}),
    ] {
        let mut tested = Tested::new("");
        let given = json!({"refresh_token": "r1", "expires_in": 50});
        let browser = Browser::log_in(&mut tested, &given).await;
        let id = tested.id_token("", &more);
        let mut late = Browser { now: NOW + 50, ..browser };
        let answer = late.finish(&mut tested, "/api", Ok((200, tokens(&id)))).await;
        assert_eq!((answer.status, answer.reason), (302, Some(Reason::CredentialsInvalid)), "{more}");
        assert_eq!(answer.consumer, None);
        assert!(!late.jar.contains_key("__Host-torana_session"), "{more}");
    }
}

#[tokio::test]
async fn after_a_logout_the_session_is_good_for_nothing() {
    let mut tested = Tested::new(", post_logout_redirect: /bye");
    let mut browser = Browser::log_in(&mut tested, &json!({})).await;
    let copied = browser.clone();
    let cross = [("Sec-Fetch-Site", "cross-site")];
    assert_eq!(browser.ask(&tested, "/oauth2/logout", &cross).await.reason, Some(Reason::CrossSiteRequest));
    let out = browser.visit(&tested, "/oauth2/logout").await;
    assert_eq!(out.status, 303);
    assert!(out.location.starts_with("https://login.test/end?"), "{}", out.location);
    assert_eq!(parameter(&out.location, "post_logout_redirect_uri"), "https://shop.test/bye");
    assert_eq!(session::claims(&parameter(&out.location, "id_token_hint")).unwrap().map()["sub"], "u");
    assert!(browser.jar.is_empty());
    let replayed = copied.clone().ask(&tested, "/api", &[]).await;
    assert_eq!((replayed.status, replayed.reason), (401, Some(Reason::CredentialsExpired)));
    let nobody = Browser::new().visit(&tested, "/oauth2/logout").await;
    assert_eq!((nobody.status, &*nobody.location), (303, "https://shop.test/bye"));
}

/// Two policies of one login, of which one takes sessions longer, and a configuration that follows them.
#[tokio::test]
async fn a_logout_ends_the_session_in_every_policy_of_the_login() {
    let memory = Arc::<LoginMemory>::default();
    let beside = |text: &str| {
        let planned = plan(text, "\"${env:KEY}\"");
        Tested::beside(&planned, Some(ISSUER), pair(), Arc::clone(&memory))
    };
    let mut first = Tested::beside(&plan("", "\"${env:KEY}\""), Some(ISSUER), pair(), Arc::clone(&memory));
    let mut longer = (*plan("", "\"${env:KEY}\"")).clone();
    (longer.lifetime, longer.idle) =
        (torana_types::TimeSpan::from_secs(5000), torana_types::TimeSpan::from_secs(5000));
    let second = Tested::beside(&Arc::new(longer), Some(ISSUER), pair(), Arc::clone(&memory));
    let mut browser = Browser::log_in(&mut first, &json!({})).await;
    let at = |browser: &Browser, seconds: u64| Browser { now: NOW + seconds, ..browser.clone() };
    let copied = browser.clone();
    assert_eq!(at(&copied, 1500).ask(&second, "/api", &[]).await.status, 200);
    assert_eq!(browser.visit(&first, "/oauth2/logout").await.status, 303);
    drop(first);
    let reloaded = beside(", callback_path: /back");
    for (filter, seconds) in [(&second, 1), (&second, 1500), (&second, 4999), (&reloaded, 1)] {
        let replayed = at(&copied, seconds).ask(filter, "/api", &[]).await;
        assert_eq!((replayed.status, replayed.reason), (401, Some(Reason::CredentialsExpired)), "{seconds}");
    }
}

#[tokio::test]
async fn a_session_that_was_ended_opens_for_no_longer_lifetime_that_is_configured_later() {
    let memory = Arc::<LoginMemory>::default();
    let lasting = |seconds: u64| {
        let mut plan = (*plan("", "\"${env:KEY}\"")).clone();
        plan.lifetime = torana_types::TimeSpan::from_secs(seconds);
        plan.idle = torana_types::TimeSpan::from_secs(5000);
        Tested::beside(&Arc::new(plan), Some(ISSUER), pair(), Arc::clone(&memory))
    };
    let mut short = lasting(1000);
    let mut browser = Browser::log_in(&mut short, &json!({})).await;
    let (copied, kept) = (browser.clone(), Browser::log_in(&mut short, &json!({})).await);
    assert_eq!(browser.visit(&short, "/oauth2/logout").await.status, 303);
    drop(short);
    let mut long = lasting(4000);
    let asked = async |browser: &Browser, seconds: u64| {
        Browser { now: NOW + seconds, ..browser.clone() }.ask(&long, "/api", &[]).await.status
    };
    for seconds in [999, 1002, 2000] {
        assert_eq!(asked(&copied, seconds).await, 401, "{seconds}");
    }
    assert_eq!(
        (asked(&kept, 999).await, asked(&kept, 1000).await),
        (200, 401),
        "it has the time that it began with"
    );
    let new = Browser::log_in(&mut long, &json!({})).await;
    assert_eq!(Browser { now: NOW + 3999, ..new.clone() }.ask(&long, "/api", &[]).await.status, 200);
}

#[tokio::test]
async fn a_login_comes_back_once_in_all_policies_and_tokens_are_renewed_once() {
    let memory = Arc::<LoginMemory>::default();
    let planned = plan("", "\"${env:KEY}\"");
    let new = || Tested::beside(&planned, Some(ISSUER), pair(), Arc::clone(&memory));
    let (mut first, mut second) = (new(), new());
    let mut browser = Browser::new();
    let sent = browser.begin(&first, "/").await;
    let id = first.id_token(&parameter(&sent, "nonce"), &json!({}));
    let given = json!({
        "access_token": "a", "token_type": "Bearer", "id_token": id, "refresh_token": "r1", "expires_in": 50,
    });
    let mut again = browser.clone();
    assert_eq!(browser.finish(&mut first, &back(&sent), Ok((200, given))).await.status, 302);
    let twice = again.visit(&second, &back(&sent)).await;
    assert_eq!((twice.status, twice.reason), (401, Some(Reason::CredentialsInvalid)));
    let new = json!({"access_token": "a2", "token_type": "Bearer", "refresh_token": "r2", "expires_in": 50});
    let mut late = Browser { now: NOW + 45, ..browser.clone() };
    assert_eq!(late.finish(&mut first, "/api", Ok((200, new))).await.status, 200);
    let mut other = Browser { now: NOW + 46, ..browser };
    assert_eq!(other.ask(&second, "/api", &[]).await.status, 200);
    assert!(second.questions.try_recv().is_err(), "the other policy has not asked again");
}

#[tokio::test]
async fn services_receive_the_access_token_only_where_that_is_written() {
    for (more, expected) in [("", None), (", pass_access_token: true", Some("Bearer access"))] {
        let mut tested = Tested::new(more);
        let browser = Browser::log_in(&mut tested, &json!({})).await;
        let mut exchange = browser.exchange("/api", &[]);
        assert!(matches!(
            tested.filter.on_request(&mut exchange, &Scripted::default()).await,
            Verdict::Continue
        ));
        assert_eq!(exchange.request.fields.get_str(Known::Authorization), expected);
    }
}

/// A session that began before access tokens were passed on has none.
#[tokio::test]
async fn what_a_client_sends_as_an_access_token_is_not_taken_for_that_of_its_session() {
    let mut before = Tested::new("");
    let browser = Browser::log_in(&mut before, &json!({})).await;
    let tested = Tested::new(", pass_access_token: true");
    let mut exchange = browser.exchange("/api", &[("Authorization", "Bearer forged")]);
    assert!(matches!(tested.filter.on_request(&mut exchange, &Scripted::default()).await, Verdict::Continue));
    assert_eq!(exchange.identity.map(|identity| identity.consumer.clone()).as_deref(), Some("u"));
    assert_eq!(exchange.request.fields.get_str(Known::Authorization), None);
}
