//! The value of a compiled expression for one request.
//!
//! As in CEL, an operand of `&&` or `||` that decides makes errors of the others disappear, whichever stands
//! first; so do the elements of `all` and `exists`.

mod method;
mod number;

use crate::budget::Budget;
use crate::error::EvaluationError;
use crate::facts::{Facts, Found};
use crate::node::{Key, Loop, Node, Table, TextTest};
use crate::syntax::Comparison;
use crate::value::Value;
use std::borrow::Cow;
use std::cmp::Ordering;

type Evaluated<'v> = Result<Value<'v>, EvaluationError>;

pub(crate) fn evaluate<'v>(root: &'v Node, facts: &'v dyn Facts) -> Evaluated<'v> {
    let budget = Budget::new();
    Evaluation { facts, budget: &budget }.value(root, None)
}

/// The element that a loop is at, and the loops around it.
struct Frame<'f, 'v> {
    element: Value<'v>,
    outer: Option<&'f Frame<'f, 'v>>,
}

#[derive(Clone, Copy)]
struct Evaluation<'b, 'v> {
    facts: &'v dyn Facts,
    budget: &'b Budget,
}

impl<'v> Evaluation<'_, 'v> {
    #[expect(clippy::too_many_lines, reason = "a table: an arm a kind of node")]
    fn value(&self, node: &'v Node, frame: Option<&Frame<'_, 'v>>) -> Evaluated<'v> {
        self.budget.step()?;
        match node {
            Node::Null => Ok(Value::Null),
            Node::Bool(bool) => Ok(Value::Bool(*bool)),
            Node::Int(number) => Ok(Value::Int(*number)),
            Node::Double(number) => Ok(Value::Double(*number)),
            Node::Text(text) => Ok(Value::text(text)),
            Node::Timestamp(at) => Ok(Value::Timestamp(*at)),
            Node::Duration(span) => Ok(Value::Duration(*span)),
            Node::Fact(fact) => {
                let value = self.facts.fact(*fact);
                if matches!(value, Value::Null) {
                    // As null it would be unlike everything.
                    return Err(EvaluationError::Unread(fact.name()));
                }
                // What is made each time that it is asked for is paid for each time.
                if matches!(value, Value::List(_) | Value::Text(Cow::Owned(_))) {
                    self.budget.text(value.weight())?;
                }
                Ok(value)
            }
            Node::Lookup(table, key) => self.look_up(*table, key, frame),
            Node::Held(table, key) => Ok(Value::Bool(self.found(*table, key, frame)?.is_there())),
            Node::Variable(place) => Ok(variable(*place, frame)),
            Node::Select(of, name) => select(&self.value(of, frame)?, name),
            Node::Has(of, name) => match self.value(of, frame)? {
                Value::Object(map) => Ok(Value::Bool(map.contains_key(&**name))),
                other => Err(other.wrong("a map")),
            },
            Node::Index(of, key) => self.index(of, key, frame),
            Node::Pick(key, entries) => self.pick(key, entries, frame),
            Node::Every(all) => self.vote(all, false, frame),
            Node::Either(all) => self.vote(all, true, frame),
            Node::Not(inner) => Ok(Value::Bool(!self.value(inner, frame)?.bool()?)),
            Node::Negate(inner) => number::negate(&self.value(inner, frame)?),
            Node::Arithmetic(operator, operands) => {
                let [one, other] = &**operands;
                let (one, other) = (self.value(one, frame)?, self.value(other, frame)?);
                self.budget.text(one.weight().saturating_add(other.weight()))?;
                number::arithmetic(*operator, &one, &other)
            }
            Node::Compare(comparison, operands) => {
                let [one, other] = &**operands;
                self.compare(*comparison, &self.value(one, frame)?, &self.value(other, frame)?)
            }
            Node::Within(operands) => {
                let [one, other] = &**operands;
                self.within(&self.value(one, frame)?, &self.value(other, frame)?)
            }
            Node::OneOf(one, all) => self.one_of(one, all, frame),
            Node::Conditional(parts) => {
                let [condition, then, otherwise] = &**parts;
                let chosen = if self.value(condition, frame)?.bool()? { then } else { otherwise };
                self.value(chosen, frame)
            }
            Node::List(all) => {
                let all: Result<Vec<_>, _> = all.iter().map(|one| self.value(one, frame)).collect();
                Ok(Value::List(all?.into()))
            }
            Node::Loop(kind, list, body) => self.iterate(*kind, list, body, frame),
            Node::Method(method, on) => {
                let on = self.value(on, frame)?;
                self.budget.text(on.weight())?;
                method::call(*method, on)
            }
            Node::Text2(test, operands) => self.text_test(*test, operands, frame),
            Node::Split(operands) => self.split(operands, frame),
            Node::Matches(on, regex) => {
                let on = self.value(on, frame)?;
                let text = on.as_text()?;
                self.budget.text(text.len())?;
                Ok(Value::Bool(regex.is_match(text)))
            }
            Node::Contains(network, on) => {
                let on = self.value(on, frame)?;
                let address = on.as_text()?.parse().map_err(|_| EvaluationError::Unreadable("an address"))?;
                Ok(Value::Bool(network.contains(address)))
            }
        }
    }

    fn found(
        &self,
        table: Table,
        key: &'v Key,
        frame: Option<&Frame<'_, 'v>>,
    ) -> Result<Found<'v>, EvaluationError> {
        let ask = |name: &str| match table {
            Table::Headers => self.facts.header(name),
            Table::Parameters => self.facts.parameter(name),
        };
        if table == Table::Parameters {
            self.budget.text(self.facts.parameter_cost())?;
        }
        let found = match key {
            Key::Fixed(name) => ask(name),
            Key::Computed(node) => {
                let name = self.value(node, frame)?;
                let name = name.as_text()?;
                match table {
                    Table::Headers => ask(&name.to_ascii_lowercase()),
                    Table::Parameters => ask(name),
                }
            }
        };
        self.budget.text(if let Found::One(text) = &found { text.len() } else { 0 })?;
        Ok(found)
    }

    fn look_up(&self, table: Table, key: &'v Key, frame: Option<&Frame<'_, 'v>>) -> Evaluated<'v> {
        let name = || match key {
            Key::Fixed(name) => name.clone(),
            Key::Computed(_) => "such name".into(),
        };
        match self.found(table, key, frame)? {
            Found::One(text) => Ok(Value::Text(text)),
            Found::Nothing => Err(EvaluationError::NoSuchKey(name())),
            Found::Several => Err(EvaluationError::Repeated(name())),
        }
    }

    fn index(&self, of: &'v Node, key: &'v Node, frame: Option<&Frame<'_, 'v>>) -> Evaluated<'v> {
        let of = self.value(of, frame)?;
        match self.value(key, frame)? {
            Value::Text(name) => select(&of, &name),
            Value::Int(place) => {
                let missing = EvaluationError::NoSuchElement(place);
                if of.list_len().is_none() {
                    return Err(of.wrong("a list"));
                }
                usize::try_from(place).ok().and_then(|place| of.element(place)).ok_or(missing)
            }
            other => Err(other.wrong("a key")),
        }
    }

    fn pick(
        &self,
        key: &'v Node,
        entries: &'v [(Box<str>, Node)],
        frame: Option<&Frame<'_, 'v>>,
    ) -> Evaluated<'v> {
        let key = self.value(key, frame)?;
        let name = key.as_text()?;
        match entries.iter().find(|(known, _)| **known == *name) {
            Some((_, value)) => self.value(value, frame),
            None => Err(EvaluationError::NoSuchKey(name.into())),
        }
    }

    /// `&&` and `||`: the first operand that is `deciding` decides; else an error, if there was one.
    fn vote(&self, all: &'v [Node], deciding: bool, frame: Option<&Frame<'_, 'v>>) -> Evaluated<'v> {
        let mut vote = Vote { deciding, error: None };
        for one in all {
            if vote.take(self.value(one, frame))? {
                return Ok(Value::Bool(deciding));
            }
        }
        vote.undecided()
    }

    fn iterate(
        &self,
        kind: Loop,
        list: &'v Node,
        body: &'v Node,
        frame: Option<&Frame<'_, 'v>>,
    ) -> Evaluated<'v> {
        let list = self.value(list, frame)?;
        let Some(length) = list.list_len() else { return Err(list.wrong("a list")) };
        let mut vote = Vote { deciding: kind == Loop::Exists, error: None };
        let (mut count, mut kept) = (0_usize, Vec::new());
        for place in 0..length {
            let element = list.element(place).unwrap_or(Value::Null);
            let inner = Frame { element, outer: frame };
            let value = self.value(body, Some(&inner));
            match kind {
                Loop::All | Loop::Exists => {
                    if vote.take(value)? {
                        return Ok(Value::Bool(vote.deciding));
                    }
                }
                Loop::ExistsOne => count = count.saturating_add(usize::from(value?.bool()?)),
                Loop::Filter => {
                    if value?.bool()? {
                        kept.push(inner.element);
                    }
                }
                Loop::Map => kept.push(value?),
            }
        }
        match kind {
            Loop::All | Loop::Exists => vote.undecided(),
            Loop::ExistsOne => Ok(Value::Bool(count == 1)),
            Loop::Filter | Loop::Map => Ok(Value::List(kept.into())),
        }
    }

    fn compare(&self, comparison: Comparison, one: &Value<'v>, other: &Value<'v>) -> Evaluated<'v> {
        self.budget.text(one.weight().min(other.weight()))?;
        let holds = match comparison {
            Comparison::Equal => one.equals(other),
            Comparison::Unequal => !one.equals(other),
            _ => {
                let not_a_number = matches!(one, Value::Double(_)) || matches!(other, Value::Double(_));
                match one.order(other) {
                    Some(order) => match comparison {
                        Comparison::Less => order == Ordering::Less,
                        Comparison::AtMost => order != Ordering::Greater,
                        Comparison::Greater => order == Ordering::Greater,
                        _ => order != Ordering::Less,
                    },
                    None if not_a_number => false,
                    None => {
                        return Err(EvaluationError::WrongKind { wanted: one.name(), found: other.name() });
                    }
                }
            }
        };
        Ok(Value::Bool(holds))
    }

    fn within(&self, one: &Value<'v>, other: &Value<'v>) -> Evaluated<'v> {
        if let Value::Object(map) = other {
            return Ok(Value::Bool(map.contains_key(one.as_text()?)));
        }
        let Some(length) = other.list_len() else { return Err(other.wrong("a list")) };
        for element in (0..length).filter_map(|place| other.element(place)) {
            self.budget.step()?;
            self.budget.text(one.weight().min(element.weight()))?;
            if one.equals(&element) {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }

    fn one_of(&self, one: &'v Node, all: &'v [Node], frame: Option<&Frame<'_, 'v>>) -> Evaluated<'v> {
        let one = self.value(one, frame)?;
        for other in all {
            let other = self.value(other, frame)?;
            self.budget.text(one.weight().min(other.weight()))?;
            if one.equals(&other) {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }

    fn text_test(
        &self,
        test: TextTest,
        operands: &'v [Node; 2],
        frame: Option<&Frame<'_, 'v>>,
    ) -> Evaluated<'v> {
        let [on, argument] = operands;
        let (on, argument) = (self.value(on, frame)?, self.value(argument, frame)?);
        let (text, part) = (on.as_text()?, argument.as_text()?);
        let holds = match test {
            TextTest::Contains => {
                self.budget.text(text.len())?;
                text.contains(part)
            }
            TextTest::StartsWith => text.starts_with(part),
            TextTest::EndsWith => text.ends_with(part),
        };
        self.budget.text(part.len())?;
        Ok(Value::Bool(holds))
    }

    fn split(&self, operands: &'v [Node; 2], frame: Option<&Frame<'_, 'v>>) -> Evaluated<'v> {
        let [on, argument] = operands;
        let (on, argument) = (self.value(on, frame)?, self.value(argument, frame)?);
        let separator = argument.as_text()?;
        if separator.is_empty() {
            return Err(EvaluationError::Unreadable("a separator"));
        }
        let Value::Text(text) = on else { return Err(on.wrong("a string")) };
        self.budget.text(text.len())?;
        let mut parts = Vec::new();
        match text {
            Cow::Borrowed(text) => {
                for part in text.split(separator) {
                    self.budget.step()?;
                    parts.push(Value::text(part));
                }
            }
            Cow::Owned(text) => {
                for part in text.split(separator) {
                    self.budget.step()?;
                    parts.push(Value::Text(Cow::Owned(part.to_owned())));
                }
            }
        }
        Ok(Value::List(parts.into()))
    }
}

/// Operands that decide together.
struct Vote {
    deciding: bool,
    error: Option<EvaluationError>,
}

impl Vote {
    /// Whether this operand decides.
    fn take(&mut self, value: Evaluated<'_>) -> Result<bool, EvaluationError> {
        match value.and_then(|value| value.bool()) {
            Ok(bool) => Ok(bool == self.deciding),
            Err(error) if error.can_be_outvoted() => {
                self.error.get_or_insert(error);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn undecided<'v>(self) -> Evaluated<'v> {
        self.error.map_or(Ok(Value::Bool(!self.deciding)), Err)
    }
}

fn variable<'v>(place: usize, frame: Option<&Frame<'_, 'v>>) -> Value<'v> {
    let mut frame = frame;
    for _ in 0..place {
        frame = frame.and_then(|frame| frame.outer);
    }
    frame.map_or(Value::Null, |frame| frame.element.clone())
}

fn select<'v>(of: &Value<'v>, name: &str) -> Evaluated<'v> {
    match of {
        Value::Object(map) => {
            map.get(name).map(Value::of_json).ok_or_else(|| EvaluationError::NoSuchKey(name.into()))
        }
        other => Err(other.wrong("a map")),
    }
}
