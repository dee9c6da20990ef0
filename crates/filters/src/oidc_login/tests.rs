use super::*;
use crate::authentication::locations::parameters;
use crate::authentication::{AuthenticationFilter, Method, Place};
use crate::jwt::{Discovered, Places, RemoteKeys};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokio::sync::mpsc::Receiver;
use torana_config::FixedResolver;
use torana_credential::jose::{Algorithm, KeySet, SigningKey};
use torana_filter::{BoxFuture, FetchBounds, Moment, OnRequest, OnResponse, Response};
use torana_http::{RequestHead, ResponseHead};
use torana_plan::{AuthenticationPlan, KeysPlan, PolicyPlan, load};

const NOW: u64 = 1_000_000;
const ISSUER: &str = "https://login.test";
const PAGE: [(&str, &str); 2] = [("Sec-Fetch-Mode", "navigate"), ("Accept", "text/html")];

/// Services may be asked, and none is.
struct Online;

impl Outside for Online {
    fn fetch<'a>(
        &'a self,
        _: usize,
        _: &'a mut RequestHead,
        _: &'a [u8],
        _: FetchBounds,
    ) -> BoxFuture<'a, Result<Response, Fault>> {
        Box::pin(async { Err(Reason::NoEndpoint.into()) })
    }
}

fn pair() -> (SigningKey, Value) {
    let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let private = EcdsaKeyPair::generate_pkcs8(kind, &SystemRandom::new()).unwrap();
    let public = EcdsaKeyPair::from_pkcs8(kind, private.as_ref()).unwrap();
    let (x, y) = public.public_key().as_ref()[1..].split_at(32);
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    let public = json!({"keys": [{"kty": "EC", "crv": "P-256", "use": "sig", "x": x, "y": y}]});
    (SigningKey::pkcs8(private.as_ref(), Algorithm::Es256).unwrap(), public)
}

