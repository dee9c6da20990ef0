//! `torana check`: everything that is wrong or odd in a file.

use crate::arguments::CheckArguments;
use crate::file;
use std::process::ExitCode;

pub(crate) fn run(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let read = file::read(&arguments.file)?;
    let loaded = &read.loaded;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&loaded.findings)?);
    } else {
        eprint!("{}", file::for_people(loaded, &loaded.findings));
    }
    let Some(plan) = &loaded.plan else {
        if !arguments.json {
            let errors = loaded.findings.iter().filter(|finding| finding.is_error()).count();
            eprintln!("{}: {errors} error(s); it would not be served", arguments.file.display());
        }
        return Ok(ExitCode::FAILURE);
    };
    if !arguments.json {
        let (routes, services) = (plan.routes.len(), plan.services.len());
        println!("{}: good, {routes} routes and {services} services", arguments.file.display());
    }
    Ok(ExitCode::SUCCESS)
}
