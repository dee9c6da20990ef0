//! One macro that gives a type with `FromStr` and `Display` its serde and JSON Schema faces.
//!
//! It exists so that the written form of a unit is stated once: the parser. The schema carries a
//! `format` name (checked by [`crate::format::check`]) and a `pattern` for editors that do not know it.

macro_rules! text_form {
    (
        $type:ident, format: $format:literal, pattern: $pattern:literal,
        description: $description:literal, examples: [$($example:literal),+ $(,)?] $(, also_number: $number:ident)?
    ) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl serde::de::Visitor<'_> for Visitor {
                    type Value = $type;
                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        formatter.write_str($type::EXPECTED)
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                    $(
                        fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<$type, E> {
                            Ok($type::$number(number))
                        }
                    )?
                }
                deserializer.deserialize_any(Visitor)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                #[allow(unused_mut, reason = "only some types are also numbers")]
                let mut kinds = vec!["string"];
                $(
                    let _ = $type::$number;
                    kinds.push("integer");
                )?
                let kind = if let [one] = kinds.as_slice() { serde_json::json!(one) } else { serde_json::json!(kinds) };
                schemars::json_schema!({
                    "type": kind,
                    "format": $format,
                    "pattern": $pattern,
                    "description": $description,
                    "examples": [$($example),+],
                })
            }
        }
    };
}

pub(crate) use text_form;
