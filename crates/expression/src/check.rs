//! From syntax to the compiled form. Every name must be known and every kind must fit; all that does not is
//! told at once.

mod call;
mod constant;
mod look;
mod names;
mod operate;

use crate::error::ExpressionError;
use crate::facts::Fact;
use crate::kind::Kind;
use crate::node::Node;
use crate::syntax::{Form, Syntax};

/// How deep loops nest. The work grows with the power of it.
const DEEPEST_LOOP: usize = 2;

/// A compiled part and what is known of its value.
type Checked = (Node, Kind);

/// The compiled form, what it asks of a request, and the fields that it names.
type Whole = (Node, Vec<Fact>, Vec<Box<str>>);

pub(crate) fn check(syntax: &Syntax, wanted: &Kind) -> Result<Whole, Vec<ExpressionError>> {
    let mut checker =
        Checker { errors: Vec::new(), variables: Vec::new(), facts: Vec::new(), fields: Vec::new() };
    let (node, kind) = checker.check(syntax);
    if !kind.may_be(wanted) {
        let problem = format!("{wanted} is needed, and this is {kind}");
        checker.errors.push(ExpressionError::new(syntax.place.clone(), problem));
    }
    if checker.errors.is_empty() {
        return Ok((node, checker.facts, checker.fields));
    }
    checker.errors.sort_by_key(|error| error.place.start);
    Err(checker.errors)
}

struct Checker {
    errors: Vec<ExpressionError>,
    /// Of the loops around, the outermost first.
    variables: Vec<(String, Kind)>,
    facts: Vec<Fact>,
    /// In lower case.
    fields: Vec<Box<str>>,
}

impl Checker {
    /// Notes a mistake; what stands for the part fits everywhere, so that one mistake is told once.
    fn wrong(&mut self, error: ExpressionError) -> Checked {
        self.errors.push(error);
        (Node::Null, Kind::Dynamic)
    }

    fn check(&mut self, syntax: &Syntax) -> Checked {
        match &syntax.form {
            Form::Null => (Node::Null, Kind::Null),
            Form::Bool(bool) => (Node::Bool(*bool), Kind::Bool),
            Form::Int(number) => (Node::Int(*number), Kind::Int),
            Form::Double(number) => (Node::Double(*number), Kind::Double),
            Form::Text(text) => (Node::Text(text.as_str().into()), Kind::Text),
            Form::Name(name) => self.name(syntax, name),
            Form::Select { of, name } => self.select(syntax, of, name),
            Form::Index { of, key } => self.index(of, key),
            Form::Call { function, place, on, arguments } => {
                self.call(syntax, function, place, on.as_deref(), arguments)
            }
            Form::List(elements) => self.list(elements),
            Form::Map(_) => {
                let error = ExpressionError::new(syntax.place.clone(), "a map is only looked up in here");
                self.wrong(error.help("write `{\"gold\": 100, \"free\": 10}[claims.tier]`"))
            }
            Form::Not(inner) => (Node::Not(Box::new(self.wanted(inner, &Kind::Bool, "`!`"))), Kind::Bool),
            Form::Negate(inner) => self.negate(syntax, inner),
            Form::Every(all) => (Node::Every(self.conditions(all, "`&&`")), Kind::Bool),
            Form::Either(all) => (Node::Either(self.conditions(all, "`||`")), Kind::Bool),
            Form::Arithmetic(operator, one, other) => self.arithmetic(syntax, *operator, one, other),
            Form::Compare(comparison, one, other) => self.compare(syntax, *comparison, one, other),
            Form::Within(one, other) => self.within(one, other),
            Form::Conditional(parts) => self.conditional(parts),
        }
    }

    /// Checks a part that must be of a kind.
    fn wanted(&mut self, syntax: &Syntax, wanted: &Kind, by: &str) -> Node {
        let (node, kind) = self.check(syntax);
        if !kind.may_be(wanted) {
            let problem = format!("{by} needs {wanted}, and this is {kind}");
            self.errors.push(ExpressionError::new(syntax.place.clone(), problem));
        }
        node
    }

    fn conditions(&mut self, all: &[Syntax], by: &str) -> Vec<Node> {
        all.iter().map(|one| self.wanted(one, &Kind::Bool, by)).collect()
    }

    fn list(&mut self, elements: &[Syntax]) -> Checked {
        let (nodes, kind) = self.elements(elements);
        (Node::List(nodes), Kind::List(Box::new(kind)))
    }

    /// The elements of a list that stands in the expression, and the kind that they share.
    fn elements(&mut self, elements: &[Syntax]) -> (Vec<Node>, Kind) {
        let mut shared: Option<Kind> = None;
        let mut nodes = Vec::with_capacity(elements.len());
        for element in elements {
            let (node, kind) = self.check(element);
            nodes.push(node);
            shared = Some(shared.map_or_else(|| kind.clone(), |shared| shared.join(&kind)));
        }
        (nodes, shared.unwrap_or(Kind::Dynamic))
    }

    fn conditional(&mut self, parts: &[Syntax; 3]) -> Checked {
        let [condition, then, otherwise] = parts;
        let condition = self.wanted(condition, &Kind::Bool, "`?`");
        let (then, kind) = self.check(then);
        let (otherwise, other) = self.check(otherwise);
        (Node::Conditional(Box::new([condition, then, otherwise])), kind.join(&other))
    }
}
