//! Arithmetic: what does not fit 64 bits is an error, never a number that wrapped.

use super::Evaluated;
use crate::error::EvaluationError;
use crate::syntax::Arithmetic;
use crate::value::Value;
use std::borrow::Cow;

pub(super) fn negate<'v>(value: &Value<'v>) -> Evaluated<'v> {
    match value {
        Value::Int(number) => number.checked_neg().map(Value::Int).ok_or(EvaluationError::Overflow),
        Value::Double(number) => Ok(Value::Double(-number)),
        Value::Duration(span) => span.checked_neg().map(Value::Duration).ok_or(EvaluationError::Overflow),
        other => Err(other.wrong("a number")),
    }
}

pub(super) fn arithmetic<'v>(operator: Arithmetic, one: &Value<'v>, other: &Value<'v>) -> Evaluated<'v> {
    use Arithmetic::{Add, Subtract};
    let whole = |operator, one, other, make: fn(i64) -> Value<'v>| int(operator, one, other).map(make);
    match (operator, one, other) {
        (_, Value::Int(one), Value::Int(other)) => whole(operator, *one, *other, Value::Int),
        (_, Value::Double(one), Value::Double(other)) => double(operator, *one, *other),
        (_, Value::Int(one), Value::Double(other)) => double(operator, as_double(*one), *other),
        (_, Value::Double(one), Value::Int(other)) => double(operator, *one, as_double(*other)),
        (Add, Value::Text(one), Value::Text(other)) => {
            Ok(Value::Text(Cow::Owned([one.as_ref(), other.as_ref()].concat())))
        }
        (Add | Subtract, Value::Duration(one), Value::Duration(other)) => {
            whole(operator, *one, *other, Value::Duration)
        }
        (Subtract, Value::Timestamp(one), Value::Timestamp(other)) => {
            whole(operator, *one, *other, Value::Duration)
        }
        (Add | Subtract, Value::Timestamp(one), Value::Duration(other))
        | (Add, Value::Duration(one), Value::Timestamp(other)) => {
            whole(operator, *one, *other, Value::Timestamp)
        }
        _ => Err(EvaluationError::WrongKind { wanted: one.name(), found: other.name() }),
    }
}

#[allow(clippy::cast_precision_loss, reason = "what becomes of an int beside a double is documented")]
const fn as_double(number: i64) -> f64 {
    number as f64
}

fn int(operator: Arithmetic, one: i64, other: i64) -> Result<i64, EvaluationError> {
    let result = match operator {
        Arithmetic::Add => one.checked_add(other),
        Arithmetic::Subtract => one.checked_sub(other),
        Arithmetic::Multiply => one.checked_mul(other),
        Arithmetic::Divide | Arithmetic::Remainder if other == 0 => {
            return Err(EvaluationError::DivisionByZero);
        }
        Arithmetic::Divide => one.checked_div(other),
        Arithmetic::Remainder => one.checked_rem(other),
    };
    result.ok_or(EvaluationError::Overflow)
}

#[allow(clippy::arithmetic_side_effects, reason = "doubles have infinities instead")]
fn double<'v>(operator: Arithmetic, one: f64, other: f64) -> Evaluated<'v> {
    Ok(Value::Double(match operator {
        Arithmetic::Add => one + other,
        Arithmetic::Subtract => one - other,
        Arithmetic::Multiply => one * other,
        Arithmetic::Divide => one / other,
        Arithmetic::Remainder => return Err(Value::Double(one).wrong("an int")),
    }))
}
