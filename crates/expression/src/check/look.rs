//! Looking up in tables, maps and lists.

use super::{Checked, Checker};
use crate::error::ExpressionError;
use crate::facts::Fact;
use crate::kind::Kind;
use crate::node::{Key, Node, Table};
use crate::syntax::{Form, Syntax};

impl Checker {
    fn note_table(&mut self, table: Table) {
        self.note(match table {
            Table::Headers => Fact::Headers,
            Table::Parameters => Fact::Parameters,
        });
    }

    /// A name that stands in the expression, as it is compared.
    pub(super) fn fixed(&mut self, table: Table, name: &str, place: &Syntax) -> Key {
        let special = |byte| b"!#$%&'*+-.^_`|~".contains(&byte);
        let token =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || special(byte));
        match table {
            Table::Headers if !token => {
                let problem = format!("`{}` is not the name of a field", name.escape_debug());
                self.errors.push(ExpressionError::new(place.place.clone(), problem));
                Key::Fixed(name.into())
            }
            Table::Headers => {
                let name: Box<str> = name.to_ascii_lowercase().into();
                if !self.fields.contains(&name) {
                    self.fields.push(name.clone());
                }
                Key::Fixed(name)
            }
            Table::Parameters => Key::Fixed(name.into()),
        }
    }

    /// The name that a part gives.
    pub(super) fn key(&mut self, table: Table, syntax: &Syntax) -> Key {
        self.note_table(table);
        match &syntax.form {
            Form::Text(name) => self.fixed(table, name, syntax),
            _ => Key::Computed(Box::new(self.wanted(syntax, &Kind::Text, "a name"))),
        }
    }

    /// `of.name`, where this is not a word.
    pub(super) fn look_up(&mut self, syntax: &Syntax, of: &Syntax, name: &str) -> Checked {
        if let Some(table) = self.table(of) {
            self.note_table(table);
            return (Node::Lookup(table, self.fixed(table, name, syntax)), Kind::Text);
        }
        let (node, kind) = self.check(of);
        match kind {
            Kind::Map(inner) => (Node::Select(Box::new(node), name.into()), *inner),
            Kind::Dynamic => (Node::Select(Box::new(node), name.into()), Kind::Dynamic),
            other => {
                let problem = format!("{other} has no `.{name}`");
                self.wrong(ExpressionError::new(syntax.place.clone(), problem))
            }
        }
    }

    /// `of[key]`
    pub(super) fn index(&mut self, of: &Syntax, key: &Syntax) -> Checked {
        if let Some(table) = self.table(of) {
            return (Node::Lookup(table, self.key(table, key)), Kind::Text);
        }
        if let Form::Map(entries) = &of.form {
            return self.pick(entries, key);
        }
        let (node, kind) = self.check(of);
        let (wanted, element) = match kind {
            Kind::Map(inner) => (Kind::Text, *inner),
            Kind::List(inner) => (Kind::Int, *inner),
            Kind::Dynamic => (Kind::Dynamic, Kind::Dynamic),
            other => {
                let problem = format!("nothing can be looked up in {other}");
                return self.wrong(ExpressionError::new(of.place.clone(), problem));
            }
        };
        if let (Form::Text(name), Kind::Text | Kind::Dynamic) = (&key.form, &wanted) {
            return (Node::Select(Box::new(node), name.as_str().into()), element);
        }
        let key = self.wanted(key, &wanted, "looking up");
        (Node::Index(Box::new(node), Box::new(key)), element)
    }

    fn pick(&mut self, entries: &[(Syntax, Syntax)], key: &Syntax) -> Checked {
        let key = self.wanted(key, &Kind::Text, "a map");
        let mut picked: Vec<(Box<str>, Node)> = Vec::with_capacity(entries.len());
        let mut shared: Option<Kind> = None;
        for (name, value) in entries {
            let (value, kind) = self.check(value);
            shared = Some(shared.map_or_else(|| kind.clone(), |shared| shared.join(&kind)));
            let Form::Text(text) = &name.form else {
                let problem = "the keys of a map stand in the expression as strings";
                self.errors.push(ExpressionError::new(name.place.clone(), problem));
                continue;
            };
            if picked.iter().any(|(known, _)| **known == **text) {
                let problem = format!("the key `{}` is there twice", text.escape_debug());
                self.errors.push(ExpressionError::new(name.place.clone(), problem));
            }
            picked.push((text.as_str().into(), value));
        }
        (Node::Pick(Box::new(key), picked), shared.unwrap_or(Kind::Dynamic))
    }

    /// `has(map.key)`
    pub(super) fn has(&mut self, syntax: &Syntax, arguments: &[Syntax]) -> Checked {
        let error = |problem: &str| {
            ExpressionError::new(syntax.place.clone(), problem).help("write `has(claims.tier)`")
        };
        let [argument] = arguments else {
            return self.wrong(error("`has` takes one argument"));
        };
        match &argument.form {
            Form::Select { of, name } if self.table(argument).is_none() => {
                if let Some(table) = self.table(of) {
                    self.note_table(table);
                    return (Node::Held(table, self.fixed(table, name, argument)), Kind::Bool);
                }
                let (node, kind) = self.check(of);
                if !matches!(kind, Kind::Map(_) | Kind::Dynamic) {
                    return self.wrong(error(&format!("{kind} has no keys")));
                }
                (Node::Has(Box::new(node), name.as_str().into()), Kind::Bool)
            }
            Form::Index { of, key } => match self.table(of) {
                Some(table) => (Node::Held(table, self.key(table, key)), Kind::Bool),
                None => self.wrong(error("`has` asks for a key after a dot")),
            },
            _ => self.wrong(error("`has` asks for a key after a dot")),
        }
    }

    /// `one in other`
    pub(super) fn within(&mut self, one: &Syntax, other: &Syntax) -> Checked {
        if let Some(table) = self.table(other) {
            return (Node::Held(table, self.key(table, one)), Kind::Bool);
        }
        let (node, kind) = self.check(one);
        let (compared, holder) = match &other.form {
            Form::List(elements) => {
                let (elements, shared) = self.elements(elements);
                (shared, Node::OneOf(Box::new(node), elements))
            }
            _ => {
                let (list, list_kind) = self.check(other);
                let compared = match list_kind {
                    Kind::List(inner) => *inner,
                    Kind::Map(_) => Kind::Text,
                    Kind::Dynamic => Kind::Dynamic,
                    found => {
                        let problem = format!("`in` looks into a list or a map, and this is {found}");
                        return self.wrong(ExpressionError::new(other.place.clone(), problem));
                    }
                };
                (compared, Node::Within(Box::new([node, list])))
            }
        };
        if !kind.comparable(&compared) {
            let problem = format!("{kind} is never in a list of which each is {compared}");
            self.errors.push(ExpressionError::new(one.place.start..other.place.end, problem));
        }
        (holder, Kind::Bool)
    }
}
