//! What `--help` says, of every command.

use anyhow::{Context, Result, ensure};

use crate::workspace::cargo;

pub(super) fn page() -> Result<String> {
    let whole = help(&[])?;
    let mut text = format!("# Commands\n\n```text\n{}\n```\n", whole.trim_end());
    for name in names(&whole) {
        let said = help(&[name])?;
        text.push_str(&format!("\n## torana {name}\n\n```text\n{}\n```\n", said.trim_end()));
    }
    Ok(text)
}

/// The commands that the overview lists.
fn names(overview: &str) -> Vec<&str> {
    let commands = overview.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = commands.take_while(|line| !line.is_empty()).filter_map(|line| {
        let name = line.strip_prefix("  ")?;
        // A line that goes on is indented further.
        (!name.starts_with(' ')).then(|| name.split_whitespace().next()).flatten()
    });
    names.filter(|name| *name != "help").collect()
}

fn help(command: &[&str]) -> Result<String> {
    let mut run = cargo();
    run.args(["run", "--quiet", "--package", "torana", "--"]).args(command).arg("--help");
    let output = run.env("COLUMNS", "100").output().context("running cargo")?;
    ensure!(output.status.success(), "torana {} --help has failed", command.join(" "));
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn commands_are_read_from_the_overview() {
        let overview = "A gateway\n\nCommands:\n  run    Serves\n         and more\n  check  Looks\n  help   This\n\nOptions:\n  -h\n";
        assert_eq!(names(overview), ["run", "check"]);
    }
}
