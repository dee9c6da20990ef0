//! Callers whom another service knows: what was answered or sealed before is what a request meets.

use crate::callers;
use crate::case::{self, Case, NOW, Named};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::mpsc::Receiver;
use torana_credential::jose::KeySet;
use torana_filter::{BoxFuture, Exchange, FetchBounds, OnRequest, OnResponse, Outside, Response, Verdict};
use torana_filters::{Discovered, Filter, Places, Provider, Question};
use torana_http::{Known, RequestHead, ResponseHead};
use torana_plan::{AuthenticationPlan, PolicyPlan};

const ISSUER: &str = "https://login.example.com";

pub fn cases() -> impl Iterator<Item = Named> {
    let named: [Named; 4] = [
        ("oauth2_introspection, remembered", Box::new(introspection)),
        ("forward_auth, remembered", Box::new(forward_auth)),
        ("forward_auth, asked each time", Box::new(forward_auth_each)),
        ("oidc_login, a session", Box::new(oidc_login)),
    ];
    named.into_iter()
}

/// Gives one answer to whoever asks, at once.
struct Always {
    field: Option<(&'static str, &'static str)>,
    body: String,
}

impl Outside for Always {
    fn fetch<'a>(
        &'a self,
        _: usize,
        _: &'a mut RequestHead,
        _: &'a [u8],
        _: FetchBounds,
    ) -> BoxFuture<'a, Result<Response, torana_fault::Fault>> {
        let mut head = ResponseHead::new(200);
        if let Some((name, value)) = self.field {
            head.fields.append(name, value.as_bytes()).unwrap();
        }
        let body = self.body.clone().into();
        Box::pin(async { Ok(Response { head, body }) })
    }
}

fn introspection() -> Case {
    let said = json!({
        "active": true, "sub": "alice", "scope": "read write", "aud": "orders", "exp": NOW + 3600,
    });
    let policy =
        "oauth2_introspection: { url: \"http://127.0.0.1:9/introspect\", audience: orders, scopes: [read] }";
    Case::new("oauth2_introspection, remembered", policy)
        .lines("Authorization: Bearer an-opaque-token-of-some-length")
        .outside(Always { field: None, body: said.to_string() })
}

fn asked(name: &str, more: &str) -> Case {
    let policy = format!(
        "forward_auth: {{ url: \"http://127.0.0.1:9/verify\", response_headers: [X-User], identity: {{ consumer: X-User }}{more} }}"
    );
    Case::new(name, &policy)
        .lines("Authorization: Bearer an-opaque-token-of-some-length")
        .outside(Always { field: Some(("X-User", "alice")), body: String::new() })
}

fn forward_auth() -> Case {
    asked("forward_auth, remembered", ", cache: { ttl: 1h }")
}

fn forward_auth_each() -> Case {
    asked("forward_auth, asked each time", "")
}

/// A browser that has logged in, by the filter itself: the cookie is what it sealed.
fn oidc_login() -> Case {
    let policy = format!(
        "oidc_login: {{ issuer: \"{ISSUER}\", client_id: shop, client_secret: shop-secret, session_keys: an example of thirty-two bytes or more, external_url: \"https://shop.example.com\", claims_to_headers: {{ sub: X-User }} }}"
    );
    let case = Case::new("oidc_login, a session", &policy);
    let cookies = log_in(&case);
    case.lines(&format!("Cookie: {cookies}"))
}

fn log_in(case: &Case) -> String {
    let login = case.plan.routes[0].policies.iter().find_map(|planned| match &planned.policy {
        PolicyPlan::Authentication(AuthenticationPlan::OidcLogin(plan)) => Some(Arc::clone(plan)),
        _ => None,
    });
    let login = login.expect("a login");
    let (signer, set) = callers::es256_set();
    let place = |path: &str| format!("{ISSUER}{path}").parse().unwrap();
    let places = Places {
        issuer: ISSUER.into(),
        authorization: place("/auth"),
        token: place("/token"),
        end_session: None,
        names_issuer: false,
    };
    let keys = case::remote_keys(&login);
    let set = KeySet::parse(set.to_string().as_bytes(), &[], true).unwrap();
    keys.store(Ok((set, Some(Discovered { issuer: ISSUER.into(), places: Some(Arc::new(places)) }))));
    let provider = Arc::new(Provider::new(&login.provider, keys));
    let mut questions = provider.begin().unwrap();
    let filter = case::login(&login, provider);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (location, begun) = visit(&filter, "/", "").await;
        let query: Vec<(&str, &str)> =
            location.split(['?', '&']).filter_map(|pair| pair.split_once('=')).collect();
        let parameter = |name: &str| query.iter().find(|(own, _)| *own == name).unwrap().1.to_owned();
        let claims = json!({
            "iss": ISSUER, "aud": "shop", "sub": "alice", "nonce": parameter("nonce"), "iat": NOW,
            "exp": NOW + 3600,
        });
        let id = signer.token(claims.as_object().unwrap()).unwrap();
        let back = format!("{}?code=c&state={}", login.callback_path, parameter("state"));
        let answer = answer(&mut questions, &id);
        let (_, cookies) = tokio::join!(answer, visit(&filter, &back, &begun));
        cookies.1
    })
}

async fn answer(questions: &mut Receiver<Question>, id: &str) {
    let question = questions.recv().await.unwrap();
    let tokens = json!({ "access_token": "access", "token_type": "Bearer", "id_token": id });
    question.answered(Ok((200, tokens.to_string().into_bytes())));
}

/// Where the browser is sent, and the cookies that it is to keep.
async fn visit(filter: &Filter, target: &str, cookies: &str) -> (String, String) {
    let mut exchange = Exchange::default();
    let head = format!(
        "GET {target} HTTP/1.1\r\nHost: shop.example.com\r\nSec-Fetch-Mode: navigate\r\nAccept: text/html\r\nCookie: {cookies}\r\n\r\n"
    );
    case::read(&head, &mut exchange);
    // The provider is asked by other means; what matters is that there is a world outside.
    let outside = Always { field: None, body: String::new() };
    let mut head = match filter.on_request(&mut exchange, &outside).await {
        Verdict::Respond(made) => made.head,
        Verdict::Fail(fault) if fault.status() == 302 => {
            let mut head = ResponseHead::new(302);
            for (name, value) in fault.fields() {
                head.fields.append(*name, value.as_bytes()).unwrap();
            }
            head
        }
        other => panic!("no redirection: {other:?}"),
    };
    assert!(matches!(filter.on_response(&mut exchange, &mut head).await, Verdict::Continue));
    let fields = &head.fields;
    let kept = fields.get_all(Known::SetCookie).filter_map(|line| {
        let line = std::str::from_utf8(line).unwrap();
        let pair = line.split(';').next().unwrap();
        (!line.contains("Max-Age=0")).then(|| pair.to_owned())
    });
    let kept: Vec<String> = kept.collect();
    (fields.get_str(Known::Location).unwrap_or_default().to_owned(), kept.join("; "))
}
