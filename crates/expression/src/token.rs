//! From text to tokens.

use crate::error::ExpressionError;
use std::ops::Range;

/// A piece of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    Name(String),
    Int(i64),
    Double(f64),
    Text(String),
    /// An operator or a bracket.
    Sign(&'static str),
    End,
}

/// Longer signs first.
const SIGNS: [&str; 25] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",", "(", ")",
    "[", "]", "{", "}", "=",
];

/// Names that CEL keeps for itself.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// Reads all tokens, each with its place; the last one is [`Token::End`].
pub(crate) fn tokens(source: &str) -> Result<Vec<(Token, Range<usize>)>, ExpressionError> {
    let mut tokens = Vec::new();
    let mut scanner = Scanner { source, at: 0 };
    loop {
        scanner.skip_space();
        let start = scanner.at;
        let Some(first) = scanner.peek() else {
            tokens.push((Token::End, start..start));
            return Ok(tokens);
        };
        let token = scanner.token(first)?;
        tokens.push((token, start..scanner.at));
    }
}

struct Scanner<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Scanner<'s> {
    fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.skip(next.len_utf8());
        Some(next)
    }

    fn while_true(&mut self, keep: impl Fn(char) -> bool) -> &'s str {
        let rest = self.rest();
        let end = rest.find(|character| !keep(character)).unwrap_or(rest.len());
        self.skip(end);
        rest.get(..end).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        loop {
            self.while_true(|character| matches!(character, ' ' | '\t' | '\r' | '\n'));
            if !self.rest().starts_with("//") {
                return;
            }
            self.while_true(|character| character != '\n');
        }
    }

    fn error(&self, start: usize, problem: impl Into<String>) -> ExpressionError {
        ExpressionError::new(start..self.at.max(start), problem)
    }

    fn token(&mut self, first: char) -> Result<Token, ExpressionError> {
        let start = self.at;
        if first == '"' || first == '\'' {
            return self.quoted(false);
        }
        if first.is_ascii_digit() {
            return self.number();
        }
        if first.is_ascii_alphabetic() || first == '_' {
            let name = self.while_true(|character| character.is_ascii_alphanumeric() || character == '_');
            let quote = matches!(self.peek(), Some('"' | '\''));
            return match name {
                "r" | "R" if quote => self.quoted(true),
                "b" | "B" | "br" | "rb" | "bR" | "Rb" | "BR" | "RB" | "rB" | "Br" if quote => {
                    Err(self.error(start, "bytes cannot be written here").help("write a string"))
                }
                reserved if RESERVED.contains(&reserved) => {
                    Err(self.error(start, format!("`{reserved}` is a reserved word of the language")))
                }
                name => Ok(Token::Name(name.to_owned())),
            };
        }
        let Some(sign) = SIGNS.iter().find(|sign| self.rest().starts_with(**sign)) else {
            self.next();
            let shown = first.escape_debug();
            let error = self.error(start, format!("`{shown}` has no meaning here"));
            return Err(match first {
                '&' | '|' => error.help("write `&&` or `||`"),
                _ => error,
            });
        };
        self.skip(sign.len());
        match *sign {
            "=" => Err(self.error(start, "nothing is assigned here").help("write `==` to compare")),
            sign => Ok(Token::Sign(sign)),
        }
    }

    fn number(&mut self) -> Result<Token, ExpressionError> {
        let start = self.at;
        let too_large = |scanner: &Self| scanner.error(start, "this number does not fit 64 bits");
        if self.rest().starts_with("0x") || self.rest().starts_with("0X") {
            self.skip(2);
            let digits = self.while_true(|character| character.is_ascii_hexdigit());
            self.no_suffix(start)?;
            return i64::from_str_radix(digits, 16).map(Token::Int).map_err(|_| too_large(self));
        }
        let digit = |character: char| character.is_ascii_digit();
        self.while_true(digit);
        let mut double = false;
        let mut ahead = self.rest().chars();
        if ahead.next() == Some('.') && ahead.next().is_some_and(digit) {
            self.skip(1);
            self.while_true(digit);
            double = true;
        }
        if matches!(self.peek(), Some('e' | 'E')) {
            self.skip(1);
            if matches!(self.peek(), Some('+' | '-')) {
                self.skip(1);
            }
            self.while_true(digit);
            double = true;
        }
        self.no_suffix(start)?;
        let text = self.source.get(start..self.at).unwrap_or_default();
        if !double {
            return text.parse().map(Token::Int).map_err(|_| too_large(self));
        }
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Token::Double(number)),
            _ => Err(self.error(start, "this is not a number")),
        }
    }

    fn no_suffix(&mut self, start: usize) -> Result<(), ExpressionError> {
        let suffix = self.while_true(|character| character.is_ascii_alphanumeric() || character == '_');
        match suffix {
            "" => Ok(()),
            "u" | "U" => {
                Err(self.error(start, "there are no unsigned numbers here").help("leave the `u` out"))
            }
            _ => Err(self.error(start, "this is not a number")),
        }
    }

    fn quoted(&mut self, raw: bool) -> Result<Token, ExpressionError> {
        let start = self.at;
        let quote = self.next().unwrap_or('"');
        let triple = match quote {
            '"' => "\"\"\"",
            _ => "'''",
        };
        let long = self.source.get(start..).is_some_and(|rest| rest.starts_with(triple));
        if long {
            self.skip(2);
        }
        let mut text = String::new();
        loop {
            if long && self.rest().starts_with(triple) {
                self.skip(3);
                return Ok(Token::Text(text));
            }
            match self.next() {
                Some('\\') if !raw => text.push(self.escape()?),
                Some(end) if end == quote && !long => return Ok(Token::Text(text)),
                Some('\n' | '\r') if !long => {
                    return Err(self.error(start, "the string does not end on its line"));
                }
                Some(character) => text.push(character),
                None => return Err(self.error(start, "the string does not end").help("close its quotes")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, ExpressionError> {
        let start = self.at.saturating_sub(1);
        let unknown = |scanner: &Self| {
            let error = scanner.error(start, "this escape is not known");
            error.help(r#"write `\\` for a backslash, or put `r` before the quotes, as in `r"\d+"`"#)
        };
        Ok(match self.next() {
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('a') => '\u{7}',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('v') => '\u{b}',
            Some(plain @ ('\\' | '\'' | '"' | '`' | '?')) => plain,
            Some('x' | 'X') => self.coded(16, 2).ok_or_else(|| unknown(self))?,
            Some('u') => self.coded(16, 4).ok_or_else(|| unknown(self))?,
            Some('U') => self.coded(16, 8).ok_or_else(|| unknown(self))?,
            Some('0'..='3') => {
                self.at = self.at.saturating_sub(1);
                self.coded(8, 3).ok_or_else(|| unknown(self))?
            }
            _ => return Err(unknown(self)),
        })
    }

    fn coded(&mut self, radix: u32, digits: usize) -> Option<char> {
        let text = self.rest().get(..digits)?;
        if !text.chars().all(|character| character.is_digit(radix)) {
            return None;
        }
        self.skip(digits);
        u32::from_str_radix(text, radix).ok().and_then(char::from_u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(source: &str) -> Result<Token, String> {
        let mut tokens = tokens(source).map_err(|error| error.problem)?;
        assert_eq!(tokens.len(), 2, "{tokens:?}");
        Ok(tokens.remove(0).0)
    }

    #[test]
    fn literals_are_read_as_cel_reads_them() {
        for (source, text) in [
            (r#""a\n\x41\u00e4\101""#, "a\nA\u{e4}A"),
            (r"'it\'s'", "it's"),
            (r#"r"\d+""#, r"\d+"),
            ("'''a\n'b'''", "a\n'b"),
            (r#""""a"b""""#, "a\"b"),
        ] {
            assert_eq!(only(source), Ok(Token::Text(text.into())), "{source}");
        }
        assert_eq!(only("0x1F"), Ok(Token::Int(31)));
        assert_eq!(only("9223372036854775807"), Ok(Token::Int(i64::MAX)));
        assert_eq!(only("1.5e3"), Ok(Token::Double(1500.0)));
        assert_eq!(only("// only a remark\n 7"), Ok(Token::Int(7)));
    }

    #[test]
    fn what_is_no_token_is_said_with_its_place() {
        for (source, problem) in [
            ("9223372036854775808", "64 bits"),
            ("1u", "unsigned"),
            ("1x", "not a number"),
            ("1e", "not a number"),
            ("b'x'", "bytes"),
            ("'x", "does not end"),
            ("'x\n'", "on its line"),
            (r"'\d'", "escape"),
            (r"'\ud800'", "escape"),
            ("a & b", "no meaning"),
            ("a = b", "assigned"),
            ("while", "reserved"),
            ("\u{e4}", "no meaning"),
        ] {
            let error = tokens(source).unwrap_err();
            assert!(error.problem.contains(problem), "{source}: {error}");
            assert!(source.get(error.place.clone()).is_some(), "{source}: {:?}", error.place);
        }
    }
}
