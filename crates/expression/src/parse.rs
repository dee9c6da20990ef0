//! From tokens to syntax, by precedence climbing. The grammar is CEL's.
//!
//! The text, the number of parts and how deep they nest are bounded, so that neither reading, nor checking,
//! nor evaluating, nor dropping an expression can exhaust the stack.

use crate::error::ExpressionError;
use crate::syntax::{Arithmetic, Comparison, Form, Syntax};
use crate::token::{Token, tokens};
use std::ops::Range;

/// The longest text, in bytes.
const LONGEST: usize = 4_096;
/// How deep parts nest.
const DEEPEST: usize = 48;
/// How many parts there are.
const MOST: usize = 1_000;

type Parsed = Result<Syntax, ExpressionError>;

pub(crate) fn parse(source: &str) -> Parsed {
    if source.len() > LONGEST {
        let problem = format!("an expression is at most {LONGEST} bytes long");
        return Err(ExpressionError::new(0..source.len(), problem).help("make several policies of it"));
    }
    let mut parser = Parser { tokens: tokens(source)?, at: 0, depth: 0, parts: 0 };
    if *parser.peek() == Token::End {
        return Err(ExpressionError::new(0..source.len(), "nothing is written"));
    }
    let whole = parser.conditional()?;
    match parser.peek() {
        Token::End => Ok(whole),
        _ => Err(parser.unexpected("an operator or the end")),
    }
}