fn plan(more: &str, key: &str) -> Arc<OidcLoginPlan> {
    let text = format!(
        "policies: {{ oidc_login: {{ issuer: \"{ISSUER}\", client_id: shop, client_secret: \"${{env:KEY}}\", session_keys: {key},
        external_url: \"https://shop.test\", claims_to_headers: {{ sub: X-User }}, lifetime: 1000s, idle: 100s, login_timeout: 60s{more} }} }}
routes: [{{ path: /*, respond: {{ status: 204 }} }}]\n"
    );
    let resolver = FixedResolver::default()
        .with_environment("KEY", "a secret/with:signs of 32 bytes and more")
        .with_environment("NEW", "another secret of 32 bytes and more");
    let loaded = load("t.yaml", &text, &resolver);
    let plan = loaded.plan.unwrap_or_else(|| panic!("{:?}", loaded.findings));
    match &plan.routes[0].policies[0].policy {
        PolicyPlan::Authentication(AuthenticationPlan::OidcLogin(plan)) => Arc::clone(plan),
        other => panic!("{other:?}"),
    }
}

/// `issuer` is what was discovered, if anything was.
fn keys(plan: &OidcLoginPlan, issuer: Option<&str>, public: &Value) -> Arc<RemoteKeys> {
    let KeysPlan::Remote(remote) = &plan.id_token.issuers[0].keys else { panic!("keys are fetched") };
    let keys = Arc::new(RemoteKeys::new(remote));
    if let Some(issuer) = issuer {
        let set = KeySet::parse(public.to_string().as_bytes(), &[], true).unwrap();
        let places = Places {
            issuer: issuer.into(),
            authorization: place("/auth?x=y"),
            token: place("/token"),
            end_session: Some(place("/end")),
            names_issuer: true,
        };
        keys.store(Ok((set, Some(Discovered { issuer: issuer.into(), places: Some(Arc::new(places)) }))));
    }
    keys
}

struct Tested {
    filter: AuthenticationFilter,
    questions: Receiver<Question>,
    key: SigningKey,
}

fn place(path: &str) -> torana_types::ResourceUrl {
    format!("{ISSUER}{path}").parse().unwrap()
}

impl Tested {
    fn new(more: &str) -> Self {
        Self::with(&plan(more, "\"${env:KEY}\""), Some(ISSUER), pair())
    }

    /// `issuer` is what was discovered, if anything was.
    fn with(plan: &Arc<OidcLoginPlan>, issuer: Option<&str>, (key, public): (SigningKey, Value)) -> Self {
        let keys = keys(plan, issuer, &public);
        let provider = Arc::new(Provider::new(&plan.provider, keys));
        let questions = provider.begin().unwrap();
        let method = Method::OidcLogin(Box::new(OidcLoginFilter::prepare(plan, provider)));
        let alone = Place { all: true, last: true, anonymous: None, preflight: true };
        Self { filter: AuthenticationFilter::new(Arc::new(method), alone, None), questions, key }
    }

    fn id_token(&self, nonce: &str, more: &Value) -> String {
        let mut claims =
            json!({"iss": ISSUER, "aud": "shop", "sub": "u", "nonce": nonce, "exp": NOW + 500, "iat": NOW});
        more.as_object().unwrap().iter().for_each(|(name, value)| claims[name] = value.clone());
        self.key.token(claims.as_object().unwrap()).unwrap()
    }
}

/// What came of a visit.
#[derive(Debug)]
struct Visit {
    /// 200 where the request goes on.
    status: u16,
    reason: Option<Reason>,
    location: String,
    user: Option<String>,
    consumer: Option<String>,
    cookies_left: Option<String>,
    set: Vec<String>,
}

/// A browser that keeps its cookies.
#[derive(Clone, Default)]
struct Browser {
    jar: BTreeMap<String, String>,
    now: u64,
}

impl Browser {
    fn new() -> Self {
        Self { jar: BTreeMap::new(), now: NOW }
    }

    fn exchange(&self, target: &str, fields: &[(&'static str, &str)]) -> Exchange {
        let mut exchange = Exchange::default();
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        assert!(exchange.request.set_path(path.as_bytes()));
        assert!(exchange.request.set_query(query.map(str::as_bytes)));
        for (name, value) in fields {
            exchange.request.fields.append(*name, value.as_bytes()).unwrap();
        }
        let pairs: Vec<String> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !pairs.is_empty() {
            exchange.request.fields.append(Known::Cookie, pairs.join("; ").as_bytes()).unwrap();
        }
        exchange.moment = Moment { unix_seconds: self.now, ..Moment::default() };
        exchange
    }

    async fn visit(&mut self, tested: &Tested, target: &str) -> Visit {
        self.ask(tested, target, &PAGE).await
    }

    async fn ask(&mut self, tested: &Tested, target: &str, fields: &[(&'static str, &str)]) -> Visit {
        let exchange = self.exchange(target, fields);
        self.send(tested, exchange).await
    }

    async fn send(&mut self, tested: &Tested, mut exchange: Exchange) -> Visit {
        let verdict = tested.filter.on_request(&mut exchange, &Online).await;
        let (mut head, reason) = match verdict {
            Verdict::Continue => (ResponseHead::new(200), None),
            Verdict::Respond(response) => (response.head, None),
            Verdict::Fail(fault) => {
                let mut head = ResponseHead::new(fault.status());
                for (name, value) in fault.fields() {
                    head.fields.append(*name, value.as_bytes()).unwrap();
                }
                (head, Some(fault.reason))
            }
        };
        assert!(matches!(tested.filter.on_response(&mut exchange, &mut head).await, Verdict::Continue));
        let set: Vec<String> = head
            .fields
            .get_all(Known::SetCookie)
            .map(|line| String::from_utf8(line.to_vec()).unwrap())
            .collect();
        for line in &set {
            let (name, rest) = line.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if rest.contains("Max-Age=0") {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.into(), value.into());
            }
        }
        Visit {
            status: head.status,
            reason,
            location: head.fields.get_str(Known::Location).unwrap_or_default().into(),
            user: exchange.request.fields.get_str("X-User").map(str::to_owned),
            consumer: exchange.identity.as_ref().map(|identity| identity.consumer.clone()),
            cookies_left: exchange.request.fields.get_str(Known::Cookie).map(str::to_owned),
            set,
        }
    }

    /// Opens a page and is sent to log in.
    async fn begin(&mut self, tested: &Tested, target: &str) -> String {
        let sent = self.visit(tested, target).await;
        assert_eq!((sent.status, sent.consumer), (302, None), "{target}");
        assert!(sent.location.starts_with(&format!("{ISSUER}/auth?x=y&")), "{}", sent.location);
        sent.location
    }

    /// Comes back while the provider answers `answer`.
    async fn finish(&mut self, tested: &mut Tested, back: &str, answer: Result<(u16, Value), &str>) -> Visit {
        let exchange = self.exchange(back, &PAGE);
        let mut questions = std::mem::replace(&mut tested.questions, tokio::sync::mpsc::channel(1).1);
        let visit = {
            let asked = async {
                let question: Question = questions.recv().await.unwrap();
                let answer = answer.map(|(status, body)| (status, body.to_string().into_bytes()));
                question.answered(answer.map_err(str::to_owned));
            };
            let mut visit = std::pin::pin!(self.send(tested, exchange));
            tokio::select! { visit = &mut visit => visit, () = asked => visit.await }
        };
        tested.questions = questions;
        visit
    }

    /// Logs in, with what the provider adds to its answer.
    async fn log_in(tested: &mut Tested, tokens: &Value) -> Self {
        let mut browser = Self::new();
        let sent = browser.begin(tested, "/").await;
        let id = tested.id_token(&parameter(&sent, "nonce"), &json!({}));
        let mut answer = json!({"access_token": "access", "token_type": "Bearer", "id_token": id});
        tokens.as_object().unwrap().iter().for_each(|(name, value)| answer[name] = value.clone());
        let done = browser.finish(tested, &back(&sent), Ok((200, answer))).await;
        assert_eq!(done.status, 302, "{done:?}");
        browser
    }
}

fn parameter(location: &str, name: &str) -> String {
    let query = location.split_once('?').unwrap().1;
    let value = parameters(query.as_bytes(), name).next().unwrap_or_else(|| panic!("{name} in {location}"));
    String::from_utf8(value.into_owned()).unwrap()
}

/// How the provider sends the browser back.
fn back(location: &str) -> String {
    let state = parameter(location, "state");
    format!("/oauth2/callback?code=c&state={state}&iss=https%3A%2F%2Flogin.test")
}

fn tokens(id: &str) -> Value {
    json!({"access_token": "access", "token_type": "Bearer", "id_token": id})
}

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
                key.token(&session::claims(&good).unwrap()).unwrap()
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
    let other = if sealed.starts_with('A') { 'B' } else { 'A' };
    tampered.jar.insert(cookie.clone(), format!("{other}{}", &sealed[1..]));
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
    assert_eq!(session::claims(&parameter(&out.location, "id_token_hint")).unwrap()["sub"], "u");
    assert!(browser.jar.is_empty());
    let replayed = copied.clone().ask(&tested, "/api", &[]).await;
    assert_eq!((replayed.status, replayed.reason), (401, Some(Reason::CredentialsExpired)));
    let nobody = Browser::new().visit(&tested, "/oauth2/logout").await;
    assert_eq!((nobody.status, &*nobody.location), (303, "https://shop.test/bye"));
}

#[tokio::test]
async fn services_receive_the_access_token_only_where_that_is_written() {
    for (more, expected) in [("", None), (", pass_access_token: true", Some("Bearer access"))] {
        let mut tested = Tested::new(more);
        let browser = Browser::log_in(&mut tested, &json!({})).await;
        let mut exchange = browser.exchange("/api", &[]);
        assert!(matches!(tested.filter.on_request(&mut exchange, &Online).await, Verdict::Continue));
        assert_eq!(exchange.request.fields.get_str(Known::Authorization), expected);
    }
}

/// The ways of the page's own example, in their order or the other way round.
fn documented(reversed: bool) -> Vec<AuthenticationFilter> {
    let page = include_str!("../../../../docs/filters/oidc_login.md");
    let mut blocks = page.split("```yaml\n").skip(1).map(|part| part.split("```").next().unwrap());
    let example = blocks.find(|block| block.contains("auth: any")).unwrap();
    let example = example.replace("client_id: shop", "client_id: shop\n    external_url: https://shop.test");
    let loaded = load("t.yaml", &example, &FixedResolver::default());
    let plan = loaded.plan.unwrap_or_else(|| panic!("{:?}", loaded.findings));
    let ways = plan.routes[0].policies.iter().filter_map(|planned| match &planned.policy {
        PolicyPlan::Authentication(way) => Some(way),
        _ => None,
    });
    let mut ways: Vec<_> = ways.collect();
    assert_eq!(ways.len(), 2);
    if reversed {
        ways.reverse();
    }
    let login = ways.iter().find_map(|way| match way {
        AuthenticationPlan::OidcLogin(plan) => Some(Arc::clone(plan)),
        _ => None,
    });
    let login = login.expect("a login");
    let keys = keys(&login, Some("https://login.example.com"), &pair().1);
    let count = ways.len();
    let filters = ways.into_iter().enumerate().map(|(index, way)| {
        let method = match way {
            AuthenticationPlan::Jwt(plan) => Method::Jwt(JwtFilter::prepare(plan, |_| Arc::clone(&keys))),
            AuthenticationPlan::OidcLogin(plan) => {
                let provider = Arc::new(Provider::new(&plan.provider, Arc::clone(&keys)));
                Method::OidcLogin(Box::new(OidcLoginFilter::prepare(plan, provider)))
            }
            other => panic!("{other:?}"),
        };
        let place = Place { all: false, last: index + 1 == count, anonymous: None, preflight: true };
        AuthenticationFilter::new(Arc::new(method), place, None)
    });
    filters.collect()
}

#[tokio::test]
async fn beside_tokens_people_are_sent_to_log_in_and_programs_are_told() {
    for reversed in [false, true] {
        let filters = documented(reversed);
        for (fields, status) in [(&PAGE[..], 302), (&[], 401)] {
            let mut exchange = Browser::new().exchange("/cart", fields);
            let mut told = None;
            for filter in &filters {
                match filter.on_request(&mut exchange, &Online).await {
                    Verdict::Fail(fault) => told = Some(fault),
                    verdict => assert!(matches!(verdict, Verdict::Continue)),
                }
            }
            let told = told.expect("a refusal");
            assert_eq!(told.status(), status, "{reversed}");
            let values: Vec<&str> = told.fields().iter().map(|(_, value)| &**value).collect();
            if status == 302 {
                assert!(
                    values.iter().any(|value| value.starts_with("https://login.test/auth?x=y&")),
                    "{values:?}"
                );
            } else {
                assert!(values.iter().any(|value| value.starts_with("Bearer")), "{values:?}");
                assert!(values.iter().any(|value| value.starts_with("Cookie")), "{values:?}");
            }
        }
    }
}
