//! How a limit is counted together with other gateways.

use super::{RateLimitPlan, SharingPlan, WindowPlan};
use crate::report::Report;
use std::num::NonZeroU32;
use torana_config::written::{LimitMode, RateLimitConfig, StoreFailure, WindowKind};
use torana_config::{Finding, Path, Resolver};

/// Plans it.
pub(super) fn share(
    path: &Path,
    config: &RateLimitConfig,
    plan: &mut RateLimitPlan,
    resolver: &dyn Resolver,
    report: &mut Report<'_>,
) {
    if report.document.config().store.config().is_none() {
        alone(path, config, report);
        return;
    }
    // What is wrong with the store itself is told where it stands.
    let Some(store) = crate::store::plan(report.document, resolver, &mut Vec::new()) else { return };
    plan.parts = store.gateways;
    let too_small = plan.smallest().filter(|smallest| *smallest < store.gateways);
    let too_small = too_small.map(|smallest| Shared { smallest, gateways: store.gateways });
    if config.mode == Some(LimitMode::Local) || plan.windows.is_empty() {
        local(path, config, too_small, report);
        return;
    }
    let leased = config.mode != Some(LimitMode::Exact);
    if leased && config.count_refused {
        let message = "a lease cannot charge what it refuses without asking";
        report.error(&path.key("count_refused"), "leased-refusals", message, "write `mode: exact`");
    }
    if plan.windows.iter().any(too_long) {
        let message = "the burst takes too long to come back for a store to count it exactly";
        report.error(&path.key("limit"), "too-long", message, "use a smaller burst or a shorter period");
    }
    let on_failure = config.when_store_fails.unwrap_or(StoreFailure::LocalShare);
    if let Some(shared) = too_small.filter(|_| on_failure == StoreFailure::LocalShare) {
        warn_of_nothing(path, config, shared, report);
    }
    plan.sharing = Some(SharingPlan { leased, on_failure, store: store.fingerprint() });
}

/// A limit that has less than one request for each gateway.
#[derive(Clone, Copy)]
struct Shared {
    smallest: NonZeroU32,
    gateways: NonZeroU32,
}

/// There is no store.
fn alone(path: &Path, config: &RateLimitConfig, report: &mut Report<'_>) {
    let help = "write `store: redis://...` at the top, or leave this out";
    if matches!(config.mode, Some(LimitMode::Exact | LimitMode::Leased)) {
        let message = "limits are counted in the memory of this gateway alone";
        report.error(&path.key("mode"), "no-store", message, help);
    }
    if config.when_store_fails.is_some() {
        let message = "the memory of this gateway does not fail";
        report.error(&path.key("when_store_fails"), "no-store", message, help);
    }
}

/// Each gateway counts its share alone.
fn local(path: &Path, config: &RateLimitConfig, too_small: Option<Shared>, report: &mut Report<'_>) {
    if let Some(Shared { smallest, gateways }) = too_small {
        let message =
            format!("the share of each of {gateways} gateways would be less than one request, of {smallest}");
        let help = "count `leased` or `exact`, or raise the limit and its burst";
        report.error(&path.key("mode"), "share-of-nothing", message, help);
    }
    if config.when_store_fails.is_some() {
        let help = "leave it out, or count `leased` or `exact`";
        report.error(&path.key("when_store_fails"), "no-store", "this limit does not ask the store", help);
    }
}

/// While the store does not answer nothing passes.
fn warn_of_nothing(path: &Path, config: &RateLimitConfig, shared: Shared, report: &mut Report<'_>) {
    let Shared { smallest, gateways } = shared;
    let message = format!(
        "the share of each of {gateways} gateways is less than one request, of {smallest}: while the store does not answer all are refused"
    );
    let place = if config.when_store_fails.is_some() { path.key("when_store_fails") } else { path.clone() };
    let finding = Finding::warning("share-of-nothing", message).at(report.document.span_at(&place));
    report.findings.push(finding.help("write `when_store_fails: closed`, which is the same, or `open`"));
}

/// Whether the burst takes more than 2^51 microseconds (71 years) to come back: a store counts in doubles.
fn too_long(window: &WindowPlan) -> bool {
    let micros = u128::from(window.rate.period().at_least().as_millis()).saturating_mul(1_000);
    let whole = micros.saturating_mul(u128::from(window.burst.get()));
    let limit = u128::from(window.rate.limit().get());
    window.kind == WindowKind::Steady && whole.checked_div(limit).is_some_and(|whole| whole >= 1 << 51)
}
