//! Expressions: nothing panics, mistakes stand in the text, what was checked does not fail for its kinds, and its
//! value is the same each time and found within the budget.

use crate::request::Request;
use torana_expression::{EvaluationError, Expression, ExpressionError, Kind, Value};

/// Any bytes: a path, which is a field too, and a name of a consumer, which is a parameter too, each on a line, then an
/// expression.
pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut parts = text.splitn(3, '\n');
    let (path, consumer, source) = (parts.next(), parts.next(), parts.next());
    let source = source.unwrap_or_default();
    for wanted in [Kind::Bool, Kind::Text, Kind::Int] {
        match Expression::compile(source, &wanted) {
            Ok(expression) => {
                assert_eq!(expression.source(), source);
                holds_for(&expression, &wanted, &Request::default());
                let request = Request {
                    path: path.unwrap_or_default().into(),
                    consumer: consumer.unwrap_or_default().into(),
                    claims: serde_json::Map::new(),
                    roles: Vec::new(),
                    headers: vec![("x-tenant", path.unwrap_or_default().into())],
                    parameters: vec![("a".into(), consumer.unwrap_or_default().into())],
                    query: consumer.unwrap_or_default().into(),
                    ..Request::default()
                };
                holds_for(&expression, &wanted, &request);
            }
            Err(mistakes) => stand_in(source, &mistakes),
        }
    }
}

fn stand_in(source: &str, mistakes: &[ExpressionError]) {
    assert!(!mistakes.is_empty());
    for mistake in mistakes {
        // Where to point at: within the text, between characters.
        assert!(source.get(mistake.place.clone()).is_some(), "{mistake:?}");
        assert!(!mistake.to_string().is_empty());
    }
    assert!(mistakes.is_sorted_by_key(|mistake| mistake.place.start), "{mistakes:?}");
}

fn holds_for(expression: &Expression, wanted: &Kind, request: &Request) {
    let (value, again) = (expression.evaluate(request), expression.evaluate(request));
    assert_eq!(format!("{value:?}"), format!("{again:?}"));
    match value {
        Ok(value) => {
            let fits = match wanted {
                Kind::Bool => matches!(value, Value::Bool(_)),
                Kind::Text => matches!(value, Value::Text(_)),
                _ => matches!(value, Value::Int(_) | Value::Double(_)),
            };
            // What a claim holds is known only now.
            assert!(fits || expression.asks_who_calls(), "{value:?}");
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            let wrong = matches!(error, EvaluationError::WrongKind { .. });
            assert!(!wrong || expression.asks_who_calls(), "{error}");
        }
    }
}
