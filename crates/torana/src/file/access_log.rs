//! Where the access log is written.

use std::path::Path;
use torana_config::{Document, Finding, Path as Place};
use torana_plan::Plan;

/// What stands for the standard output.
const STDOUT: &str = "stdout";

/// Takes a relative path from the folder of the configuration, as every other path there.
pub(super) fn locate(plan: &mut Plan, folder: &Path) {
    if let Some(log) = plan.settings.access_log.as_mut().filter(|log| log.to != STDOUT) {
        log.to = folder.join(&log.to).to_string_lossy().into_owned();
    }
}

/// That it cannot be written, as far as that shows without writing it.
pub(super) fn unwritable(plan: &Plan, document: &Document) -> Option<Finding> {
    let log = plan.settings.access_log.as_ref().filter(|log| log.to != STDOUT)?;
    let file = Path::new(&log.to);
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let wrong = if !folder.is_dir() {
        format!("{} is no folder", folder.display())
    } else if file.is_dir() {
        "it is a folder".into()
    } else {
        return None;
    };
    let message = format!("the access log cannot be written to {}: {wrong}", file.display());
    let place = document.span_at(&Place::root().key("access_log").key("to"));
    let help = "name a file in a folder that is there; a relative path is meant from the folder of this file";
    Some(Finding::error("unwritable-log", message).at(place).help(help))
}
