//! What is wrong with an expression, and what can go wrong with its evaluation.

use std::ops::Range;

/// A mistake in the text of an expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct ExpressionError {
    /// The bytes of the text that it is about.
    pub place: Range<usize>,
    /// What is wrong, in one line.
    pub problem: String,
    /// What to write instead, where that is known.
    pub help: Option<String>,
}

impl ExpressionError {
    pub(crate) fn new(place: Range<usize>, problem: impl Into<String>) -> Self {
        Self { place, problem: problem.into(), help: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Why an expression has no value for a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// A map has no such key.
    #[error("there is no `{0}`")]
    NoSuchKey(Box<str>),
    /// What is known of the caller cannot all be read.
    #[error("`{0}` cannot be told: what the credential says of them is no list of texts")]
    Unread(&'static str),
    /// A field or parameter is there more than once.
    #[error("`{0}` is there more than once")]
    Repeated(Box<str>),
    /// A list has no such place.
    #[error("a list has no element {0}")]
    NoSuchElement(i64),
    /// A value of another kind than what is done with it wants.
    #[error("{wanted} was needed, but there is {found}")]
    WrongKind {
        /// What was needed.
        wanted: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// A number beyond 64 bits.
    #[error("a number is too large")]
    Overflow,
    /// Division by zero.
    #[error("a number is divided by zero")]
    DivisionByZero,
    /// A text that cannot be read as what was asked for.
    #[error("a text is not {0}")]
    Unreadable(&'static str),
    /// More work than [`crate::BUDGET`] allows.
    #[error("the expression takes more steps than it may")]
    OverBudget,
}

impl EvaluationError {
    /// Whether another operand of `&&` or `||` may decide in spite of it. The end of the budget is final.
    pub(crate) fn can_be_outvoted(&self) -> bool {
        *self != Self::OverBudget
    }
}
