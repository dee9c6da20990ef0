//! JSON without repeated names: of two readers of `{"sub":"a","sub":"b"}`, each may take another one
//! (RFC 7515 section 4, RFC 7519 section 4).

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Reads an object whose names are distinct at every depth. Nesting is bounded by the reader (128).
#[must_use]
pub fn strict_object(text: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice::<Strict>(text) {
        Ok(Strict(Value::Object(object))) => Some(object),
        _ => None,
    }
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Any { room: TOP }.deserialize(deserializer).map(Strict)
    }
}

/// Names that the outermost object has room for at once: a token has about as many claims.
const TOP: usize = 10;

/// Any value; an object begins with room for so many names.
struct Any {
    room: usize,
}

impl<'de> DeserializeSeed<'de> for Any {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Any {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON with distinct names")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a number"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Any { room: 0 })? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::with_capacity(self.room);
        while let Some(name) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(Any { room: 0 })?;
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a name occurs twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::{Value, strict_object};

    #[test]
    fn names_are_distinct_at_every_depth() {
        for good in [r#"{"a":1,"b":{"a":[1,-2,0.5,null,true,"x"]}}"#, "{}", r#" { "a" : [] } "#] {
            let read = strict_object(good.as_bytes()).unwrap();
            assert_eq!(serde_json::from_str::<Value>(good).unwrap(), Value::Object(read));
        }
        let deep = format!("{}1{}", r#"{"a":"#.repeat(500), "}".repeat(500));
        for bad in [
            r#"{"a":1,"a":1}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"{"x":[{"a":1,"\u0061":2}]}"#,
            "[]",
            "1",
            "",
            "{}x",
            r#"{"a":1e999}"#,
            &deep,
        ] {
            assert!(strict_object(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(strict_object(b"{\"a\":\"\xff\"}").is_none());
    }
}
