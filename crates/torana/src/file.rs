//! Reading a configuration file with what it refers to. Every command loads by this one way.

mod access_log;
mod bounded;

use anyhow::Context;
use std::cell::RefCell;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use torana_config::{Document, Finding, ResolveError, Resolver, Source, render};
use torana_credential::directory::{Consumers, Directory};
use torana_plan::{Loaded, load_with};

/// The largest file that is read, be it the configuration or one that it refers to, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;
/// The largest file of consumers: some millions of them.
const LARGEST_OF_CONSUMERS: u64 = 1024 * 1024 * 1024;

/// A configuration and the files that it was read from.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) loaded: Loaded,
    /// The file itself first.
    pub(crate) files: Vec<PathBuf>,
    /// Those of them that hold nothing but consumers.
    pub(crate) consumer_files: Vec<PathBuf>,
}

/// Reads and plans a file.
///
/// # Errors
/// The file cannot be read as text.
pub(crate) fn read(path: &Path) -> anyhow::Result<Read> {
    read_over(path, None)
}

/// The same to be served, in place of what is in force, if anything is, whose consumers are looked up in one place: an
/// access log that cannot be written is an error then.
///
/// # Errors
/// As above.
pub(crate) fn read_to_serve(path: &Path, consumers: Option<&Arc<Consumers>>) -> anyhow::Result<Read> {
    let mut read = read_over(path, consumers)?;
    let Loaded { plan, document, findings, .. } = &mut read.loaded;
    if let (Some(planned), Some(document)) = (&plan, document)
        && let Some(finding) = access_log::unwritable(planned, document)
    {
        findings.push(finding);
        *plan = None;
    }
    Ok(read)
}

fn read_over(path: &Path, consumers: Option<&Arc<Consumers>>) -> anyhow::Result<Read> {
    let text = bounded::read(path, LARGEST).with_context(|| format!("cannot read {}", path.display()))?;
    let surroundings = Surroundings::of(path);
    let mut loaded = load_with(&path.display().to_string(), &text, &surroundings, consumers);
    if let Some(plan) = &mut loaded.plan {
        access_log::locate(plan, &surroundings.folder);
    }
    let (files, consumer_files) = (surroundings.files.into_inner(), surroundings.consumer_files.into_inner());
    Ok(Read { loaded, files, consumer_files })
}

/// Reads the consumers of a configuration anew, and nothing else; with an error among the findings there are none.
pub(crate) fn read_consumers(path: &Path, document: &Document) -> (Option<Arc<Directory>>, Vec<Finding>) {
    torana_plan::consumers(document, &Surroundings::of(path))
}

/// The findings as text for a person at the standard error.
pub(crate) fn for_people(source: &Source, findings: &[Finding]) -> String {
    render(findings, source, std::io::stderr().is_terminal())
}

/// The environment and the files around the configuration.
struct Surroundings {
    folder: PathBuf,
    files: RefCell<Vec<PathBuf>>,
    consumer_files: RefCell<Vec<PathBuf>>,
}

impl Surroundings {
    fn of(path: &Path) -> Self {
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Self { folder, files: RefCell::new(vec![path.to_owned()]), consumer_files: RefCell::default() }
    }
}

impl Resolver for Surroundings {
    fn environment(&self, name: &str) -> Result<String, ResolveError> {
        match std::env::var(name) {
            Ok(value) => Ok(value),
            Err(std::env::VarError::NotPresent) => Err(ResolveError::Missing),
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(ResolveError::Unreadable { reason: "it is not UTF-8".into() })
            }
        }
    }

    fn file(&self, path: &str) -> Result<String, ResolveError> {
        let path = self.folder.join(path);
        let text = bounded::read(&path, LARGEST).map_err(|error| unresolved(&error));
        self.files.borrow_mut().push(path);
        text
    }

    fn large_file(&self, path: &str) -> Result<String, ResolveError> {
        let path = self.folder.join(path);
        let text = bounded::read(&path, LARGEST_OF_CONSUMERS).map_err(|error| unresolved(&error));
        self.files.borrow_mut().push(path.clone());
        self.consumer_files.borrow_mut().push(path);
        text
    }
}

fn unresolved(error: &std::io::Error) -> ResolveError {
    match error.kind() {
        std::io::ErrorKind::NotFound => ResolveError::Missing,
        _ => ResolveError::Unreadable { reason: error.to_string() },
    }
}
