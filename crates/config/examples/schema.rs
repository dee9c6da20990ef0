//! Prints the JSON Schema of the configuration file.
#![allow(clippy::print_stdout, reason = "printing is all this does")]

fn main() {
    print!("{}", torana_config::json_schema_text());
}
