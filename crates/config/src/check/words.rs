//! What a check says of shapes and of texts of the file.

use torana_types::format;

use crate::shape::Shape;
use crate::suggest::list;

/// A value from the file is quoted in a message up to this many characters.
const MAX_QUOTED: usize = 60;

/// What a shape asks for, as a noun phrase.
pub(super) fn describe(shape: &Shape) -> String {
    match shape {
        Shape::Any => "any value".into(),
        Shape::Text { format: Some(name) } => format::check(name, "")
            .and_then(Result::err)
            .map_or("text".into(), |error| error.expected().into()),
        Shape::Text { format: None } => "text".into(),
        Shape::Word(words) => {
            list(&words.iter().map(String::as_str).collect::<Vec<_>>()).replace(" and ", " or ")
        }
        Shape::Integer { .. } => "a whole number".into(),
        Shape::Boolean => "`true` or `false`".into(),
        Shape::List { .. } => "a list".into(),
        Shape::Map(_) => "a mapping".into(),
        Shape::Record(fields) => match fields.iter().find(|field| field.required) {
            Some(field) => format!("a mapping with `{}`", field.name),
            None => "a mapping".into(),
        },
        Shape::Choice(shapes) => {
            let mut phrases: Vec<String> = Vec::new();
            for shape in shapes {
                match shape {
                    Shape::Word(words) => phrases.extend(words.iter().map(|word| format!("`{word}`"))),
                    other => phrases.push(describe(other)),
                }
            }
            phrases.dedup();
            match phrases.split_last() {
                Some((last, first)) if !first.is_empty() => format!("{} or {last}", first.join(", ")),
                _ => phrases.concat(),
            }
        }
    }
}

/// Text from the file, without control characters and not too long.
pub(super) fn quoted(text: &str) -> String {
    let mut short: String = text.escape_debug().take(MAX_QUOTED).collect();
    if text.chars().count() > MAX_QUOTED {
        short.push('…');
    }
    short
}
