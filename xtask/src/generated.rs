//! Files of the repository that the code gives: written on demand, compared by CI.

use anyhow::{Context, Result, bail};

use crate::workspace::root;

#[derive(clap::Args, Default)]
pub(crate) struct Arguments {
    /// Write the files instead of comparing them
    #[arg(long)]
    write: bool,
}

/// Writes `text` to `path`, or holds the file there against it. `task` is the command that writes it.
pub(crate) fn keep(path: &str, text: &str, task: &str, arguments: &Arguments) -> Result<()> {
    let place = root().join(path);
    if arguments.write {
        if let Some(directory) = place.parent() {
            std::fs::create_dir_all(directory)?;
        }
        std::fs::write(&place, text).with_context(|| format!("writing {path}"))?;
        println!("wrote {path}");
        return Ok(());
    }
    let committed = std::fs::read_to_string(&place).with_context(|| format!("reading {path}"))?;
    match first_difference(&committed, text) {
        None => println!("{path} is what the code gives"),
        Some(line) => bail!("{path} differs from the code at line {line}: run `cargo xtask {task} --write`"),
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
