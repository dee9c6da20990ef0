//! `allow_if` in the plan: the expressions are compiled here, so that every mistake has its place.

use std::sync::Arc;

use torana_config::written::{AllowIfForm, OneOrMany};
use torana_config::{Document, Finding, Path, Span};
use torana_expression::{Expression, ExpressionError};

use super::PolicyPlan;

/// Conditions over the request, the caller and the time. At least one list is not empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AllowIfPlan {
    /// Each of these holds.
    pub all: Vec<Expression>,
    /// One of these holds; no condition when empty.
    pub any: Vec<Expression>,
    /// None of these holds.
    pub deny: Vec<Expression>,
}

impl AllowIfPlan {
    /// The fields that expressions name.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        [&self.all, &self.any, &self.deny].into_iter().flatten().flat_map(Expression::fields)
    }

    /// Whether an expression asks who calls.
    #[must_use]
    pub fn asks_who_calls(&self) -> bool {
        [&self.all, &self.any, &self.deny].into_iter().flatten().any(Expression::asks_who_calls)
    }
}

/// Plans the policy that is written at `path`.
pub(crate) fn plan(
    document: &Document,
    path: &Path,
    form: &AllowIfForm,
    findings: &mut Vec<Finding>,
) -> PolicyPlan {
    let config = form.config();
    let mut compiled = |written: &[String], place: &dyn Fn(usize) -> Path| {
        let mut expressions = Vec::with_capacity(written.len());
        for (index, source) in written.iter().enumerate() {
            match Expression::condition(source) {
                Ok(expression) => expressions.push(expression),
                Err(errors) => {
                    let whole = document.span_at(&place(index));
                    findings.extend(errors.into_iter().map(|error| finding(document, &whole, source, error)));
                }
            }
        }
        expressions
    };
    let all = match form {
        AllowIfForm::All(OneOrMany::One(_)) => compiled(&config.all, &|_| path.clone()),
        AllowIfForm::All(OneOrMany::Many(_)) => compiled(&config.all, &|index| path.index(index)),
        AllowIfForm::Full(_) => compiled(&config.all, &|index| path.key("all").index(index)),
    };
    let any = compiled(&config.any, &|index| path.key("any").index(index));
    let deny = compiled(&config.deny, &|index| path.key("deny").index(index));
    if config.all.is_empty() && config.any.is_empty() && config.deny.is_empty() {
        let finding = Finding::error("no-condition", "no condition is written").at(document.span_at(path));
        findings.push(finding.help("write one, or `allow_if: off`"));
    }
    PolicyPlan::AllowIf(Arc::new(AllowIfPlan { all, any, deny }))
}

/// A mistake at its place in the file: the very word where the text stands as it was written, else the whole
/// value with the word in the message.
pub(crate) fn finding(document: &Document, whole: &Span, source: &str, error: ExpressionError) -> Finding {
    let word = source.get(error.place.clone()).unwrap_or_default();
    let (span, message) = match document.source().part(whole, source, error.place) {
        Some(span) => (span, error.problem),
        None if word.is_empty() => (whole.clone(), format!("{} at its end", error.problem)),
        None => (whole.clone(), format!("{} at `{}`", error.problem, word.escape_debug())),
    };
    Finding::error("bad-expression", message).at(span).maybe_help(error.help)
}
