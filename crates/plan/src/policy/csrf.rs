//! `csrf` in the plan.

use std::sync::Arc;

use torana_config::written::{CsrfConfig, Defaulted};
use torana_config::{Document, Finding, Path};

use super::PolicyPlan;
use super::cors::{OriginPattern, origin};
use crate::text;

/// Refuses what another site made a browser send.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CsrfPlan {
    /// Other origins that may.
    pub allow_origins: Vec<OriginPattern>,
    /// Whether sites of the same registrable domain may.
    pub allow_same_site: bool,
    /// Methods that change nothing.
    pub safe_methods: Vec<String>,
}

/// Plans the policy that is written at `path`.
pub(crate) fn plan(
    document: &Document,
    path: &Path,
    form: &Defaulted<CsrfConfig>,
    findings: &mut Vec<Finding>,
) -> PolicyPlan {
    let config = form.config();
    let mut allow_origins = Vec::with_capacity(config.allow_origins.len());
    for (index, written) in config.allow_origins.iter().enumerate() {
        let place = document.span_at(&path.key("allow_origins").index(index));
        match origin(written) {
            Ok(OriginPattern::Any) => {
                let finding = Finding::error("bad-origin", "with `*` every site may, and nothing is refused");
                findings.push(finding.at(place).help("write `csrf: off`"));
            }
            Ok(pattern) => allow_origins.push(pattern),
            Err((message, help)) => {
                findings.push(Finding::error("bad-origin", message).at(place).maybe_help(help));
            }
        }
    }
    let mut safe_methods: Vec<String> = ["GET", "HEAD", "OPTIONS"].map(str::to_owned).to_vec();
    for (index, method) in config.safe_methods.iter().enumerate() {
        if let Some((message, help)) = text::method_problem(method) {
            let place = document.span_at(&path.key("safe_methods").index(index));
            findings.push(Finding::error("bad-method", message).at(place).maybe_help(help));
        }
        safe_methods.push(method.clone());
    }
    PolicyPlan::Csrf(Arc::new(CsrfPlan {
        allow_origins,
        allow_same_site: config.allow_same_site,
        safe_methods,
    }))
}
