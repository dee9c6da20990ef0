//! Rules by path and method. Patterns and their precedence are the router's own, and so are conflicts.

use indexmap::IndexMap;
use torana_config::written::{RuleForm, RuleWord};
use torana_config::{Document, Finding, Path};
use torana_route::{PathPattern, RouteFinding, RouteSpec, analyze};

use crate::{escapes, text};

/// What a path asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RulePlan {
    /// The pattern as it was written, method and path.
    pub text: String,
    /// Methods of which one must be the request's; any when empty.
    pub methods: Vec<Box<str>>,
    /// The path, without a slash at its end.
    pub path: PathPattern,
    /// What is asked.
    pub asked: Asked,
}

/// What a rule asks of a caller.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Asked {
    /// One of these; no condition when empty.
    pub any: Vec<String>,
    /// All of these.
    pub all: Vec<String>,
    /// None of these, whatever more specific rules say.
    pub deny: Vec<String>,
    /// Nobody passes.
    pub nobody: bool,
}

impl RulePlan {
    /// As the router sees it.
    #[must_use]
    pub fn spec(&self) -> RouteSpec {
        RouteSpec { methods: self.methods.clone(), ..RouteSpec::new(self.path.clone()) }
    }
}

pub(super) fn rules(
    document: &Document,
    path: &Path,
    written: &IndexMap<String, RuleForm>,
    findings: &mut Vec<Finding>,
) -> Vec<RulePlan> {
    let mut rules = Vec::with_capacity(written.len());
    for (pattern, form) in written {
        let asked = asked(form);
        let place = path.key(pattern);
        if [&asked.any, &asked.all, &asked.deny].into_iter().flatten().any(String::is_empty) {
            let finding = Finding::error("empty-roles", "a role has an empty name");
            findings.push(finding.at(document.span_at(&place)));
        }
        if asked == Asked::default() && !matches!(form, RuleForm::Word(_)) {
            let finding = Finding::error("empty-roles", "no role is named");
            let help = "name a role, or write `anyone` for every caller who is known, or `deny` for nobody";
            findings.push(finding.at(document.key_span_at(&place)).help(help));
        }
        if let Some((methods, path)) = read(document, &place, pattern, findings) {
            rules.push(RulePlan { text: pattern.clone(), methods, path, asked });
        }
    }
    conflicts(document, path, &rules, findings);
    rules
}

fn asked(form: &RuleForm) -> Asked {
    match form {
        RuleForm::Word(RuleWord::Deny) => Asked { nobody: true, ..Asked::default() },
        RuleForm::Word(RuleWord::Anyone) => Asked::default(),
        RuleForm::Any(any) => Asked { any: any.as_slice().to_vec(), ..Asked::default() },
        RuleForm::Full(config) => Asked {
            any: config.any.clone(),
            all: config.all.clone(),
            deny: config.deny.clone(),
            nobody: false,
        },
    }
}

/// `/path`, `GET /path`, `PUT,PATCH /path`.
fn read(
    document: &Document,
    place: &Path,
    pattern: &str,
    findings: &mut Vec<Finding>,
) -> Option<(Vec<Box<str>>, PathPattern)> {
    let (methods, path) = match pattern.split_once(' ') {
        Some((methods, path)) if !pattern.starts_with(['/', '~']) => (methods, path.trim()),
        _ => ("", pattern),
    };
    let span = || document.key_span_at(place);
    let mut named: Vec<Box<str>> = Vec::new();
    for method in methods.split(',').map(str::trim).filter(|method| !method.is_empty()) {
        if let Some((message, help)) = text::method_problem(method) {
            findings.push(Finding::error("bad-method", message).at(span()).maybe_help(help));
        }
        named.push(method.into());
    }
    // A path is judged without the slash at its end, so a pattern has none either.
    let plain = match path.strip_suffix('/') {
        Some(rest) if !rest.is_empty() && !path.starts_with('~') => rest,
        _ => path,
    };
    match PathPattern::parse(plain) {
        Ok(path) => {
            escapes::check(document, &span(), &path, findings);
            Some((named, path))
        }
        Err(error) => {
            let finding = Finding::error("bad-path", error.problem.to_string()).at(span());
            findings.push(finding.help(error.problem.help()));
            None
        }
    }
}

fn conflicts(document: &Document, path: &Path, rules: &[RulePlan], findings: &mut Vec<Finding>) {
    let specs: Vec<RouteSpec> = rules.iter().map(RulePlan::spec).collect();
    for finding in analyze(&specs) {
        let RouteFinding::Conflict(conflict) = finding else { continue };
        let (Some(first), Some(second)) = (rules.get(conflict.first), rules.get(conflict.second)) else {
            continue;
        };
        let example = conflict.example.map(|example| format!("{} {}", example.method, example.path));
        let example = example.map(|example| format!(" for `{example}`")).unwrap_or_default();
        let message = format!("this rule is as specific as `{}`{example}", first.text);
        let finding = Finding::error("conflicting-rules", message)
            .at(document.key_span_at(&path.key(&second.text)))
            .related("as specific", Some(document.key_span_at(&path.key(&first.text))));
        findings.push(finding.help("join them to one, or name different methods"));
    }
}
