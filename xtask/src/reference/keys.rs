//! Every key of the configuration file, from its schema.

use serde_json::{Map, Value};

use super::cell;

/// The page: the whole file first, then every part in the order in which it is met.
pub(super) fn page(schema: &Value) -> String {
    let mut text = String::from("# Keys of the configuration file\n\n");
    text.push_str("Types in italics are described below by that name. A key without a default is left out, or required.\n");
    part("The file", schema, &mut text);
    for (name, definition) in schema["$defs"].as_object().into_iter().flatten() {
        part(name, definition, &mut text);
    }
    text
}

fn part(name: &str, schema: &Value, text: &mut String) {
    text.push_str(&format!("\n## {name}\n\n{}\n", paragraph(schema)));
    if let Some(properties) = schema["properties"].as_object() {
        text.push_str("\n| Key | Type | Default | Meaning |\n| --- | --- | --- | --- |\n");
        for (key, value) in properties {
            text.push_str(&row(key, value, schema));
        }
        return;
    }
    let alternatives = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array);
    if let Some(alternatives) = alternatives {
        text.push_str("\n| Form | Meaning |\n| --- | --- |\n");
        for one in alternatives {
            text.push_str(&format!("| {} | {} |\n", kind(one), meaning(one)));
        }
    } else if schema.get("type") != Some(&Value::from("object")) {
        text.push_str(&format!("\nWritten as {}.{}\n", kind(schema), examples(schema)));
    }
}

fn row(key: &str, value: &Value, schema: &Value) -> String {
    let required = schema["required"].as_array().is_some_and(|keys| keys.contains(&key.into()));
    let default = match value.get("default") {
        _ if required => "required".to_owned(),
        Some(default) => format!("`{}`", cell(&shown(default))),
        None => String::new(),
    };
    format!("| `{key}` | {} | {default} | {} |\n", kind(value), meaning(value))
}

/// A default as it would be written in YAML on one line.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(map) if map.is_empty() => "{}".into(),
        Value::Object(map) => {
            let entries: Vec<String> =
                map.iter().map(|(key, value)| format!("{key}: {}", shown(value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

fn paragraph(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().trim().to_owned()
}

fn meaning(schema: &Value) -> String {
    cell(&paragraph(schema))
}

fn examples(schema: &Value) -> String {
    let list: Vec<String> = schema["examples"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|example| format!("`{}`", cell(&shown(example))))
        .collect();
    if list.is_empty() { String::new() } else { format!(" For example {}.", list.join(", ")) }
}

/// The type in a few words.
fn kind(schema: &Value) -> String {
    let Value::Object(map) = schema else { return "any value".into() };
    if let Some(name) = map.get("$ref").and_then(Value::as_str) {
        let name = name.trim_start_matches("#/$defs/");
        return format!("[*{name}*](#{})", name.to_lowercase());
    }
    if let Some(word) = map.get("const") {
        return format!("`{}`", shown(word));
    }
    if let Some(words) = map.get("enum").and_then(Value::as_array) {
        return words.iter().map(|word| format!("`{}`", shown(word))).collect::<Vec<_>>().join(", ");
    }
    if let Some(Value::Array(alternatives)) = map.get("anyOf").or_else(|| map.get("oneOf")) {
        return alternatives.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    match map.get("type").and_then(Value::as_str) {
        Some("array") => format!("list of {}", kind(&schema["items"])),
        Some("object") => mapping(map),
        Some("integer") => range(map),
        Some("string") => "text".into(),
        Some(other) => other.into(),
        None => "any value".into(),
    }
}

fn mapping(map: &Map<String, Value>) -> String {
    match map.get("additionalProperties") {
        Some(values @ Value::Object(_)) => format!("mapping of names to {}", kind(values)),
        _ => "mapping".into(),
    }
}

fn range(map: &Map<String, Value>) -> String {
    match (map.get("minimum"), map.get("maximum")) {
        (Some(low), Some(high)) => format!("whole number from {low} to {high}"),
        (Some(low), None) => format!("whole number from {low}"),
        _ => "whole number".into(),
    }
}
