//! The JSON Schema of the written form.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::written::Config;

/// The JSON Schema (draft 2020-12) of a configuration file.
///
/// Differs from what the types alone give in one point: nothing may be `null`. A key is given a
/// value or left out, so that `jwt:` with its value forgotten is an error, not a switched-off policy.
#[must_use]
pub fn json_schema() -> Value {
    schema_of::<Config>()
}

/// The same for a part of it.
pub(crate) fn schema_of<T: JsonSchema>() -> Value {
    let generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    without_null(&mut schema);
    schema
}

/// [`json_schema`] as the text that is kept beside the project, with a line break at its end.
#[must_use]
pub fn json_schema_text() -> String {
    let mut text = serde_json::to_string_pretty(&json_schema()).expect("a JSON value can always be written");
    text.push('\n');
    text
}

fn without_null(schema: &mut Value) {
    if let Value::Array(items) = schema {
        items.iter_mut().for_each(without_null);
        return;
    }
    let Value::Object(object) = schema else { return };
    if let Some(Value::Array(kinds)) = object.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [only] = kinds.as_slice() {
            let only = only.clone();
            object.insert("type".into(), only);
        }
    }
    if object.get("default") == Some(&Value::Null) {
        object.shift_remove("default");
    }
    let is_null = |one: &Value| one.get("type").is_some_and(|kind| kind == "null");
    if let Some(Value::Array(alternatives)) = object.get_mut("anyOf") {
        alternatives.retain(|one| !is_null(one));
        if let [Value::Object(only)] = alternatives.as_slice() {
            let only = only.clone();
            object.shift_remove("anyOf");
            for (key, value) in only {
                object.entry(key).or_insert(value);
            }
        }
    }
    // A property may be called `default` or `examples`; values are not schemas.
    for (key, inner) in object.iter_mut() {
        if !matches!(key.as_str(), "default" | "examples" | "enum" | "const") {
            without_null(inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape;

    #[test]
    fn the_schema_is_understood_by_the_checker() {
        let schema = json_schema();
        shape::compile(&schema, &schema).unwrap();
    }

    #[test]
    fn nothing_may_be_null() {
        assert!(!json_schema_text().contains("\"null\""));
    }

    #[test]
    fn every_key_is_described() {
        fn undescribed(schema: &Value, at: &str, found: &mut Vec<String>) {
            let Value::Object(object) = schema else { return };
            if let Some(Value::Object(properties)) = object.get("properties") {
                for (name, property) in properties {
                    if property.get("description").is_none() {
                        found.push(format!("{at}.{name}"));
                    }
                }
            }
            for (name, inner) in object {
                undescribed(inner, &format!("{at}.{name}"), found);
            }
        }
        let mut found = Vec::new();
        undescribed(&json_schema(), "", &mut found);
        assert!(found.is_empty(), "{found:#?}");
    }

    #[test]
    fn the_committed_schema_is_in_step() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schema/torana.schema.json");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == json_schema_text(),
            "schema/torana.schema.json is out of step: cargo run -p torana-config --example schema > schema/torana.schema.json"
        );
    }
}
