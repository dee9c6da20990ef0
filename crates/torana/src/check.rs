//! `torana check`: everything that is wrong or odd in a file.

use crate::arguments::CheckArguments;
use crate::file;
use std::path::Path;
use std::process::ExitCode;
use torana_config::{Document, Finding, Path as Place, Severity};
use torana_plan::{Loaded, Plan};
use torana_types::counted;

pub(crate) fn run(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let read = match file::read(&arguments.file) {
        Err(error) if arguments.json => {
            let finding = Finding::error("unreadable-file", format!("{error:#}"));
            println!("{}", serde_json::to_string_pretty(&[finding])?);
            return Ok(ExitCode::FAILURE);
        }
        read => read?,
    };
    let Loaded { source, document, plan, mut findings } = read.loaded;
    if let (Some(plan), Some(document)) = (&plan, &document) {
        findings.extend(unwritable(plan, document));
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&findings)?);
    } else {
        eprint!("{}", file::for_people(&source, &findings));
    }
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    let name = arguments.file.display();
    let odd = findings.iter().filter(|finding| finding.severity == Severity::Warning).count();
    let denied = arguments.deny_warnings && odd > 0;
    match plan.filter(|_| errors == 0) {
        Some(_) if denied => {
            if !arguments.json {
                eprintln!("{name}: {}, denied by `--deny-warnings`", counted(odd, "warning"));
            }
            Ok(ExitCode::FAILURE)
        }
        Some(plan) => {
            if !arguments.json {
                let (routes, services) = (plan.routes.len(), plan.services.len());
                let (routes, services) = (counted(routes, "route"), counted(services, "service"));
                let odd = if odd == 0 { String::new() } else { format!("; {}", counted(odd, "warning")) };
                println!("{name}: good, {routes} and {services}{odd}");
            }
            Ok(ExitCode::SUCCESS)
        }
        None => {
            if !arguments.json {
                eprintln!("{name}: {}; it would not be served", counted(errors, "error"));
            }
            Ok(ExitCode::FAILURE)
        }
    }
}

/// That the access log cannot be written, as far as that shows without writing it.
fn unwritable(plan: &Plan, document: &Document) -> Option<Finding> {
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
    let message = format!("the access log cannot be written to {}: {wrong}", file.display());
    let place = document.span_at(&Place::root().key("access_log").key("to"));
    Some(Finding::error("unwritable-log", message).at(place).help("name a file in a folder that is there"))
}
