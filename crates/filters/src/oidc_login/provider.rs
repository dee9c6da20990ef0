//! The provider: where its places are, and how it is asked for tokens.
//!
//! Asking is done beside the requests, by whoever has taken the questions ([`Provider::begin`]): a client that
//! goes away then never breaks off an exchange, which a provider that exchanges refresh tokens would punish.

use super::text;
use crate::jwt::{Places, RemoteKeys};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use torana_config::written::ClientAuthentication;
use torana_credential::jose::strict_object;
use torana_fault::{Fault, Reason};
use torana_plan::ProviderPlan;
use torana_types::ResourceUrl;

/// Questions that wait for their turn.
const QUEUE: usize = 128;

/// What the provider gave.
#[derive(Clone, Default)]
pub(super) struct Tokens {
    /// Who it is; not verified yet.
    pub(super) id: Option<String>,
    /// For asking others.
    pub(super) access: String,
    /// For asking again.
    pub(super) refresh: Option<String>,
    /// How many seconds the access token is good for.
    pub(super) expires_in: Option<u64>,
}

/// Why it gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The code or the refresh token is not good (any more).
    Grant,
    /// It could not be asked, or does not know the gateway: the caller is not to blame.
    Unavailable(String),
}

/// What became of a question.
pub(super) type Answer = Result<Tokens, Refusal>;

/// Where the answer to a question will be.
pub(super) type Pending = watch::Receiver<Option<Arc<Answer>>>;

/// A question to the provider's token endpoint.
pub struct Question {
    /// Where.
    pub url: ResourceUrl,
    /// The form (`application/x-www-form-urlencoded`).
    pub form: String,
    /// The value of `Authorization`.
    pub authorization: Option<String>,
    answer: watch::Sender<Option<Arc<Answer>>>,
}

impl Question {
    /// Hands in the provider's answer: its status and body, or why there is none.
    pub fn answered(self, outcome: Result<(u16, Vec<u8>), String>) {
        let answer = match outcome {
            Ok((status, body)) => read(status, &body),
            Err(why) => Err(Refusal::Unavailable(why)),
        };
        self.answer.send_replace(Some(Arc::new(answer)));
    }
}

/// A provider.
pub struct Provider {
    plan: ProviderPlan,
    keys: Arc<RemoteKeys>,
    questions: mpsc::Sender<Question>,
    waiting: Mutex<Option<mpsc::Receiver<Question>>>,
}

impl Provider {
    /// A provider that nobody asks yet.
    #[must_use]
    pub fn new(plan: &ProviderPlan, keys: Arc<RemoteKeys>) -> Self {
        let (questions, waiting) = mpsc::channel(QUEUE);
        Self { plan: plan.clone(), keys, questions, waiting: Mutex::new(Some(waiting)) }
    }

    /// How it is asked.
    #[must_use]
    pub const fn plan(&self) -> &ProviderPlan {
        &self.plan
    }

