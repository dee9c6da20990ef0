//! Names: words of the vocabulary, variables of loops, and what may have been meant instead.

use super::{Checked, Checker};
use crate::error::ExpressionError;
use crate::facts::{Fact, VOCABULARY, Word};
use crate::kind::Kind;
use crate::node::{Node, Table};
use crate::syntax::{Form, Syntax};

/// `a.b` where nothing but names and dots was written, at most two of them.
fn dotted(syntax: &Syntax) -> Option<String> {
    match &syntax.form {
        Form::Name(name) => Some(name.clone()),
        Form::Select { of, name } => match &of.form {
            Form::Name(family) => Some(format!("{family}.{name}")),
            _ => None,
        },
        _ => None,
    }
}

fn word(name: &str) -> Option<&'static Word> {
    VOCABULARY.iter().find(|word| word.name == name)
}

/// Whether words begin with this name and a dot.
fn is_family(name: &str) -> bool {
    family(name).next().is_some()
}

fn family<'a>(name: &'a str) -> impl Iterator<Item = &'static str> + 'a {
    VOCABULARY
        .iter()
        .map(|word| word.name)
        .filter(move |word| word.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

/// The candidate that is nearest to what was written, if one is near.
pub(super) fn nearest<'c>(written: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let score = |candidate: &str| strsim::jaro_winkler(written, candidate);
    candidates
        .map(|candidate| (score(candidate), candidate))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

impl Checker {
    /// The table that a part names, if it names one.
    pub(super) fn table(&self, syntax: &Syntax) -> Option<Table> {
        let name = dotted(syntax)?;
        let root = name.split('.').next().unwrap_or_default();
        if self.variables.iter().any(|(variable, _)| variable == root) {
            return None;
        }
        match word(&name)?.fact {
            Fact::Headers => Some(Table::Headers),
            Fact::Parameters => Some(Table::Parameters),
            _ => None,
        }
    }

    pub(super) fn note(&mut self, fact: Fact) {
        if !self.facts.contains(&fact) {
            self.facts.push(fact);
        }
    }

    fn word(&mut self, syntax: &Syntax, word: &Word) -> Checked {
        if matches!(word.fact, Fact::Headers | Fact::Parameters) {
            let problem = format!("`{}` is only looked up in by name", word.name);
            let help = format!("write `{0}[\"name\"]`, or `\"name\" in {0}`", word.name);
            return self.wrong(ExpressionError::new(syntax.place.clone(), problem).help(help));
        }
        self.note(word.fact);
        (Node::Fact(word.fact), word.fact.kind())
    }

    pub(super) fn name(&mut self, syntax: &Syntax, name: &str) -> Checked {
        let inward = self.variables.iter().rev().position(|(variable, _)| variable == name);
        if let Some(place) = inward {
            let kind = self.variables.iter().rev().nth(place).map(|(_, kind)| kind.clone());
            return (Node::Variable(place), kind.unwrap_or(Kind::Dynamic));
        }
        if let Some(known) = word(name) {
            return self.word(syntax, known);
        }
        let place = syntax.place.clone();
        if is_family(name) {
            let words: Vec<String> = family(name).map(|word| format!("`{word}`")).collect();
            let error = ExpressionError::new(place, format!("`{name}` is no value by itself"));
            return self.wrong(error.help(format!("write one of {}", words.join(", "))));
        }
        let error = ExpressionError::new(place, format!("there is nothing called `{name}`"));
        let variables = self.variables.iter().map(|(variable, _)| variable.as_str());
        // `path` means `request.path`.
        let last = VOCABULARY.iter().find(|word| word.name.ends_with(&format!(".{name}")));
        let words = VOCABULARY.iter().map(|word| word.name).filter(|word| !word.contains('.'));
        let families = ["request", "client"].into_iter();
        let meant = last
            .map(|word| word.name)
            .or_else(|| nearest(name, words.chain(families).chain(variables)))
            .map(|meant| format!("did you mean `{meant}`?"));
        let error = match meant {
            Some(help) => error.help(help),
            None => {
                let words: Vec<&str> = VOCABULARY.iter().map(|word| word.name).collect();
                error.help(format!("there are {}", words.join(", ")))
            }
        };
        self.wrong(error)
    }

    pub(super) fn select(&mut self, syntax: &Syntax, of: &Syntax, name: &str) -> Checked {
        if let Form::Name(family_name) = &of.form
            && !self.variables.iter().any(|(variable, _)| variable == family_name)
            && is_family(family_name)
        {
            let full = format!("{family_name}.{name}");
            if let Some(known) = word(&full) {
                return self.word(syntax, known);
            }
            let error = ExpressionError::new(syntax.place.clone(), format!("there is no `{full}`"));
            let words: Vec<&str> = family(family_name).collect();
            let meant = nearest(&full, words.iter().copied()).filter(|meant| {
                // The shared family makes everything look near.
                let own = |word: &str| word.rsplit('.').next().map(str::to_owned).unwrap_or_default();
                strsim::jaro_winkler(&own(meant), name) > 0.8
            });
            let help = match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("there are {}", words.join(", ")),
            };
            return self.wrong(error.help(help));
        }
        self.look_up(syntax, of, name)
    }
}
