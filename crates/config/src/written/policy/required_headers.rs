//! `required_headers`: fields without which a request is not served.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::written::{OneOrMany, ValueCondition};

/// Fields that a request must have: their names, or conditions on their values by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RequiredHeadersForm {
    /// These are there and not empty.
    Names(OneOrMany<String>),
    /// Conditions on their values.
    Conditions(IndexMap<String, ValueCondition>),
}
