//! Functions, methods and loops.

use super::names::nearest;
use super::{Checked, Checker, DEEPEST_LOOP};
use crate::error::ExpressionError;
use crate::kind::Kind;
use crate::node::{Loop, Method, Node, TextTest};
use crate::syntax::{Form, Syntax};
use std::ops::Range;

/// Everything that can be called, for suggestions.
const CALLABLE: [&str; 34] = [
    "all",
    "exists",
    "exists_one",
    "filter",
    "map",
    "has",
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "lowerAscii",
    "upperAscii",
    "trim",
    "split",
    "containsIP",
    "int",
    "double",
    "string",
    "timestamp",
    "duration",
    "cidr",
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
    "and",
    "or",
];

/// Methods without an argument: name, kind that they are called on, function, kind of the result.
const PLAIN: [(&str, Kind, Method, Kind); 13] = [
    ("lowerAscii", Kind::Text, Method::Lower, Kind::Text),
    ("upperAscii", Kind::Text, Method::Upper, Kind::Text),
    ("trim", Kind::Text, Method::Trim, Kind::Text),
    ("getFullYear", Kind::Timestamp, Method::FullYear, Kind::Int),
    ("getMonth", Kind::Timestamp, Method::Month, Kind::Int),
    ("getDate", Kind::Timestamp, Method::DayOfMonthFromOne, Kind::Int),
    ("getDayOfMonth", Kind::Timestamp, Method::DayOfMonth, Kind::Int),
    ("getDayOfWeek", Kind::Timestamp, Method::DayOfWeek, Kind::Int),
    ("getDayOfYear", Kind::Timestamp, Method::DayOfYear, Kind::Int),
    ("getHours", Kind::Timestamp, Method::Hours, Kind::Int),
    ("getMinutes", Kind::Timestamp, Method::Minutes, Kind::Int),
    ("getSeconds", Kind::Timestamp, Method::Seconds, Kind::Int),
    ("getMilliseconds", Kind::Timestamp, Method::Milliseconds, Kind::Int),
];

impl Checker {
    pub(super) fn call(
        &mut self,
        syntax: &Syntax,
        function: &str,
        place: &Range<usize>,
        on: Option<&Syntax>,
        arguments: &[Syntax],
    ) -> Checked {
        match on {
            Some(on) => self.method(syntax, function, place, on, arguments),
            None => self.function(syntax, function, place, arguments),
        }
    }

    fn unknown(&mut self, function: &str, place: &Range<usize>) -> Checked {
        let error = ExpressionError::new(place.clone(), format!("there is no function `{function}` here"));
        let meant = nearest(function, CALLABLE.into_iter());
        self.wrong(match meant {
            Some(meant) if meant == function => {
                error.help("it is called on a value: `value.function(…)`, or the other way round")
            }
            Some(meant) => error.help(format!("did you mean `{meant}`?")),
            None => error,
        })
    }