    /// The questions, for the one that asks them; they end with the provider.
    pub fn begin(&self) -> Option<mpsc::Receiver<Question>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) const fn keys(&self) -> &Arc<RemoteKeys> {
        &self.keys
    }

    /// Its places, fetched now if they never were.
    pub(super) async fn places(&self) -> Result<Arc<Places>, Fault> {
        self.keys.current_or_first().await.map_err(|why| unavailable(&why))?;
        self.keys
            .places()
            .ok_or_else(|| unavailable("the provider's configuration does not say where to log in"))
    }

    /// Asks for tokens by what was granted.
    pub(super) fn ask(&self, places: &Places, grant: &[(&str, &str)]) -> Pending {
        let (answer, pending) = watch::channel(None);
        let plan = &self.plan;
        let mut pairs = grant.to_vec();
        let mut authorization = None;
        match (&plan.client_secret, plan.authentication) {
            (Some(secret), ClientAuthentication::Basic) => {
                // RFC 6749 section 2.3.1: both are encoded as in a form before they are joined.
                let pair = format!("{}:{}", text::encoded(&plan.client_id), text::encoded(secret.expose()));
                authorization = Some(format!("Basic {}", STANDARD.encode(pair)));
            }
            (Some(secret), ClientAuthentication::Post) => {
                pairs.extend([("client_id", &*plan.client_id), ("client_secret", secret.expose())]);
            }
            (None, _) => pairs.push(("client_id", &plan.client_id)),
        }
        let question = Question { url: places.token.clone(), form: text::form(pairs), authorization, answer };
        if let Err(mpsc::error::TrySendError::Full(question) | mpsc::error::TrySendError::Closed(question)) =
            self.questions.try_send(question)
        {
            question.answered(Err("too many questions wait for the provider".into()));
        }
        pending
    }

    /// Waits for an answer, bounded.
    pub(super) async fn answer(&self, mut pending: Pending) -> Arc<Answer> {
        let patience =
            self.plan.timeout.as_duration().saturating_mul(2).saturating_add(Duration::from_secs(1));
        let late = || Arc::new(Err(Refusal::Unavailable("no answer in time".into())));
        match tokio::time::timeout(patience, pending.wait_for(Option::is_some)).await {
            Ok(Ok(answer)) => answer.clone().unwrap_or_else(late),
            _ => late(),
        }
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Provider({})", self.plan.keys.url)
    }
}

/// The caller is not to blame that the provider cannot be asked.
pub(super) fn unavailable(why: &str) -> Fault {
    Fault::new(Reason::LoginUnavailable).because(why.to_owned())
}

/// RFC 6749 sections 5.1 and 5.2.
fn read(status: u16, body: &[u8]) -> Answer {
    let object = strict_object(body);
    let text = |name: &str| object.as_ref()?.get(name)?.as_str().map(str::to_owned);
    let wrong = |why: &str| Err(Refusal::Unavailable(why.to_owned()));
    match status {
        200 => {
            if !text("token_type").is_some_and(|kind| kind.eq_ignore_ascii_case("bearer")) {
                return wrong("the provider's answer has no token of the type Bearer");
            }
            let Some(access) = text("access_token").filter(|token| visible(token)) else {
                return wrong("the provider's answer has no access token");
            };
            let expires_in = object.as_ref().and_then(|object| object.get("expires_in")).and_then(seconds);
            Ok(Tokens { id: text("id_token"), access, refresh: text("refresh_token"), expires_in })
        }
        400 if text("error").as_deref() == Some("invalid_grant") => Err(Refusal::Grant),
        _ => {
            let word = |error: &String| error.len() <= 64 && visible(error);
            let error = text("error").filter(word).unwrap_or_default();
            wrong(format!("the provider's answer is {status} {error}").trim_end())
        }
    }
}

/// A number, which some providers write as text.
fn seconds(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn visible(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_strictly_and_only_a_bad_grant_is_the_callers() {
        let good = br#"{"access_token":"a","token_type":"bearer","expires_in":"60","refresh_token":"r"}"#;
        let tokens = read(200, good).unwrap_or_default();
        assert_eq!((&*tokens.access, tokens.expires_in), ("a", Some(60)));
        assert_eq!(tokens.refresh.as_deref(), Some("r"));
        assert!(matches!(read(400, br#"{"error":"invalid_grant"}"#), Err(Refusal::Grant)));
        for (status, body) in [
            (200, &b"{}"[..]),
            (200, br#"{"access_token":"a","token_type":"mac"}"#),
            (200, br#"{"access_token":"a b","token_type":"Bearer"}"#),
            (200, br#"{"access_token":"a","access_token":"b","token_type":"Bearer"}"#),
            (200, b"not json"),
            (302, b""),
            (400, br#"{"error":"invalid_request"}"#),
            (401, br#"{"error":"invalid_client"}"#),
            (401, br#"{"error":"invalid_grant"}"#),
            (500, br#"{"error":"invalid_grant"}"#),
        ] {
            assert!(matches!(read(status, body), Err(Refusal::Unavailable(_))), "{status}");
        }
    }
}
