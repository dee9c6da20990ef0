//! Counting lines without tests.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// One Rust source file that is not a test.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    /// Lines without `#[cfg(test)]` items.
    pub(crate) lines: usize,
}

/// Every Rust source under `package/src`, sorted by path; files that hold only tests (`tests.rs`, `tests/`)
/// are left out.
pub(crate) fn sources(package: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    collect(&package.join("src"), &mut sources)?;
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(sources)
}

fn collect(directory: &Path, sources: &mut Vec<Source>) -> Result<()> {
    let entries = std::fs::read_dir(directory).with_context(|| format!("reading {}", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if matches!(name, "tests" | "tests.rs") {
            continue;
        }
        if path.is_dir() {
            collect(&path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text =
                std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            sources.push(Source { lines: without_tests(&text), path });
        }
    }
    Ok(())
}

/// The number of lines outside items under `#[cfg(test)]`.
///
/// It relies on rustfmt: an item that opens a block ends with the first line that is the closing brace at the
/// item's own indentation; any other item ends with `;`. Where that is wrong (a raw string that holds such a
/// line), lines of tests are counted: the error is on the strict side.
pub(crate) fn without_tests(text: &str) -> usize {
    let mut count = 0;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim_start() != "#[cfg(test)]" {
            count += 1;
            continue;
        }
        let indentation = line.len() - line.trim_start().len();
        let closing = format!("{}}}", " ".repeat(indentation));
        for item in lines.by_ref() {
            let first = item.len() - item.trim_start().len() == indentation;
            if item == closing || (first && (item.ends_with(';') || item.ends_with("{}"))) {
                break;
            }
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::without_tests;

    #[test]
    fn items_under_cfg_test_are_not_counted() {
        let text = "use a;\n#[cfg(test)]\nuse b;\nfn c() {\n    #[cfg(test)]\n    d();\n    e();\n}\n\
                    #[cfg(test)]\n#[allow(x)]\nmod tests {\n    fn f() {\n        g();\n    }\n}\nfn h() {}\n";
        assert_eq!(without_tests(text), 5);
    }

    #[test]
    fn a_file_of_tests_in_another_file_ends_at_the_semicolon() {
        assert_eq!(without_tests("#[cfg(test)]\nmod tests;\n\nfn a() {}\n"), 2);
        assert_eq!(without_tests("#[cfg(test)]\nmod tests {}\nfn a() {}\n"), 1);
    }

    #[test]
    fn other_conditions_are_counted() {
        assert_eq!(without_tests("#[cfg(unix)]\nfn a() {}\n#![cfg_attr(test, allow(x))]\n"), 3);
    }
}