    /// The only argument.
    fn one<'s>(&mut self, syntax: &Syntax, function: &str, arguments: &'s [Syntax]) -> Option<&'s Syntax> {
        if let [argument] = arguments {
            return Some(argument);
        }
        let problem = format!("`{function}` takes one argument");
        self.errors.push(ExpressionError::new(syntax.place.clone(), problem));
        None
    }

    fn function(
        &mut self,
        syntax: &Syntax,
        function: &str,
        place: &Range<usize>,
        arguments: &[Syntax],
    ) -> Checked {
        let dynamic = (Node::Null, Kind::Dynamic);
        match function {
            "has" => return self.has(syntax, arguments),
            "size" | "int" | "double" | "string" | "timestamp" | "duration" | "cidr" => {}
            _ => return self.unknown(function, place),
        }
        let Some(argument) = self.one(syntax, function, arguments) else { return dynamic };
        match function {
            "timestamp" => return self.timestamp(argument),
            "duration" => return self.duration(argument),
            "cidr" => {
                let error = ExpressionError::new(
                    syntax.place.clone(),
                    "a network is only asked whether it contains an address",
                );
                return self.wrong(error.help("write `cidr(\"10.0.0.0/8\").containsIP(client.address)`"));
            }
            "size" => return self.size(argument),
            _ => {}
        }
        let (node, kind) = self.check(argument);
        let scalar = matches!(kind, Kind::Dynamic | Kind::Int | Kind::Double | Kind::Text);
        let (fits, method, result) = match function {
            "int" => (scalar || kind == Kind::Timestamp, Method::ToInt, Kind::Int),
            "double" => (scalar, Method::ToDouble, Kind::Double),
            _ => (scalar || kind == Kind::Bool, Method::ToText, Kind::Text),
        };
        if !fits {
            let problem = format!("`{function}` is not made of {kind}");
            return self.wrong(ExpressionError::new(syntax.place.clone(), problem));
        }
        (Node::Method(method, Box::new(node)), result)
    }

    fn size(&mut self, of: &Syntax) -> Checked {
        let (node, kind) = self.check(of);
        if !matches!(kind, Kind::Dynamic | Kind::Text | Kind::List(_) | Kind::Map(_)) {
            return self.wrong(ExpressionError::new(of.place.clone(), format!("{kind} has no size")));
        }
        (Node::Method(Method::Size, Box::new(node)), Kind::Int)
    }

    fn method(
        &mut self,
        syntax: &Syntax,
        function: &str,
        place: &Range<usize>,
        on: &Syntax,
        arguments: &[Syntax],
    ) -> Checked {
        let kind = match function {
            "all" => Some(Loop::All),
            "exists" => Some(Loop::Exists),
            "exists_one" => Some(Loop::ExistsOne),
            "filter" => Some(Loop::Filter),
            "map" => Some(Loop::Map),
            _ => None,
        };
        if let Some(kind) = kind {
            return self.iterate(syntax, kind, function, on, arguments);
        }
        if let Some((_, wanted, method, result)) = PLAIN.iter().find(|(name, ..)| *name == function) {
            if !arguments.is_empty() {
                let problem = format!("`{function}` takes no argument here; times are in UTC");
                return self.wrong(ExpressionError::new(syntax.place.clone(), problem));
            }
            let node = self.wanted(on, wanted, &format!("`{function}`"));
            return (Node::Method(*method, Box::new(node)), result.clone());
        }
        match function {
            "size" if arguments.is_empty() => self.size(on),
            "contains" => self.text_test(syntax, function, TextTest::Contains, on, arguments),
            "startsWith" => self.text_test(syntax, function, TextTest::StartsWith, on, arguments),
            "endsWith" => self.text_test(syntax, function, TextTest::EndsWith, on, arguments),
            "split" => match self.two(syntax, function, on, arguments) {
                Some(pair) => (Node::Split(pair), Kind::List(Box::new(Kind::Text))),
                None => (Node::Null, Kind::Dynamic),
            },
            "matches" => {
                let argument = self.one(syntax, function, arguments);
                let regex = argument.and_then(|argument| self.regex(argument));
                let node = self.wanted(on, &Kind::Text, "`matches`");
                match regex {
                    Some(regex) => (Node::Matches(Box::new(node), regex), Kind::Bool),
                    None => (Node::Null, Kind::Bool),
                }
            }
            "containsIP" => self.contains_address(syntax, on, arguments),
            _ => {
                self.check(on);
                self.unknown(function, place)
            }
        }
    }

    /// A text and the text that it is asked about.
    fn two(
        &mut self,
        syntax: &Syntax,
        function: &str,
        on: &Syntax,
        arguments: &[Syntax],
    ) -> Option<Box<[Node; 2]>> {
        let by = format!("`{function}`");
        let node = self.wanted(on, &Kind::Text, &by);
        let argument = self.one(syntax, function, arguments)?;
        let argument = self.wanted(argument, &Kind::Text, &by);
        Some(Box::new([node, argument]))
    }

    fn text_test(
        &mut self,
        syntax: &Syntax,
        function: &str,
        test: TextTest,
        on: &Syntax,
        arguments: &[Syntax],
    ) -> Checked {
        let pair = self.two(syntax, function, on, arguments);
        (pair.map_or(Node::Null, |pair| Node::Text2(test, pair)), Kind::Bool)
    }

    fn contains_address(&mut self, syntax: &Syntax, on: &Syntax, arguments: &[Syntax]) -> Checked {
        let network = match &on.form {
            Form::Call { function, on: None, arguments, .. } if function == "cidr" => {
                self.one(on, "cidr", arguments).and_then(|argument| self.network(argument))
            }
            _ => {
                let error = ExpressionError::new(on.place.clone(), "only a network contains an address");
                self.errors.push(error.help("write `cidr(\"10.0.0.0/8\").containsIP(client.address)`"));
                None
            }
        };
        let address = self
            .one(syntax, "containsIP", arguments)
            .map(|argument| self.wanted(argument, &Kind::Text, "`containsIP`"));
        match (network, address) {
            (Some(network), Some(address)) => (Node::Contains(network, Box::new(address)), Kind::Bool),
            _ => (Node::Null, Kind::Bool),
        }
    }

    fn iterate(
        &mut self,
        syntax: &Syntax,
        kind: Loop,
        function: &str,
        on: &Syntax,
        arguments: &[Syntax],
    ) -> Checked {
        let (list, list_kind) = self.check(on);
        let element = match list_kind {
            Kind::List(element) => *element,
            Kind::Dynamic => Kind::Dynamic,
            other => {
                let problem = format!("`{function}` goes over a list, and this is {other}");
                return self.wrong(ExpressionError::new(on.place.clone(), problem));
            }
        };
        let [variable, body] = arguments else {
            let error =
                ExpressionError::new(syntax.place.clone(), format!("`{function}` takes two arguments"));
            return self.wrong(error.help(format!("write `roles.{function}(role, role.startsWith(\"x\"))`")));
        };
        let Form::Name(name) = &variable.form else {
            let error = ExpressionError::new(variable.place.clone(), "a name for the element is needed here");
            return self.wrong(error.help(format!("write `roles.{function}(role, role.startsWith(\"x\"))`")));
        };
        if self.variables.len() >= DEEPEST_LOOP {
            let problem = format!("loops nest at most {DEEPEST_LOOP} deep");
            return self.wrong(ExpressionError::new(syntax.place.clone(), problem));
        }
        self.variables.push((name.clone(), element.clone()));
        let (body, body_kind) = match kind {
            Loop::Map => self.check(body),
            _ => (self.wanted(body, &Kind::Bool, &format!("`{function}`")), Kind::Bool),
        };
        self.variables.pop();
        let result = match kind {
            Loop::All | Loop::Exists | Loop::ExistsOne => Kind::Bool,
            Loop::Filter => Kind::List(Box::new(element)),
            Loop::Map => Kind::List(Box::new(body_kind)),
        };
        (Node::Loop(kind, Box::new(list), Box::new(body)), result)
    }
}
