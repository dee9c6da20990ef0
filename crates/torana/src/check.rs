//! `torana check`: everything that is wrong or odd in a file.

use crate::arguments::CheckArguments;
use crate::file;
use std::process::ExitCode;
use torana_config::{Finding, Severity};
use torana_plan::Loaded;
use torana_types::counted;

pub(crate) fn run(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let read = match file::read_to_serve(&arguments.file, None) {
        Err(error) if arguments.json => {
            let finding = Finding::error("unreadable-file", format!("{error:#}"));
            println!("{}", serde_json::to_string_pretty(&[finding])?);
            return Ok(ExitCode::FAILURE);
        }
        read => read?,
    };
    let Loaded { source, plan, findings, .. } = read.loaded;
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
