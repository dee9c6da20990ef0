//! `torana check`: everything that is wrong or odd in a file.

use crate::arguments::CheckArguments;
use crate::file;
use std::path::Path;
use std::process::ExitCode;
use torana_plan::Plan;
use torana_types::counted;

pub(crate) fn run(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let read = file::read(&arguments.file)?;
    let loaded = &read.loaded;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&loaded.findings)?);
    } else {
        eprint!("{}", file::for_people(&loaded.source, &loaded.findings));
    }
    let Some(plan) = &loaded.plan else {
        if !arguments.json {
            let errors = loaded.findings.iter().filter(|finding| finding.is_error()).count();
            eprintln!("{}: {}; it would not be served", arguments.file.display(), counted(errors, "error"));
        }
        return Ok(ExitCode::FAILURE);
    };
    if let Some(problem) = unwritable(plan) {
        eprintln!("{}: {problem}; it would not be served", arguments.file.display());
        return Ok(ExitCode::FAILURE);
    }
    if !arguments.json {
        let (routes, services) =
            (counted(plan.routes.len(), "route"), counted(plan.services.len(), "service"));
        println!("{}: good, {routes} and {services}", arguments.file.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Why the access log cannot be written, as far as that shows without writing it.
fn unwritable(plan: &Plan) -> Option<String> {
    let log = plan.settings.access_log.as_ref()?;
    if log.to == "stdout" {
        return None;
    }
    let file = Path::new(&log.to);
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let wrong = if !folder.is_dir() {
        format!("{} is no folder", folder.display())
    } else if file.is_dir() {
        "it is a folder".into()
    } else {
        return None;
    };
    Some(format!("the access log cannot be written to {}: {wrong}", file.display()))
}
