//! What cargo says about the workspace.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// The workspace's root: the directory above this package.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace's root")
}

/// The cargo that runs this task.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Builds with optimisation and says in which folder the programs are.
pub(crate) fn build(arguments: &[&str]) -> Result<PathBuf> {
    let status = cargo().args(["build", "--release"]).args(arguments).status()?;
    ensure!(status.success(), "cargo build has failed");
    Ok(Metadata::load()?.target_directory.join("release"))
}

/// The part of `cargo metadata` that the checks read.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) workspace_members: Vec<String>,
    pub(crate) target_directory: PathBuf,
    resolve: Resolve,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    /// An SPDX expression; `None` if the manifest names none.
    pub(crate) license: Option<String>,
    /// Where it comes from; `None` for a package of this workspace.
    pub(crate) source: Option<String>,
    pub(crate) manifest_path: PathBuf,
    /// What its manifest names.
    #[serde(default)]
    pub(crate) dependencies: Vec<Named>,
}

/// A dependency as a manifest names it.
#[derive(Deserialize)]
pub(crate) struct Named {
    name: String,
    rename: Option<String>,
    kind: Option<String>,
}

impl Named {
    /// As sources name it; `None` for a development or build dependency.
    pub(crate) fn in_sources(&self) -> Option<String> {
        let name = self.rename.as_ref().unwrap_or(&self.name);
        self.kind.is_none().then(|| name.replace('-', "_"))
    }
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

/// `kind` is absent for a normal dependency, else `dev` or `build`.
#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

/// Package names to the names of their normal dependencies, over the whole graph.
pub(crate) type Graph = BTreeMap<String, Vec<String>>;

impl Metadata {
    /// Asks cargo, with all features, so that an optional dependency is no way round a rule.
    pub(crate) fn load() -> Result<Self> {
        let output = cargo().args(["metadata", "--format-version", "1", "--all-features"]).output();
        let output = output.context("running cargo metadata")?;
        ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).context("reading the answer of cargo metadata")
    }

    /// The workspace's own packages.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }

    /// Who depends on whom, without development and build dependencies. Versions of one name are one node:
    /// the rules are about names.
    pub(crate) fn graph(&self) -> Graph {
        let names: BTreeMap<&str, &str> =
            self.packages.iter().map(|package| (package.id.as_str(), package.name.as_str())).collect();
        let mut graph = Graph::new();
        for node in &self.resolve.nodes {
            let Some(name) = names.get(node.id.as_str()) else { continue };
            let normal = node.deps.iter().filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind.is_none()));
            let normal = normal.filter_map(|dep| names.get(dep.pkg.as_str()));
            graph.entry((*name).to_owned()).or_default().extend(normal.map(|name| (*name).to_owned()));
        }
        graph
    }
}
