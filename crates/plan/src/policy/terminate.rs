//! `terminate` in the plan.

use std::sync::Arc;

use torana_config::written::{Defaulted, TerminateConfig};
use torana_config::{Document, Finding, Path};

use super::PolicyPlan;
use crate::text;

/// The gateway answers in place of the service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TerminatePlan {
    /// The status code, from 200 to 599.
    pub status: u16,
    /// What is answered with it.
    pub answer: TerminateAnswer,
    /// The field or parameter that a request has to have; all are answered when `None`.
    pub trigger: Option<String>,
}

/// What a request is answered with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TerminateAnswer {
    /// This in JSON; no body when `None`.
    Message(Option<Arc<str>>),
    /// A body.
    Body {
        /// What it is, a valid value of a field.
        content_type: String,
        /// It.
        text: Arc<str>,
    },
    /// The request itself, and this beside it.
    Echo(Option<Arc<str>>),
}

/// What a status says where nothing else was written, as Kong has it.
const fn default_message(status: u16) -> Option<&'static str> {
    Some(match status {
        401 => "Unauthorized",
        404 => "Not found",
        405 => "Method not allowed",
        500 => "An unexpected error occurred",
        502 => "Bad Gateway",
        503 => "Service unavailable",
        _ => return None,
    })
}

/// Plans the policy that is written at `path`.
pub(crate) fn plan(
    document: &Document,
    path: &Path,
    config: &Defaulted<TerminateConfig>,
    findings: &mut Vec<Finding>,
) -> PolicyPlan {
    let config = config.config();
    check(document, path, &config, findings);
    let message = config.message.as_deref().or_else(|| default_message(config.status)).map(Arc::from);
    let content_type = config.content_type.as_deref().unwrap_or("text/plain; charset=utf-8");
    let answer = match &config.body {
        _ if config.echo => TerminateAnswer::Echo(message),
        Some(body) => TerminateAnswer::Body { content_type: content_type.into(), text: body.as_str().into() },
        None => TerminateAnswer::Message(message),
    };
    if answer != TerminateAnswer::Message(None) {
        text::no_body(document, path, config.status, findings);
    }
    PolicyPlan::Terminate(Arc::new(TerminatePlan { status: config.status, answer, trigger: config.trigger }))
}

fn check(document: &Document, path: &Path, config: &TerminateConfig, findings: &mut Vec<Finding>) {
    let mut wrong = |code, message: &str, key: &str| {
        findings.push(Finding::error(code, message).at(document.key_span_at(&path.key(key))));
    };
    let (has_body, has_type) = (config.body.is_some(), config.content_type.is_some());
    if config.message.is_some() && (has_body || has_type) {
        wrong(
            "two-bodies",
            "an answer has a `message`, or a `body` with its `content_type`: not both",
            "message",
        );
    }
    if config.echo && (has_body || has_type) {
        wrong("two-bodies", "an answer has a body, or it echoes the request: not both", "echo");
    }
    if has_type && !has_body {
        wrong("no-body", "`content_type` says what a `body` is, and there is none", "content_type");
    }
    if let Some(content_type) = &config.content_type {
        text::field_value(document, &path.key("content_type"), content_type, findings);
    }
    if let Some(trigger) = &config.trigger {
        text::token(document, &path.key("trigger"), trigger, "the name of a field", findings);
    }
}
