//! A dependency that no source names is built for nothing, and says of a crate what is not so.

use std::collections::BTreeSet;

use anyhow::{Context, Result};

use crate::lines;
use crate::workspace::{Named, Package};

/// The normal dependencies of a package of ours that none of its sources without tests names.
pub(super) fn named_by_no_source(package: &Package) -> Result<Vec<String>> {
    let Some(directory) = package.manifest_path.parent() else { return Ok(Vec::new()) };
    let mut left: BTreeSet<String> = package.dependencies.iter().filter_map(Named::in_sources).collect();
    for source in lines::sources(directory)? {
        let path = source.path;
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        for word in words(&text) {
            left.remove(word);
        }
    }
    let error = |name| format!("{} depends on {name}, which none of its sources names", package.name);
    Ok(left.iter().map(error).collect())
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_alphanumeric() && character != '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_that_no_source_names_is_an_error() {
        let directory = torana_testkit::temp_dir();
        std::fs::create_dir(directory.path().join("src")).unwrap();
        std::fs::write(directory.path().join("src/lib.rs"), "use one_two::A;\nuse three_more::B;\n").unwrap();
        let manifest = directory.path().join("Cargo.toml");
        let package: Package = serde_json::from_value(serde_json::json!({
            "id": "a", "name": "a", "version": "1.0.0", "manifest_path": manifest,
            "dependencies": [
                { "name": "one-two" }, { "name": "three" }, { "name": "four", "kind": "dev" },
                { "name": "five", "rename": "three_more" },
            ],
        }))
        .unwrap();
        let errors = named_by_no_source(&package).unwrap();
        assert_eq!(errors, ["a depends on three, which none of its sources names"]);
    }
}
