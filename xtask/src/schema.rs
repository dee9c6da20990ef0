//! The committed JSON Schema is the one that the code gives.

use anyhow::{Context, Result, bail};

use crate::workspace::root;

const PATH: &str = "schema/torana.schema.json";

#[derive(clap::Args, Default)]
pub(crate) struct Arguments {
    /// Write the file instead of comparing it
    #[arg(long)]
    write: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let path = root().join(PATH);
    let generated = torana_config::json_schema_text();
    if arguments.write {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        std::fs::write(&path, generated).with_context(|| format!("writing {PATH}"))?;
        println!("wrote {PATH}");
        return Ok(());
    }
    let committed = std::fs::read_to_string(&path).with_context(|| format!("reading {PATH}"))?;
    match first_difference(&committed, &generated) {
        None => println!("{PATH} is what the code gives"),
        Some(line) => bail!("{PATH} differs from the code at line {line}: run `cargo xtask schema --write`"),
    }
    Ok(())
}

/// The number of the first line, from 1, in which the texts differ.
fn first_difference(one: &str, other: &str) -> Option<usize> {
    if one == other {
        return None;
    }
    let same = one.lines().zip(other.lines()).take_while(|(one, other)| one == other).count();
    Some(same + 1)
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn the_first_different_line_is_named() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some(2));
        assert_eq!(first_difference("a\n", "a\nb\n"), Some(2));
        assert_eq!(first_difference("a", "a\n"), Some(2));
    }
}
