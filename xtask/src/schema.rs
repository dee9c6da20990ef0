//! The committed JSON Schema is the one that the code gives.

use anyhow::Result;

use crate::generated::{Arguments, keep};

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    keep("schema/torana.schema.json", &torana_config::json_schema_text(), "schema", arguments)
}
