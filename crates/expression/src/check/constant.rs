//! Texts that are read before serving: those that must stand in the expression, and moments that do.

use super::{Checked, Checker};
use crate::error::ExpressionError;
use crate::kind::Kind;
use crate::node::Node;
use crate::syntax::{Form, Syntax};
use crate::time;
use regex::{Regex, RegexBuilder};
use torana_types::Network;

/// The compiled size that one expression may reach, in bytes.
const SIZE_LIMIT: usize = 1 << 20;

impl Checker {
    /// The text of an argument that must be written out.
    fn written<'s>(&mut self, argument: &'s Syntax, function: &str, example: &str) -> Option<&'s str> {
        if let Form::Text(text) = &argument.form {
            return Some(text);
        }
        let problem = format!("`{function}` wants a string that stands here");
        let help = format!("write it out, like `{example}`");
        self.errors.push(ExpressionError::new(argument.place.clone(), problem).help(help));
        None
    }

    pub(super) fn timestamp(&mut self, argument: &Syntax) -> Checked {
        if !matches!(argument.form, Form::Text(_)) {
            let (node, kind) = self.check(argument);
            if !matches!(kind, Kind::Dynamic | Kind::Int | Kind::Text | Kind::Timestamp) {
                let problem = format!("`timestamp` is not made of {kind}");
                return self.wrong(ExpressionError::new(argument.place.clone(), problem));
            }
            return (Node::Method(crate::node::Method::ToTimestamp, Box::new(node)), Kind::Timestamp);
        }
        let text = self.written(argument, "timestamp", "").unwrap_or_default();
        match time::timestamp(text) {
            Some(milliseconds) => (Node::Timestamp(milliseconds), Kind::Timestamp),
            None => {
                let error = ExpressionError::new(argument.place.clone(), "this is not a date and time");
                self.wrong(error.help("write it as RFC 3339 does: `2026-12-31T23:59:59Z`"))
            }
        }
    }

    pub(super) fn duration(&mut self, argument: &Syntax) -> Checked {
        let Some(text) = self.written(argument, "duration", "duration(\"1h30m\")") else {
            return (Node::Null, Kind::Duration);
        };
        match time::duration(text) {
            Some(milliseconds) => (Node::Duration(milliseconds), Kind::Duration),
            None => {
                let error = ExpressionError::new(argument.place.clone(), "this is not a span of time");
                self.wrong(error.help("write it like `1h30m`, `90s` or `250ms`"))
            }
        }
    }

    pub(super) fn regex(&mut self, argument: &Syntax) -> Option<Regex> {
        let text = self.written(argument, "matches", "matches(\"^/v[0-9]+/\")")?;
        let mut builder = RegexBuilder::new(text);
        builder.size_limit(SIZE_LIMIT).dfa_size_limit(SIZE_LIMIT).nest_limit(64);
        match builder.build() {
            Ok(regex) => Some(regex),
            Err(error) => {
                let text = error.to_string();
                let line = text.lines().last().unwrap_or_default().trim();
                let line = line.strip_prefix("error: ").unwrap_or(line);
                let problem = format!("the regular expression is not valid: {line}");
                self.errors.push(ExpressionError::new(argument.place.clone(), problem));
                None
            }
        }
    }

    pub(super) fn network(&mut self, argument: &Syntax) -> Option<Network> {
        let text = self.written(argument, "cidr", "cidr(\"10.0.0.0/8\")")?;
        match text.parse() {
            Ok(network) => Some(network),
            Err(error) => {
                let problem = format!("this is not a network: {}", error.problem());
                self.errors.push(ExpressionError::new(argument.place.clone(), problem));
                None
            }
        }
    }
}
