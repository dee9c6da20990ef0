//! The one error of this crate: text that does not have the expected form.

use thiserror::Error;

/// Text that is not what a type expects.
///
/// The text itself is not kept: it may have come from a reference to a secret. Whoever knows that it
/// is safe to show prints it beside this error.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("expected {expected}; {problem}")]
pub struct ParseError {
    expected: &'static str,
    problem: &'static str,
}

impl ParseError {
    pub(crate) const fn new(expected: &'static str, problem: &'static str) -> Self {
        Self { expected, problem }
    }

    /// What would have been right, with an example, as a noun phrase.
    #[must_use]
    pub const fn expected(&self) -> &'static str {
        self.expected
    }

    /// What is wrong, as a clause that does not repeat the text.
    #[must_use]
    pub const fn problem(&self) -> &'static str {
        self.problem
    }
}
