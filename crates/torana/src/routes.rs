//! `torana routes`: the table in match order.

use crate::arguments::RoutesArguments;
use crate::file;
use anyhow::bail;
use std::process::ExitCode;
use torana_plan::{Action, Plan, RoutePlan};
use torana_route::Router;

pub(crate) fn run(arguments: &RoutesArguments) -> anyhow::Result<ExitCode> {
    let read = file::read(&arguments.file)?;
    let Some(plan) = &read.loaded.plan else {
        eprint!("{}", file::for_people(&read.loaded.source, &read.loaded.findings));
        return Ok(ExitCode::FAILURE);
    };
    let specs = plan.routes.iter().map(|route| route.matching.clone()).collect();
    let Ok(router) = Router::build(specs) else { bail!("the routes are ambiguous; see `torana check`") };
    let mut rows = vec![["HOST", "METHODS", "PATH", "CONDITIONS", "GOES TO", "POLICIES"].map(str::to_owned)];
    rows.extend(
        router.in_order().iter().filter_map(|index| plan.routes.get(*index)).map(|route| row(plan, route)),
    );
    print!("{}", table(&rows));
    Ok(ExitCode::SUCCESS)
}

fn row(plan: &Plan, route: &RoutePlan) -> [String; 6] {
    let spec = &route.matching;
    let or_any = |list: Vec<String>| if list.is_empty() { "any".into() } else { list.join(",") };
    let headers = spec.headers.iter().map(|condition| condition.name.to_string());
    let query = spec.query.iter().map(|condition| format!("?{}", condition.name));
    let conditions: Vec<String> = headers.chain(query).collect();
    let goes_to = match &route.action {
        Action::Forward { service, .. } => {
            plan.service(*service).map_or_else(String::new, |service| service.name.to_string())
        }
        Action::Respond { status, .. } | Action::Echo { status, .. } => format!("answer {status}"),
    };
    let policies: Vec<&str> = route.policies.iter().map(|planned| planned.policy.name()).collect();
    [
        or_any(spec.hosts.iter().map(ToString::to_string).collect()),
        or_any(spec.methods.iter().map(ToString::to_string).collect()),
        spec.path.to_string(),
        if conditions.is_empty() { "-".into() } else { conditions.join(",") },
        goes_to,
        if policies.is_empty() { "-".into() } else { policies.join(",") },
    ]
}

/// Columns as wide as their longest text.
fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let mut widths = [0_usize; COLUMNS];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}