struct Parser {
    tokens: Vec<(Token, Range<usize>)>,
    at: usize,
    depth: usize,
    parts: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(token, _)| token)
    }

    /// Where the next token stands; where the text ends after the last.
    fn place(&self) -> Range<usize> {
        let token = self.tokens.get(self.at).or_else(|| self.tokens.last());
        token.map(|(_, place)| place.clone()).unwrap_or_default()
    }

    fn advance(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn eat(&mut self, sign: &'static str) -> bool {
        let there = *self.peek() == Token::Sign(sign);
        if there {
            self.advance();
        }
        there
    }

    fn expect(&mut self, sign: &'static str) -> Result<usize, ExpressionError> {
        let end = self.place().end;
        if self.eat(sign) { Ok(end) } else { Err(self.unexpected(&format!("`{sign}`"))) }
    }

    fn unexpected(&self, wanted: &str) -> ExpressionError {
        let found = match self.peek() {
            Token::Name(name) => format!("`{name}`"),
            Token::Sign(sign) => format!("`{sign}`"),
            Token::Int(_) | Token::Double(_) => "a number".into(),
            Token::Text(_) => "a string".into(),
            Token::End => "the end".into(),
        };
        let error = ExpressionError::new(self.place(), format!("{wanted} is needed here, not {found}"));
        match self.peek() {
            Token::Name(name) if name == "and" => error.help("write `&&`"),
            Token::Name(name) if name == "or" => error.help("write `||`"),
            Token::Name(name) if name == "not" => error.help("write `!`"),
            _ => error,
        }
    }

    fn make(&mut self, start: usize, end: usize, depth: usize, form: Form) -> Parsed {
        self.parts = self.parts.saturating_add(1);
        let place = start..end;
        if self.parts > MOST {
            return Err(ExpressionError::new(place, format!("an expression has at most {MOST} parts")));
        }
        if depth >= DEEPEST {
            return Err(ExpressionError::new(place, format!("parts nest at most {DEEPEST} deep")));
        }
        Ok(Syntax { place, depth: depth.saturating_add(1), form })
    }

    /// Everything that can stand between brackets passes here: this bounds the recursion.
    fn conditional(&mut self) -> Parsed {
        self.depth = self.depth.saturating_add(1);
        if self.depth >= DEEPEST {
            return Err(ExpressionError::new(self.place(), format!("parts nest at most {DEEPEST} deep")));
        }
        let condition = self.either()?;
        let whole = if self.eat("?") {
            let then = self.either()?;
            self.expect(":")?;
            let otherwise = self.conditional()?;
            let depth = condition.depth.max(then.depth).max(otherwise.depth);
            let (start, end) = (condition.place.start, otherwise.place.end);
            let form = Form::Conditional(Box::new([condition, then, otherwise]));
            self.make(start, end, depth, form)
        } else {
            Ok(condition)
        };
        self.depth = self.depth.saturating_sub(1);
        whole
    }

    fn either(&mut self) -> Parsed {
        self.flat("||", Self::every, Form::Either)
    }

    fn every(&mut self) -> Parsed {
        self.flat("&&", Self::relation, Form::Every)
    }

    fn flat(
        &mut self,
        sign: &'static str,
        operand: impl Fn(&mut Self) -> Parsed,
        form: fn(Vec<Syntax>) -> Form,
    ) -> Parsed {
        let first = operand(self)?;
        if *self.peek() != Token::Sign(sign) {
            return Ok(first);
        }
        let start = first.place.start;
        let (mut depth, mut end) = (first.depth, first.place.end);
        let mut all = vec![first];
        while self.eat(sign) {
            let next = operand(self)?;
            depth = depth.max(next.depth);
            end = next.place.end;
            all.push(next);
        }
        self.make(start, end, depth, form(all))
    }

    fn relation(&mut self) -> Parsed {
        let mut left = self.sum()?;
        loop {
            let comparison = match self.peek() {
                Token::Sign("==") => Some(Comparison::Equal),
                Token::Sign("!=") => Some(Comparison::Unequal),
                Token::Sign("<") => Some(Comparison::Less),
                Token::Sign("<=") => Some(Comparison::AtMost),
                Token::Sign(">") => Some(Comparison::Greater),
                Token::Sign(">=") => Some(Comparison::AtLeast),
                Token::Name(name) if name == "in" => None,
                _ => return Ok(left),
            };
            self.advance();
            let right = self.sum()?;
            let (start, end) = (left.place.start, right.place.end);
            let depth = left.depth.max(right.depth);
            let (left_box, right) = (Box::new(left), Box::new(right));
            let form = match comparison {
                Some(comparison) => Form::Compare(comparison, left_box, right),
                None => Form::Within(left_box, right),
            };
            left = self.make(start, end, depth, form)?;
        }
    }

    fn sum(&mut self) -> Parsed {
        self.chain(&[("+", Arithmetic::Add), ("-", Arithmetic::Subtract)], Self::product)
    }

    fn product(&mut self) -> Parsed {
        let signs = [("*", Arithmetic::Multiply), ("/", Arithmetic::Divide), ("%", Arithmetic::Remainder)];
        self.chain(&signs, Self::unary)
    }

    fn chain(
        &mut self,
        signs: &[(&'static str, Arithmetic)],
        operand: impl Fn(&mut Self) -> Parsed,
    ) -> Parsed {
        let mut left = operand(self)?;
        while let Some((_, operator)) = signs.iter().find(|(sign, _)| *self.peek() == Token::Sign(sign)) {
            self.advance();
            let right = operand(self)?;
            let (start, end) = (left.place.start, right.place.end);
            let depth = left.depth.max(right.depth);
            left =
                self.make(start, end, depth, Form::Arithmetic(*operator, Box::new(left), Box::new(right)))?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed {
        let start = self.place().start;
        let mut signs: Vec<&'static str> = Vec::new();
        while let Token::Sign(sign @ ("!" | "-")) = self.peek() {
            signs.push(sign);
            self.advance();
            if signs.len() >= DEEPEST {
                return Err(ExpressionError::new(self.place(), format!("parts nest at most {DEEPEST} deep")));
            }
        }
        // The smallest int has no positive counterpart, so its sign belongs to the literal; that literal is
        // refused by the scanner, and nobody has missed it.
        let mut operand = self.member()?;
        for sign in signs.into_iter().rev() {
            let (end, depth) = (operand.place.end, operand.depth);
            let operand_box = Box::new(operand);
            let form = if sign == "!" { Form::Not(operand_box) } else { Form::Negate(operand_box) };
            operand = self.make(start, end, depth, form)?;
        }
        Ok(operand)
    }

    fn member(&mut self) -> Parsed {
        let mut of = self.primary()?;
        loop {
            let start = of.place.start;
            if self.eat("[") {
                let key = self.conditional()?;
                let end = self.expect("]")?;
                let depth = of.depth.max(key.depth);
                of = self.make(start, end, depth, Form::Index { of: Box::new(of), key: Box::new(key) })?;
                continue;
            }
            if !self.eat(".") {
                return Ok(of);
            }
            let place = self.place();
            let Token::Name(name) = self.peek().clone() else { return Err(self.unexpected("a name")) };
            self.advance();
            if self.eat("(") {
                let (arguments, end, deepest) = self.list(")")?;
                let depth = of.depth.max(deepest);
                let form = Form::Call { function: name, place, on: Some(Box::new(of)), arguments };
                of = self.make(start, end, depth, form)?;
            } else {
                let depth = of.depth;
                of = self.make(start, place.end, depth, Form::Select { of: Box::new(of), name })?;
            }
        }
    }

    /// Expressions up to a closing bracket; with where it ends and the depth of the deepest.
    fn list(&mut self, close: &'static str) -> Result<(Vec<Syntax>, usize, usize), ExpressionError> {
        let mut list = Vec::new();
        let mut deepest = 0;
        while *self.peek() != Token::Sign(close) {
            let next = self.conditional()?;
            deepest = deepest.max(next.depth);
            list.push(next);
            if !self.eat(",") {
                break;
            }
        }
        let end = self.expect(close)?;
        Ok((list, end, deepest))
    }

    fn primary(&mut self) -> Parsed {
        let Range { start, end } = self.place();
        let form = match self.peek().clone() {
            Token::Int(number) => Form::Int(number),
            Token::Double(number) => Form::Double(number),
            Token::Text(text) => Form::Text(text),
            Token::Name(name) => {
                self.advance();
                return self.named(name, start..end);
            }
            Token::Sign("(") => {
                self.advance();
                let inner = self.conditional()?;
                self.expect(")")?;
                return Ok(inner);
            }
            Token::Sign("[") => {
                self.advance();
                let (list, end, deepest) = self.list("]")?;
                return self.make(start, end, deepest, Form::List(list));
            }
            Token::Sign("{") => {
                self.advance();
                return self.map(start);
            }
            Token::Sign(_) | Token::End => return Err(self.unexpected("a value")),
        };
        self.advance();
        self.make(start, end, 0, form)
    }

    fn named(&mut self, name: String, place: Range<usize>) -> Parsed {
        let Range { start, end } = place;
        match name.as_str() {
            "true" => return self.make(start, end, 0, Form::Bool(true)),
            "false" => return self.make(start, end, 0, Form::Bool(false)),
            "null" => return self.make(start, end, 0, Form::Null),
            "in" | "and" | "or" | "not" => {
                self.at = self.at.saturating_sub(1);
                return Err(self.unexpected("a value"));
            }
            _ => {}
        }
        if !self.eat("(") {
            return self.make(start, end, 0, Form::Name(name));
        }
        let (arguments, close, deepest) = self.list(")")?;
        self.make(
            start,
            close,
            deepest,
            Form::Call { function: name, place: start..end, on: None, arguments },
        )
    }

    fn map(&mut self, start: usize) -> Parsed {
        let mut entries = Vec::new();
        let mut deepest = 0;
        while *self.peek() != Token::Sign("}") {
            let key = self.conditional()?;
            self.expect(":")?;
            let value = self.conditional()?;
            deepest = deepest.max(key.depth).max(value.depth);
            entries.push((key, value));
            if !self.eat(",") {
                break;
            }
        }
        let end = self.expect("}")?;
        self.make(start, end, deepest, Form::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(syntax: &Syntax) -> String {
        let list = |all: &[Syntax]| all.iter().map(shape).collect::<Vec<_>>().join(" ");
        match &syntax.form {
            Form::Null => "null".into(),
            Form::Bool(bool) => bool.to_string(),
            Form::Int(number) => number.to_string(),
            Form::Double(number) => number.to_string(),
            Form::Text(text) => format!("{text:?}"),
            Form::Name(name) => name.clone(),
            Form::Select { of, name } => format!("{}.{name}", shape(of)),
            Form::Index { of, key } => format!("{}[{}]", shape(of), shape(key)),
            Form::Call { function, on, arguments, .. } => {
                let on = on.as_ref().map(|on| format!("{}.", shape(on))).unwrap_or_default();
                format!("{on}{function}({})", list(arguments))
            }
            Form::List(all) => format!("[{}]", list(all)),
            Form::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| format!("{}:{}", shape(key), shape(value)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(" "))
            }
            Form::Not(inner) => format!("(! {})", shape(inner)),
            Form::Negate(inner) => format!("(- {})", shape(inner)),
            Form::Every(all) => format!("(&& {})", list(all)),
            Form::Either(all) => format!("(|| {})", list(all)),
            Form::Arithmetic(sign, one, other) => {
                format!("({} {} {})", sign.sign(), shape(one), shape(other))
            }
            Form::Compare(sign, one, other) => format!("({} {} {})", sign.sign(), shape(one), shape(other)),
            Form::Within(one, other) => format!("(in {} {})", shape(one), shape(other)),
            Form::Conditional(parts) => format!("(? {})", list(&parts[..])),
        }
    }

    #[test]
    fn operators_bind_as_in_cel() {
        for (source, wanted) in [
            ("a || b && c || d", "(|| a (&& b c) d)"),
            ("!a.b == c", "(== (! a.b) c)"),
            ("1 + 2 * 3 - 4", "(- (+ 1 (* 2 3)) 4)"),
            ("a ? b : c ? d : e", "(? a b (? c d e))"),
            ("x in [1, 2,] && y", "(&& (in x [1 2]) y)"),
            ("a.b(c, d).e[0]", "a.b(c d).e[0]"),
            ("-(-1)", "(- (- 1))"),
            ("{'a': 1}[k]", "{\"a\":1}[k]"),
            ("a < b == true", "(== (< a b) true)"),
        ] {
            assert_eq!(parse(source).map(|syntax| shape(&syntax)).unwrap(), wanted, "{source}");
        }
    }

    #[test]
    fn what_does_not_fit_is_said_with_its_place() {
        for (source, at, problem) in [
            ("", 0, "nothing"),
            ("a &&", 4, "a value is needed here, not the end"),
            ("a b", 2, "an operator or the end is needed here, not `b`"),
            ("(a", 2, "`)` is needed here, not the end"),
            ("a.1", 2, "a name is needed here, not a number"),
            ("a and b", 2, "not `and`"),
            ("a ? b", 5, "`:`"),
            ("in", 0, "a value is needed here, not `in`"),
        ] {
            let error = parse(source).unwrap_err();
            assert!(error.problem.contains(problem), "{source}: {error}");
            assert_eq!(error.place.start, at, "{source}");
        }
    }

    #[test]
    fn size_and_depth_are_bounded() {
        for source in [
            "(".repeat(2_000),
            "!".repeat(2_000),
            "-".repeat(2_000) + "1",
            "[".repeat(2_000),
            format!("a{}", ".b".repeat(100)),
            format!("1{}", "+1".repeat(100)),
            format!("a{}", "?a:a".repeat(200)),
            format!("a{}", " || a".repeat(2_000)),
            "x".repeat(5_000),
        ] {
            assert!(parse(&source).is_err());
        }
        assert!(parse(&format!("a{}", " || a".repeat(700))).is_ok(), "a long flat list is no deep one");
    }
}
