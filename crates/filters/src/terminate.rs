//! The gateway answers in place of the service: always the same, or with the request itself.

mod echo;
mod fixed;
mod node;

pub use echo::{Echo, EchoPlace};
pub use fixed::FixedAnswer;

use crate::authentication::locations::parameters;
use crate::authentication::signed::has_no_body;
use bytes::Bytes;
use serde_json::json;
use std::sync::Arc;
use torana_filter::{Exchange, Needs, OnRequest, Outside, Response, Verdict};
use torana_http::{FieldName, InvalidField, Known, RequestHead};
use torana_plan::{TerminateAnswer, TerminatePlan};

/// The gateway answers in place of the service.
#[derive(Clone, Debug)]
pub struct TerminateFilter {
    status: u16,
    answer: Arc<Answer>,
    /// What a request has to have.
    trigger: Option<Trigger>,
}

#[derive(Debug)]
enum Answer {
    Fixed(FixedAnswer),
    Echo(Echo),
}

#[derive(Clone, Debug)]
struct Trigger {
    field: FieldName,
    parameter: Arc<str>,
}

impl TerminateFilter {
    /// Prepares the filter of a route.
    #[must_use]
    pub fn prepare(plan: &TerminatePlan, place: EchoPlace) -> Self {
        let fixed = |content_type: &str, body: String| {
            let fields = vec![(Known::ContentType.as_str().to_owned(), content_type.to_owned())];
            Answer::Fixed(FixedAnswer::new(plan.status, fields, body.into()))
        };
        let answer = match &plan.answer {
            TerminateAnswer::Message(None) => {
                Answer::Fixed(FixedAnswer::new(plan.status, Vec::new(), Bytes::new()))
            }
            TerminateAnswer::Message(Some(message)) => {
                let body = json!({ "message": &**message }).to_string();
                fixed("application/json; charset=utf-8", body)
            }
            TerminateAnswer::Body { content_type, text } => fixed(content_type, text.to_string()),
            TerminateAnswer::Echo(message) => {
                Answer::Echo(Echo::new(plan.status, Vec::new(), message.clone(), place))
            }
        };
        let trigger = plan.trigger.as_deref();
        let trigger = trigger.map(|name| Trigger { field: FieldName::new(name), parameter: name.into() });
        Self { status: plan.status, answer: Arc::new(answer), trigger }
    }

    /// What it does; it asks for nothing.
    #[must_use]
    pub fn describe(&self) -> String {
        let what = match *self.answer {
            Answer::Fixed(_) => "",
            Answer::Echo(_) => " with the request",
        };
        let when =
            self.trigger.as_ref().map(|trigger| format!(" where a request has `{}`", trigger.parameter));
        let (status, when) = (self.status, when.unwrap_or_default());
        format!("nothing; answers {status}{what} in place of the service{when}")
    }

    fn fires(&self, request: &RequestHead) -> bool {
        self.trigger.as_ref().is_none_or(|trigger| {
            let query = request.query().unwrap_or_default();
            request.fields.get(&trigger.field).is_some()
                || parameters(query, &trigger.parameter).next().is_some()
        })
    }

    /// The body, where it is shown.
    pub(crate) fn needs(&self, exchange: &Exchange) -> Needs {
        let shows = matches!(*self.answer, Answer::Echo(_));
        if shows && !has_no_body(exchange) && self.fires(&exchange.request) {
            Needs::body(Echo::LONGEST)
        } else {
            Needs::NOTHING
        }
    }

    fn response(&self, exchange: &Exchange) -> Result<Response, InvalidField> {
        match &*self.answer {
            Answer::Fixed(fixed) => fixed.response(),
            Answer::Echo(echo) => echo.response(exchange, exchange.body.as_deref().unwrap_or_default()),
        }
    }
}

impl OnRequest for TerminateFilter {
    async fn on_request(&self, exchange: &mut Exchange, _: &dyn Outside) -> Verdict {
        if !self.fires(&exchange.request) {
            return Verdict::Continue;
        }
        match self.response(exchange) {
            Ok(response) => Verdict::Respond(Box::new(response)),
            // Planning has found fields that are none.
            Err(invalid) => Verdict::Fail(invalid.into()),
        }
    }
}

#[cfg(test)]
mod tests;
