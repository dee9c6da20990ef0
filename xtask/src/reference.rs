//! The reference pages are what the code says: every key of the file, every command, metric and reason.

mod commands;
mod keys;
mod tables;

use anyhow::Result;

use crate::generated::{Arguments, keep};

const NOTICE: &str = "<!-- Generated: `cargo xtask reference --write`. -->\n";

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let pages = [
        ("configuration", keys::page(&torana_config::json_schema())),
        ("metrics", tables::metrics()),
        ("reasons", tables::reasons()),
        ("commands", commands::page()?),
    ];
    for (name, text) in pages {
        keep(&format!("docs/reference/{name}.md"), &format!("{NOTICE}\n{text}"), "reference", arguments)?;
    }
    Ok(())
}

/// Text for a cell of a table: on one line, without what would end the cell.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
