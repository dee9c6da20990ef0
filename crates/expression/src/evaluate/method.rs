//! Functions of one value.

use super::Evaluated;
use crate::error::EvaluationError;
use crate::node::Method;
use crate::time::{Fields, fields, timestamp};
use crate::value::Value;
use std::borrow::Cow;

pub(super) fn call(method: Method, on: Value<'_>) -> Evaluated<'_> {
    match method {
        Method::Size => size(&on),
        Method::Lower => Ok(map_text(on, |byte| byte.is_ascii_uppercase(), str::to_ascii_lowercase)?),
        Method::Upper => Ok(map_text(on, |byte| byte.is_ascii_lowercase(), str::to_ascii_uppercase)?),
        Method::Trim => match on {
            Value::Text(Cow::Borrowed(text)) => Ok(Value::text(text.trim())),
            Value::Text(Cow::Owned(text)) => Ok(Value::Text(Cow::Owned(text.trim().to_owned()))),
            other => Err(other.wrong("a string")),
        },
        Method::ToInt => to_int(&on),
        Method::ToDouble => to_double(&on),
        Method::ToText => to_text(on),
        Method::ToTimestamp => match on {
            Value::Int(seconds) => {
                seconds.checked_mul(1000).map(Value::Timestamp).ok_or(EvaluationError::Overflow)
            }
            Value::Text(text) => {
                let at = timestamp(&text).map(Value::Timestamp);
                at.ok_or(EvaluationError::Unreadable("a date and time"))
            }
            timestamp @ Value::Timestamp(_) => Ok(timestamp),
            other => Err(other.wrong("an int or a string")),
        },
        _ => match on {
            Value::Timestamp(at) => Ok(Value::Int(field(method, &fields(at)))),
            other => Err(other.wrong("a timestamp")),
        },
    }
}

/// As CEL counts them: months, days of the month, of the week and of the year from zero.
fn field(method: Method, fields: &Fields) -> i64 {
    match method {
        Method::FullYear => fields.year,
        Method::Month => fields.month.saturating_sub(1),
        Method::DayOfMonth => fields.day_of_month,
        Method::DayOfMonthFromOne => fields.day_of_month.saturating_add(1),
        Method::DayOfWeek => fields.day_of_week,
        Method::DayOfYear => fields.day_of_year,
        Method::Hours => fields.hours,
        Method::Minutes => fields.minutes,
        Method::Seconds => fields.seconds,
        _ => fields.milliseconds,
    }
}

fn size<'v>(on: &Value<'_>) -> Evaluated<'v> {
    let size = match on {
        // Characters, not bytes, as CEL says.
        Value::Text(text) => text.chars().count(),
        Value::Object(map) => map.len(),
        other => other.list_len().ok_or_else(|| other.wrong("a string, a list or a map"))?,
    };
    i64::try_from(size).map(Value::Int).map_err(|_| EvaluationError::Overflow)
}

/// Copies a text only when something in it changes.
fn map_text(
    on: Value<'_>,
    changes: impl Fn(u8) -> bool,
    change: impl Fn(&str) -> String,
) -> Result<Value<'_>, EvaluationError> {
    match on {
        Value::Text(text) if text.bytes().any(changes) => Ok(Value::Text(Cow::Owned(change(&text)))),
        text @ Value::Text(_) => Ok(text),
        other => Err(other.wrong("a string")),
    }
}

fn to_int<'v>(on: &Value<'_>) -> Evaluated<'v> {
    match on {
        Value::Int(number) => Ok(Value::Int(*number)),
        Value::Double(number) if number.abs() < 9.2e18 => {
            #[allow(clippy::cast_possible_truncation, reason = "the range was just checked")]
            let whole = number.trunc() as i64;
            Ok(Value::Int(whole))
        }
        Value::Double(_) => Err(EvaluationError::Overflow),
        Value::Text(text) => {
            text.parse().map(Value::Int).map_err(|_| EvaluationError::Unreadable("a number"))
        }
        Value::Timestamp(at) => Ok(Value::Int(at.div_euclid(1000))),
        other => Err(other.wrong("a number")),
    }
}

fn to_double<'v>(on: &Value<'_>) -> Evaluated<'v> {
    match on {
        #[allow(clippy::cast_precision_loss, reason = "it is asked for")]
        Value::Int(number) => Ok(Value::Double(*number as f64)),
        Value::Double(number) => Ok(Value::Double(*number)),
        Value::Text(text) => {
            text.parse().map(Value::Double).map_err(|_| EvaluationError::Unreadable("a number"))
        }
        other => Err(other.wrong("a number")),
    }
}

fn to_text(on: Value<'_>) -> Evaluated<'_> {
    Ok(match on {
        text @ Value::Text(_) => text,
        Value::Bool(bool) => Value::text(if bool { "true" } else { "false" }),
        Value::Int(number) => Value::Text(Cow::Owned(number.to_string())),
        Value::Double(number) => Value::Text(Cow::Owned(number.to_string())),
        other => return Err(other.wrong("a scalar")),
    })
}
