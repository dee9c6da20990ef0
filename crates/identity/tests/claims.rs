//! The reader of claims and a reader made with serde say the same of every text: what is accepted, and what it means.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

use proptest::prelude::*;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;
use torana_identity::Claims;

/// Any value whose names are distinct.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Any.deserialize(deserializer).map(Strict)
    }
}

struct Any;

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

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Any)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(Any)?;
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a name occurs twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

fn expected(text: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice::<Strict>(text) {
        Ok(Strict(Value::Object(object))) => Some(object),
        _ => None,
    }
}

fn agree(text: &[u8]) {
    let read = Claims::read(text.to_vec());
    assert_eq!(read.as_ref().map(Claims::map), expected(text).as_ref(), "{}", text.escape_ascii());
}

/// Pieces of JSON, in any order: most of what comes out is nearly right.
const PIECES: [&str; 46] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\"a\"",
    "\"b\"",
    "\"a\":",
    "\"b\":",
    "\"\\u0061\":",
    "\"\\u00e9\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud83d\"",
    "\"\\n\\t\\\\\\\"\\/\"",
    "\"\u{e9}\u{1f600}\"",
    "\"a name of more bytes\":",
    "\"a name of more bytez\":",
    "0",
    "-0",
    "1",
    "-1",
    "01",
    "1.5",
    "-1.25e-3",
    "1E+2",
    "1e400",
    "-1e400",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "-9223372036854775809",
    "123456789012345678",
    "1234567890123456789",
    ".",
    "e",
    "true",
    "false",
    "null",
    " ",
    "\n",
    "\t\r",
    "\u{b}",
    "\\",
    "{}",
];

fn written() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 80, 30, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("[ab\\\\\"\u{e9}]{0,9}", inner), 0..40)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn both_read_pieces_alike(places in prop::collection::vec(0..PIECES.len(), 0..24)) {
        let pieces: String = places.iter().filter_map(|place| PIECES.get(*place)).copied().collect();
        agree(pieces.as_bytes());
        agree(format!("{{{pieces}}}").as_bytes());
        agree(format!("{{\"x\":{pieces}}}").as_bytes());
        agree(format!("{{\"x\":[{{{pieces}}}]}}").as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn both_read_what_was_written_and_what_became_of_it_alike(
        value in written(),
        pretty: bool,
        place: prop::sample::Index,
        byte: u8,
    ) {
        let text = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) };
        let mut text = [&b"{\"x\":"[..], &text.unwrap(), b"}"].concat();
        agree(&text);
        let place = place.index(text.len());
        let kept = std::mem::replace(&mut text[place], byte);
        agree(&text);
        text[place] = kept;
        text.remove(place);
        agree(&text);
        text.truncate(place);
        agree(&text);
    }
}

#[test]
fn both_nest_as_deep() {
    for depth in 120..135 {
        agree(format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth)).as_bytes());
        agree(format!("{{\"a\":{}1{}}}", "[".repeat(depth), "]".repeat(depth)).as_bytes());
        agree(format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth)).as_bytes());
    }
}
