//! `required_headers` in the plan.

use std::sync::Arc;

use indexmap::IndexMap;
use torana_config::written::{RequiredHeadersForm, ValueCondition, ValueConditionConfig};
use torana_config::{Document, Finding, Path};
use torana_route::AnchoredRegex;

use super::PolicyPlan;
use crate::text;

/// Fields that a request must have; at least one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequiredHeadersPlan {
    /// Each with what its value must be.
    pub fields: Vec<(String, RequiredValue)>,
}

/// What a value must be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RequiredValue {
    /// There, and not empty.
    Some,
    /// Exactly this.
    Exact(String),
    /// Matching this as a whole.
    Regex(AnchoredRegex),
    /// Not there at all.
    Absent,
}

/// Plans the policy that is written at `path`.
pub(crate) fn plan(
    document: &Document,
    path: &Path,
    form: &RequiredHeadersForm,
    findings: &mut Vec<Finding>,
) -> PolicyPlan {
    let fields: Vec<(String, RequiredValue)> = match form {
        RequiredHeadersForm::Names(names) => {
            names.as_slice().iter().map(|name| (name.clone(), RequiredValue::Some)).collect()
        }
        RequiredHeadersForm::Conditions(conditions) => values(document, path, conditions, findings),
    };
    for (name, _) in &fields {
        if !text::is_token(name) {
            let shown = name.escape_debug();
            let finding = Finding::error("bad-name", format!("`{shown}` is not the name of a field"));
            findings.push(finding.at(document.span_at(path)));
        }
    }
    if fields.is_empty() {
        let finding = Finding::error("no-field", "no field is named").at(document.span_at(path));
        findings.push(finding.help("name one, or write `required_headers: off`"));
    }
    PolicyPlan::RequiredHeaders(Arc::new(RequiredHeadersPlan { fields }))
}

fn values(
    document: &Document,
    path: &Path,
    conditions: &IndexMap<String, ValueCondition>,
    findings: &mut Vec<Finding>,
) -> Vec<(String, RequiredValue)> {
    let mut values = Vec::with_capacity(conditions.len());
    for (name, condition) in conditions {
        let place = path.key(name);
        let value = match condition {
            ValueCondition::Exact(exact) => RequiredValue::Exact(exact.clone()),
            ValueCondition::Full(ValueConditionConfig { exact: Some(exact), regex: None, present: None }) => {
                RequiredValue::Exact(exact.clone())
            }
            ValueCondition::Full(ValueConditionConfig { exact: None, regex: Some(regex), present: None }) => {
                match AnchoredRegex::parse(regex) {
                    Ok(regex) => RequiredValue::Regex(regex),
                    Err(error) => {
                        let finding = Finding::error("bad-regex", error.problem.to_string());
                        let place = document.span_at(&place.key("regex"));
                        findings.push(finding.at(place).help(error.problem.help()));
                        continue;
                    }
                }
            }
            ValueCondition::Full(ValueConditionConfig { exact: None, regex: None, present: Some(true) }) => {
                RequiredValue::Some
            }
            ValueCondition::Full(ValueConditionConfig { exact: None, regex: None, present: Some(false) }) => {
                RequiredValue::Absent
            }
            ValueCondition::Full(_) => {
                let message = "a condition has exactly one of `exact`, `regex` and `present`";
                findings.push(Finding::error("bad-condition", message).at(document.span_at(&place)));
                continue;
            }
        };
        values.push((name.clone(), value));
    }
    values
}
