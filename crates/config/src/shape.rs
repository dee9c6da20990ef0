//! The generated JSON Schema, compiled into the few shapes that the written form uses.
//!
//! The schema is the one definition of shape: it is generated from the Rust types, it is what editors
//! check against, and this module turns the very same document into what [`crate::check`] walks along.
//! It understands what the generator produces for our types, not JSON Schema at large.

use std::sync::LazyLock;

use serde_json::{Map, Value};

/// What a node must look like.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// Anything at all.
    Any,
    /// Text, perhaps in a known format.
    Text { format: Option<String> },
    /// One of a fixed set of words.
    Word(Vec<String>),
    /// A whole number.
    Integer { minimum: i128, maximum: i128 },
    /// `true` or `false`.
    Boolean,
    /// A list, with at least so many items.
    List { items: Box<Shape>, minimum: usize },
    /// A mapping whose keys the user chooses.
    Map(Box<Shape>),
    /// A mapping with known keys.
    Record(Vec<Field>),
    /// One of several shapes, chosen by what the node is.
    Choice(Vec<Shape>),
}

/// A known key of a mapping.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) required: bool,
    pub(crate) shape: Shape,
}

/// The shape of a whole configuration file.
pub(crate) static CONFIG: LazyLock<Shape> = LazyLock::new(|| {
    let schema = crate::schema::json_schema();
    compile(&schema, &schema).expect("the generated schema has only known keywords; a test holds it")
});

/// Compiles one schema; `root` holds the definitions. The error names what was not understood.
pub(crate) fn compile(schema: &Value, root: &Value) -> Result<Shape, String> {
    let schema = match schema {
        Value::Bool(true) => return Ok(Shape::Any),
        Value::Object(schema) => schema,
        other => return Err(format!("not a schema: {other}")),
    };
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let name =
            reference.strip_prefix("#/$defs/").ok_or_else(|| format!("foreign reference {reference}"))?;
        let target = root.get("$defs").and_then(|defs| defs.get(name));
        return compile(target.ok_or_else(|| format!("no definition {name}"))?, root);
    }
    if let Some(alternatives) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array)
    {
        let shapes = alternatives.iter().map(|one| compile(one, root)).collect::<Result<Vec<_>, _>>()?;
        return Ok(merged(shapes));
    }
    if let Some(word) = schema.get("const") {
        return Ok(Shape::Word(vec![word.as_str().ok_or("a constant that is not text")?.to_owned()]));
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        let words = words.iter().map(|word| word.as_str().map(str::to_owned)).collect::<Option<_>>();
        return Ok(Shape::Word(words.ok_or("an enumeration of something else than text")?));
    }
    match schema.get("type") {
        None if schema.keys().all(|key| key == "description" || key == "examples") => Ok(Shape::Any),
        None => Err(format!("no type among {:?}", schema.keys().collect::<Vec<_>>())),
        Some(Value::Array(kinds)) => {
            let kinds = kinds.iter().filter_map(Value::as_str);
            kinds.map(|kind| of_kind(kind, schema, root)).collect::<Result<Vec<_>, _>>().map(merged)
        }
        Some(kind) => of_kind(kind.as_str().unwrap_or_default(), schema, root),
    }
}

/// Alternatives side by side; alternative words are one set of words.
fn merged(shapes: Vec<Shape>) -> Shape {
    let mut words: Vec<String> = Vec::new();
    let mut others = Vec::new();
    for shape in shapes {
        match shape {
            Shape::Word(more) => words.extend(more),
            // What was merged has its words first.
            Shape::Choice(more) => {
                for shape in more {
                    match shape {
                        Shape::Word(more) => words.extend(more),
                        other => others.push(other),
                    }
                }
            }
            other => others.push(other),
        }
    }
    if !words.is_empty() {
        others.insert(0, Shape::Word(words));
    }
    if others.len() == 1 { others.swap_remove(0) } else { Shape::Choice(others) }
}

fn of_kind(kind: &str, schema: &Map<String, Value>, root: &Value) -> Result<Shape, String> {
    match kind {
        "string" => {
            Ok(Shape::Text { format: schema.get("format").and_then(Value::as_str).map(str::to_owned) })
        }
        "boolean" => Ok(Shape::Boolean),
        "integer" => Ok(integer(schema)),
        "array" => {
            let items = schema.get("items").map_or(Ok(Shape::Any), |items| compile(items, root))?;
            let minimum = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
            Ok(Shape::List {
                items: Box::new(items),
                minimum: usize::try_from(minimum).unwrap_or(usize::MAX),
            })
        }
        "object" => object(schema, root),
        other => Err(format!("the type {other}")),
    }
}

fn integer(schema: &Map<String, Value>) -> Shape {
    let (lowest, highest) = match schema.get("format").and_then(Value::as_str) {
        Some("uint8") => (0, i128::from(u8::MAX)),
        Some("uint16") => (0, i128::from(u16::MAX)),
        Some("uint32") => (0, i128::from(u32::MAX)),
        Some("int32") => (i128::from(i32::MIN), i128::from(i32::MAX)),
        Some("int64") => (i128::from(i64::MIN), i128::from(i64::MAX)),
        _ => (0, i128::from(u64::MAX)),
    };
    let bound = |key: &str| schema.get(key).and_then(Value::as_i64).map(i128::from);
    Shape::Integer {
        minimum: bound("minimum").map_or(lowest, |minimum| minimum.max(lowest)),
        maximum: bound("maximum").map_or(highest, |maximum| maximum.min(highest)),
    }
}

fn object(schema: &Map<String, Value>, root: &Value) -> Result<Shape, String> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return match schema.get("additionalProperties") {
            Some(Value::Bool(false)) => Ok(Shape::Record(Vec::new())),
            Some(values) => Ok(Shape::Map(Box::new(compile(values, root)?))),
            None => Ok(Shape::Map(Box::new(Shape::Any))),
        };
    };
    if schema.get("additionalProperties") != Some(&Value::Bool(false)) {
        return Err(format!("an open record with {:?}", properties.keys().collect::<Vec<_>>()));
    }
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let fields = properties.iter().map(|(name, field)| {
        let shape = compile(field, root)?;
        Ok(Field { name: name.clone(), required: required.contains(&name.as_str()), shape })
    });
    fields.collect::<Result<_, String>>().map(Shape::Record)
}
