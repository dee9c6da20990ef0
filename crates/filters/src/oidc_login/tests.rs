use super::*;
use crate::asking::scripted::Scripted;
use crate::authentication::locations::parameters;
use crate::authentication::{AuthenticationFilter, FailureLimit, Method, Place};
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
use torana_filter::{Moment, OnRequest, OnResponse};
use torana_http::ResponseHead;
use torana_plan::{AuthenticationPlan, KeysPlan, PolicyPlan, load};

mod beside;
mod logins;
mod sessions;

const NOW: u64 = 1_000_000;
const ISSUER: &str = "https://login.test";
const PAGE: [(&str, &str); 2] = [("Sec-Fetch-Mode", "navigate"), ("Accept", "text/html")];

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
    fn with(plan: &Arc<OidcLoginPlan>, issuer: Option<&str>, pair: (SigningKey, Value)) -> Self {
        Self::beside(plan, issuer, pair, Arc::default())
    }

    /// With what others remember.
    fn beside(
        plan: &Arc<OidcLoginPlan>,
        issuer: Option<&str>,
        pair: (SigningKey, Value),
        memory: Arc<LoginMemory>,
    ) -> Self {
        Self::built(plan, issuer, pair, memory, None)
    }

    /// With a limit on wrong credentials.
    fn limited(rate: &str) -> Self {
        let limit = Arc::new(FailureLimit::new(&rate.parse().unwrap()));
        Self::built(&plan("", "\"${env:KEY}\""), Some(ISSUER), pair(), Arc::default(), Some(limit))
    }

    fn built(
        plan: &Arc<OidcLoginPlan>,
        issuer: Option<&str>,
        (key, public): (SigningKey, Value),
        memory: Arc<LoginMemory>,
        failures: Option<Arc<FailureLimit>>,
    ) -> Self {
        let keys = keys(plan, issuer, &public);
        let provider = Arc::new(Provider::new(&plan.provider, keys));
        let questions = provider.begin().unwrap();
        let method = Method::OidcLogin(Box::new(OidcLoginFilter::prepare(plan, provider, memory)));
        let alone = Place { all: true, last: true, ..Place::default() };
        Self { filter: AuthenticationFilter::new(Arc::new(method), alone, failures), questions, key }
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
        let verdict = tested.filter.on_request(&mut exchange, &Scripted::default()).await;
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
