//! `torana explain`: what would become of a request, told from the code that serves.

use crate::arguments::ExplainArguments;
use crate::file;
use anyhow::bail;
use std::fmt::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use torana_fault::{Fault, Reason};
use torana_filter::Moment;

use torana_observe::Metrics;
use torana_plan::{Plan, PlannedPolicy};
use torana_proxy::{Decision, End, Explanation, LetPass, Pipeline, Registry, explain, prepare, read_head};
use torana_route::{Mismatch, Verdict};
use torana_transport::ConnectionInfo;

/// As for arguments that the command line does not know.
const WRONG_ARGUMENTS: u8 = 2;
/// The gateway refuses the request.
const REFUSED: u8 = 3;
/// No route takes the request.
const NO_ROUTE: u8 = 4;
/// Another service would be asked, which an explanation does not do.
const UNDECIDED: u8 = 5;

/// What is never shown, although whoever asks has typed it.
const SECRET_FIELDS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

pub(crate) fn run(arguments: &ExplainArguments) -> anyhow::Result<ExitCode> {
    let request = match head_text(arguments) {
        Ok(request) => request,
        Err(wrong) => {
            eprintln!("torana: {wrong}");
            return Ok(ExitCode::from(WRONG_ARGUMENTS));
        }
    };
    let read = file::read(&arguments.file)?;
    let Some(plan) = read.loaded.plan.clone() else {
        eprint!("{}", file::for_people(&read.loaded.source, &read.loaded.findings));
        return Ok(ExitCode::FAILURE);
    };
    let mut plan = plan;
    plan.settings.access_log = None;
    let pipeline = prepare(&plan, &mut Registry::default(), &Metrics::new())?;
    let body = arguments.body.as_deref().unwrap_or_default();
    let head = match read_head(request.as_bytes(), &pipeline.server.head_limits) {
        Ok(head) => head,
        Err(fault) => {
            println!("answer    {} {fault}", fault.status());
            return Ok(ExitCode::from(REFUSED));
        }
    };
    let ports = plan.settings.listen.iter().map(|listener| listener.address.socket_addr().port());
    let asked = port(&arguments.url);
    // The listener that the URL names by its port, else the first.
    let listener = ports.clone().position(|port| Some(port) == asked).unwrap_or(0);
    let local = SocketAddr::from(([127, 0, 0, 1], ports.clone().nth(listener).unwrap_or(0)));
    let connection = ConnectionInfo {
        secure: arguments.url.starts_with("https://"),
        listener,
        ..ConnectionInfo::plain(SocketAddr::new(arguments.from, 40_000), local)
    };
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let moment = Moment { unix_seconds: unix.as_secs(), ..Moment::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let told = runtime.block_on(explain(&pipeline, head, &connection, moment, body.as_bytes()));
    print!("{}", text(&plan, &pipeline, &told, arguments.all));
    Ok(code(&told.end))
}

/// What a script sees of the end.
fn code(end: &End) -> ExitCode {
    match end {
        End::Refuse(fault) if is_undecided(fault) => ExitCode::from(UNDECIDED),
        End::Refuse(Fault { reason: Reason::NoRoute | Reason::MethodNotAllowed, .. }) => {
            ExitCode::from(NO_ROUTE)
        }
        End::Refuse(_) => ExitCode::from(REFUSED),
        End::Answer { .. } | End::Forward { .. } => ExitCode::SUCCESS,
    }
}

/// Whether it was refused only because nobody is asked for an explanation.
const fn is_undecided(fault: &Fault) -> bool {
    matches!(
        fault.reason,
        Reason::KeysUnavailable
            | Reason::ForwardAuthUnavailable
            | Reason::IntrospectionUnavailable
            | Reason::LoginUnavailable
            | Reason::LimitStoreUnavailable
    )
}

/// The port that a URL names.
fn port(url: &str) -> Option<u16> {
    let authority = url.split_once("://")?.1.split(['/', '?']).next()?;
    authority.rsplit_once(':')?.1.parse().ok()
}

/// The head as a client would send it.
fn head_text(arguments: &ExplainArguments) -> anyhow::Result<String> {
    let url = &arguments.url;
    let after_scheme = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let (host, target) = match after_scheme {
        Some(rest) => {
            let cut = rest.find(['/', '?']).unwrap_or(rest.len());
            let (host, target) = rest.split_at_checked(cut).unwrap_or((rest, ""));
            (host, if target.starts_with('/') { target.to_owned() } else { format!("/{target}") })
        }
        None if !url.starts_with('/') && url != "*" => {
            bail!("'{url}' is neither a URL nor a path: write `http://host/path` or `/path`")
        }
        None => ("localhost", url.clone()),
    };
    let mut text = format!("{} {target} HTTP/1.1\r\n", arguments.method);
    let own_host = arguments.headers.iter().any(|field| field.to_ascii_lowercase().starts_with("host:"));
    if !own_host {
        let _ = write!(text, "Host: {host}\r\n");
    }
    for field in &arguments.headers {
        if !field.contains(':') || field.contains(['\r', '\n']) {
            bail!("a field is written 'Name: value', not '{field}'");
        }
        let _ = write!(text, "{field}\r\n");
    }
    if let Some(body) = &arguments.body {
        let _ = write!(text, "Content-Length: {}\r\n", body.len());
    }
    text.push_str("\r\n");
    Ok(text)
}

fn text(plan: &Plan, pipeline: &Pipeline, told: &Explanation, all: bool) -> String {
    let mut text = String::new();
    let line = |text: &mut String, label: &str, rest: &str| {
        let _ = writeln!(text, "{label:<10}{rest}");
    };
    if !told.path.is_empty() {
        line(&mut text, "path", &told.path);
    }
    let name = |route: usize| plan.routes.get(route).map_or("?", |route| &*route.name);
    match told.route.and_then(|route| plan.routes.get(route)) {
        Some(route) => line(&mut text, "route", &format!("{}   ({})", route.name, route.span)),
        None => line(&mut text, "route", "none"),
    }
    if let Some(route) = told.route.and_then(|route| plan.routes.get(route))
        && plan.settings.limits.queue_delay.on().is_some()
    {
        let say = format!("{:?}", route.importance).to_ascii_lowercase();
        line(&mut text, "importance", &format!(" {say}, when requests wait too long"));
    }
    for candidate in &told.candidates {
        let say = match &candidate.verdict {
            Verdict::Won => continue,
            Verdict::Lost { by, .. } => format!("before {}: {by}", name(candidate.route)),
            Verdict::Mismatched(Mismatch::Path | Mismatch::Host) if !all => continue,
            Verdict::Mismatched(mismatch) => format!("not {}: {mismatch}", name(candidate.route)),
        };
        line(&mut text, "", &say);
    }
    let planned =
        told.route.and_then(|route| plan.routes.get(route)).map_or(&[][..], |route| &route.policies);
    policies(&mut text, told, planned);
    if let Some(identity) = &told.identity {
        line(
            &mut text,
            "caller",
            &format!("{} with roles [{}]", identity.consumer, identity.roles.join(", ")),
        );
    }
    for (index, said) in told.traffic.iter().enumerate() {
        line(&mut text, if index == 0 { "traffic" } else { "" }, said);
    }
    end(&mut text, pipeline, &told.end);
    text
}

fn policies(text: &mut String, told: &Explanation, planned: &[PlannedPolicy]) {
    for (index, planned) in planned.iter().enumerate() {
        let label = if index == 0 { "policies" } else { "" };
        let from = format!("{} {}", planned.scope, planned.span);
        let name = planned.policy.name();
        let Some(step) = told.steps.get(index) else {
            let _ = writeln!(text, "{label:<10}{name:<11} not reached   ({from})");
            continue;
        };
        let decision = match &step.decision {
            Decision::Continue => "passed".to_owned(),
            Decision::LetPass(LetPass::Known) => "passed: it knows the caller".to_owned(),
            Decision::LetPass(LetPass::Assumed) => {
                "passed: no way knows the caller, who is taken for the one below".to_owned()
            }
            Decision::LetPass(LetPass::LeftToNext(fault)) => format!("left to the next way: {fault}"),
            Decision::LetPass(LetPass::NotAsked) => {
                "not asked: the caller is known, or need not be".to_owned()
            }
            Decision::Answer(status) => format!("answered {status}"),
            Decision::Refuse(fault) if is_undecided(fault) => {
                "not decided: it depends on somebody who is not asked for an explanation".to_owned()
            }
            Decision::Refuse(fault) if fault.status() < 400 => {
                format!("answered {}: {fault}", fault.status())
            }
            Decision::Refuse(fault) => format!("refused with {}: {fault}", fault.status()),
        };
        let _ = writeln!(text, "{label:<10}{name:<11} {decision}   ({from})");
        let _ = writeln!(text, "{:<10}{:<12}asks for {}", "", "", step.asks);
    }
}

fn end(text: &mut String, pipeline: &Pipeline, end: &End) {
    let (label, rest, fields) = match end {
        End::Refuse(fault) if is_undecided(fault) => {
            let rest = format!("not decided; {} {} without an answer", fault.status(), fault.reason.label());
            ("answer", rest, Vec::new())
        }
        End::Refuse(fault) => {
            let fields = fault.fields().iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
            ("answer", format!("{} {}", fault.status(), fault.reason.label()), fields.collect())
        }
        End::Answer { status, fields } => ("answer", status.to_string(), fields.clone()),
        End::Forward { upstream, target, fields } => {
            let service = pipeline.upstreams.get(*upstream);
            let name = service.map_or("?", |service| &*service.name);
            let endpoints: Vec<&str> = service
                .map(|service| service.endpoints.iter().map(|endpoint| endpoint.authority.as_str()).collect())
                .unwrap_or_default();
            let rest = format!("to {name} as {target}, at one of {}", endpoints.join(", "));
            ("forward", rest, fields.clone())
        }
    };
    let _ = writeln!(text, "{label:<10}{rest}");
    for (name, value) in fields {
        let secret = SECRET_FIELDS.contains(&name.to_ascii_lowercase().as_str());
        let _ = writeln!(text, "{:<10}{name}: {}", "", if secret { "***" } else { &value });
    }
}
