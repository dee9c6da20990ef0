//! From the written form to the plan: plain data with every default filled, every reference between
//! parts resolved, the order of policies fixed, and everything that is wrong or odd listed.
//!
//! `check`, `run` and a reload all go through [`load`], so that what one accepts the others do too.
//!
//! Not here: reading text (the configuration crate) and preparing what serves requests (the proxy).

#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "tests may overflow loudly"))]

mod admission;
mod balance;
mod build;
mod consumers;
mod escapes;
mod fingerprint;
mod lint;
mod order;
mod plan;
mod policy;
mod report;
pub mod reserved;
mod resilience;
mod store;
mod text;
mod tls;
mod traffic;

pub use balance::{BalanceAlgorithm, BalancePlan, HashKeyPlan, StickyPlan, ZonePlan};
pub use order::{ORDER, Phase};
pub use plan::{Action, EndpointPlan, HostHeader, Plan, RoutePlan, ServicePlan, Settings, UpstreamTimeouts};
pub use policy::{
    AclPlan, AllowIfPlan, Asked, AskedPlan, AuthenticationGroup, AuthenticationPlan, BasicAuthPlan,
    BotDetectionPlan, ConsumerKeysPlan, CorsPlan, CostPlan, CsrfPlan, DISCOVERY, ForwardAuthPlan,
    HmacAuthPlan, IpRestrictionPlan, IssuerPlan, JwtPlan, KeyAuthPlan, KeyPart, KeyPlan, KeysPlan, MintPlan,
    MtlsAuthPlan, OAuth2IntrospectionPlan, OidcLoginPlan, OriginPattern, PlannedPolicy, PolicyPlan,
    ProviderPlan, RateLimitPlan, RemoteKeysPlan, RequestSizePlan, RequiredHeadersPlan, RequiredValue,
    RoleSource, RolesPlan, RulePlan, Scope, SecurityHeadersPlan, SharingPlan, SigV4Plan, TargetPiece,
    TargetPlan, TerminateAnswer, TerminatePlan, UpstreamTokenPlan, WindowPlan, is_neutral,
};
pub use resilience::{BreakerPlan, FallbackPlan, HealthPlan, ProbeTlsPlan, ProbesPlan, StalePlan};
pub use store::{StoreArrangement, StorePlace, StorePlan};
pub use tls::{ClientAuthPlan, ListenerPlan, ListenerTlsPlan, UpstreamTlsPlan, VerificationPlan};
pub use traffic::{MirrorPlan, SplitArmPlan, SplitPlan, TrafficPlan};

use std::sync::Arc;

use torana_config::{Document, Finding, Resolver, Severity, Source, has_errors};
use torana_credential::directory::{Consumers, Directory};

/// What loading a configuration gave.
#[derive(Debug)]
pub struct Loaded {
    /// The text, for rendering the findings.
    pub source: Source,
    /// The document, when its form is right.
    pub document: Option<Document>,
    /// The plan; `None` exactly when a finding is an error.
    pub plan: Option<Plan>,
    /// All findings, in the order of the file.
    pub findings: Vec<Finding>,
}

/// Reads, checks and plans a configuration. This is the one way in.
///
/// `name` is what findings call the source, usually the path of the file.
#[must_use]
pub fn load(name: &str, text: &str, resolver: &dyn Resolver) -> Loaded {
    load_with(name, text, resolver, None)
}

/// The same as a change of what is in force: policies look consumers up where those of the plan before do.
/// What is looked up there changes with [`Consumers::commit`], not before.
#[must_use]
pub fn load_with(
    name: &str,
    text: &str,
    resolver: &dyn Resolver,
    consumers: Option<&Arc<Consumers>>,
) -> Loaded {
    let parsed = torana_config::parse(name, text, resolver);
    let mut findings = parsed.findings;
    let mut planned = None;
    if let Some(document) = &parsed.document {
        let (made, more) = plan_with(document, resolver, consumers);
        findings.extend(more);
        planned = made;
    } else if let Some(salvaged) = &parsed.salvaged {
        let (_, more) = plan(salvaged, resolver);
        let whole = |finding: &Finding| !finding.span.as_ref().is_some_and(|span| salvaged.lacks_parts(span));
        findings.extend(more.into_iter().filter(holds_of_a_part).filter(whole));
    }
    // Those of other files come last, each file for itself.
    findings.sort_by_key(|finding| {
        let span = finding.span.as_ref()?;
        let other = (*span.file != *name).then(|| (Arc::clone(&span.file), span.line));
        Some((other, span.start))
    });
    Loaded { source: parsed.source, document: parsed.document, plan: planned, findings }
}

/// Whether a finding about a part of a file is one about the whole: what may only be so because something
/// was taken out is not said.
fn holds_of_a_part(finding: &Finding) -> bool {
    const ONLY_OF_THE_WHOLE: &[&str] = &[
        "acl-without-authentication",
        "ambiguous-route",
        "contradiction",
        "bad-prefix",
        "duplicate-route",
        "no-action",
        "no-key",
        "no-service",
        "roles-without-authentication",
        "unknown-service",
    ];
    finding.severity == Severity::Error && !ONLY_OF_THE_WHOLE.contains(&finding.code)
}

/// Plans a document; files that it names are read by `resolver`. The plan is `None` exactly when a finding is an error.
#[must_use]
pub fn plan(document: &Document, resolver: &dyn Resolver) -> (Option<Plan>, Vec<Finding>) {
    plan_with(document, resolver, None)
}

fn plan_with(
    document: &Document,
    resolver: &dyn Resolver,
    before: Option<&Arc<Consumers>>,
) -> (Option<Plan>, Vec<Finding>) {
    let mut findings = Vec::new();
    let directory = consumers::read(document, resolver, &mut findings);
    let complete = !has_errors(&findings);
    let consumers = match before {
        Some(before) => {
            before.plan(directory);
            Arc::clone(before)
        }
        None => Arc::new(Consumers::new(directory)),
    };
    let plan = build::build(document, &consumers, resolver, &mut findings);
    lint::lint(document, &plan, &mut findings);
    if !complete {
        // Who is missing may be one with a mistake.
        findings.retain(|finding| !matches!(finding.code, "no-consumers" | "unknown-consumer"));
    }
    let plan = (!has_errors(&findings)).then_some(plan);
    (plan, findings)
}

/// Reads the consumers of a document and of the files that it names anew, and nothing else.
///
/// Beside them stands what is wrong or odd about them; when an error is among it, nothing of them is to be used.
#[must_use]
pub fn consumers(document: &Document, resolver: &dyn Resolver) -> (Option<Arc<Directory>>, Vec<Finding>) {
    let mut findings = Vec::new();
    let directory = consumers::read(document, resolver, &mut findings);
    ((!has_errors(&findings)).then_some(directory), findings)
}
