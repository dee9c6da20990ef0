//! Shorthands that many fields share.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The word `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Off {
    /// Switched off.
    #[serde(rename = "off")]
    Off,
}

/// Something that can be switched off: the word `off`, or the thing itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Switch<T> {
    /// Written as `off`.
    Off(Off),
    /// Given.
    On(T),
}

impl<T> Switch<T> {
    /// Switched off.
    pub const OFF: Self = Self::Off(Off::Off);

    /// The thing itself, unless it is switched off.
    pub const fn on(&self) -> Option<&T> {
        match self {
            Self::On(thing) => Some(thing),
            Self::Off(_) => None,
        }
    }
}

impl<T: JsonSchema> JsonSchema for Switch<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Switch_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let on = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [{ "const": "off", "description": "Switched off." }, on] })
    }
}

/// The word `on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum On {
    /// With every default.
    #[serde(rename = "on")]
    On,
}

/// The word `on` for every default, or a mapping with some of them changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Defaulted<T> {
    /// Written as `on`.
    On(On),
    /// Written out.
    Full(T),
}

impl<T: Clone + Default> Defaulted<T> {
    /// Written out.
    #[must_use]
    pub fn config(&self) -> T {
        match self {
            Self::On(_) => T::default(),
            Self::Full(config) => config.clone(),
        }
    }
}

/// One thing, or a list of at least one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// Written as a list. Tried first: a list of words would also be read as the keys of a mapping, in their order.
    Many(Vec<T>),
    /// Written alone.
    One(T),
}

impl<T> OneOrMany<T> {
    /// All of them.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::written::{HashKeyForm, HashWord};

    #[test]
    fn a_list_of_one_word_is_no_mapping() {
        let read = |text: &str| serde_json::from_str::<OneOrMany<HashKeyForm>>(text).unwrap();
        let word = HashKeyForm::Word(HashWord::Consumer);
        assert_eq!(read("[\"consumer\"]"), OneOrMany::Many(vec![word.clone()]));
        assert_eq!(read("\"consumer\""), OneOrMany::One(word));
    }
}
