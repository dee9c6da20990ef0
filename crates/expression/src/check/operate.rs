//! Arithmetic and comparison.

use super::{Checked, Checker};
use crate::error::ExpressionError;
use crate::kind::Kind;
use crate::node::Node;
use crate::syntax::{Arithmetic, Comparison, Form, Syntax};

impl Checker {
    pub(super) fn negate(&mut self, syntax: &Syntax, inner: &Syntax) -> Checked {
        match inner.form {
            Form::Int(number) => return (Node::Int(number.wrapping_neg()), Kind::Int),
            Form::Double(number) => return (Node::Double(-number), Kind::Double),
            _ => {}
        }
        let (node, kind) = self.check(inner);
        if kind.may_be_number() || kind == Kind::Duration {
            return (Node::Negate(Box::new(node)), kind);
        }
        self.wrong(ExpressionError::new(
            syntax.place.clone(),
            format!("`-` needs a number, and this is {kind}"),
        ))
    }

    pub(super) fn arithmetic(
        &mut self,
        syntax: &Syntax,
        operator: Arithmetic,
        one: &Syntax,
        other: &Syntax,
    ) -> Checked {
        let (one, left) = self.check(one);
        let (other, right) = self.check(other);
        match result(operator, &left, &right) {
            Some(kind) => (Node::Arithmetic(operator, Box::new([one, other])), kind),
            None => {
                let problem = format!("`{}` does not join {left} and {right}", operator.sign());
                let error = ExpressionError::new(syntax.place.clone(), problem);
                let textual = left == Kind::Text || right == Kind::Text;
                self.wrong(if textual && operator == Arithmetic::Add {
                    error.help("write `string(…)` around what is no string")
                } else {
                    error
                })
            }
        }
    }

    pub(super) fn compare(
        &mut self,
        syntax: &Syntax,
        comparison: Comparison,
        one: &Syntax,
        other: &Syntax,
    ) -> Checked {
        let (one, left) = self.check(one);
        let (other, right) = self.check(other);
        let fits = match comparison {
            Comparison::Equal | Comparison::Unequal => left.comparable(&right),
            _ => ordered(&left, &right),
        };
        if !fits {
            let problem = format!("`{}` does not compare {left} with {right}", comparison.sign());
            self.errors.push(ExpressionError::new(syntax.place.clone(), problem));
        }
        (Node::Compare(comparison, Box::new([one, other])), Kind::Bool)
    }
}

fn ordered(one: &Kind, other: &Kind) -> bool {
    let has_order = |kind: &Kind| {
        matches!(
            kind,
            Kind::Dynamic
                | Kind::Bool
                | Kind::Int
                | Kind::Double
                | Kind::Text
                | Kind::Timestamp
                | Kind::Duration
        )
    };
    has_order(one)
        && has_order(other)
        && (one.may_be(other) || (one.may_be_number() && other.may_be_number()))
}

/// The kind of a result; `None` where there is none.
fn result(operator: Arithmetic, one: &Kind, other: &Kind) -> Option<Kind> {
    use Arithmetic::{Add, Remainder, Subtract};
    if !(operates(operator, one) && operates(operator, other)) {
        return None;
    }
    match (operator, one, other) {
        (_, Kind::Dynamic, _) | (_, _, Kind::Dynamic) => Some(Kind::Dynamic),
        (Remainder, Kind::Int, Kind::Int) => Some(Kind::Int),
        (Remainder, ..) => None,
        (_, Kind::Int, Kind::Int) => Some(Kind::Int),
        (_, Kind::Int | Kind::Double, Kind::Int | Kind::Double) => Some(Kind::Double),
        (Add, Kind::Text, Kind::Text) => Some(Kind::Text),
        (Add | Subtract, Kind::Duration, Kind::Duration) => Some(Kind::Duration),
        (Add, Kind::Duration, Kind::Timestamp) | (Add | Subtract, Kind::Timestamp, Kind::Duration) => {
            Some(Kind::Timestamp)
        }
        (Subtract, Kind::Timestamp, Kind::Timestamp) => Some(Kind::Duration),
        _ => None,
    }
}

/// Whether a value of the kind can stand on a side of the operator at all.
fn operates(operator: Arithmetic, kind: &Kind) -> bool {
    match kind {
        Kind::Dynamic | Kind::Int => true,
        Kind::Double => operator != Arithmetic::Remainder,
        Kind::Text => operator == Arithmetic::Add,
        Kind::Timestamp | Kind::Duration => matches!(operator, Arithmetic::Add | Arithmetic::Subtract),
        _ => false,
    }
}
