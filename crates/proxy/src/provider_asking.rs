//! Asking providers of logins for tokens: a chore for each, with a bound on what is asked at once.

use crate::chores::Chores;
use crate::fetch_url::UrlClient;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use torana_filters::{Provider, Question};

/// Questions that one provider is asked at once.
const AT_ONCE: usize = 16;

/// Begins to ask; ends when nobody holds the provider any more.
pub(crate) fn begin(chores: &Chores, provider: &Provider) {
    let Some(questions) = provider.begin() else { return };
    let plan = provider.plan();
    let (timeout, body_bytes) = (plan.timeout.as_duration(), plan.max_size.as_usize());
    chores.begin(move || ask_on(questions, timeout, body_bytes));
}

async fn ask_on(mut questions: mpsc::Receiver<Question>, timeout: Duration, body_bytes: usize) {
    let client = Rc::new(UrlClient::default());
    let places = Arc::new(Semaphore::new(AT_ONCE));
    while let Some(question) = questions.recv().await {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let client = Rc::clone(&client);
        tokio::task::spawn_local(async move {
            let _place = place;
            let authorization = question.authorization.as_deref();
            let asked =
                client.post_form(&question.url, &question.form, authorization, timeout, body_bytes).await;
            if let Err(fault) = &asked {
                tracing::warn!("the provider at {} cannot be asked: {fault}", question.url);
            }
            let answer = asked.map(|fetched| (fetched.head.status, fetched.body));
            question.answered(answer.map_err(|fault| fault.to_string()));
        });
    }
}
