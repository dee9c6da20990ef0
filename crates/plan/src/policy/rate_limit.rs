//! `rate_limit` and `rate_limits` in the plan.

mod budget;
mod keys;
mod sharing;
mod windows;

use std::num::NonZeroU32;
use std::sync::Arc;

use torana_config::written::{
    CostForm, LimitHeaders, LimitKey, LimitKeyForm, MissingKey, RateLimitForm, StoreFailure, WindowKind,
};
use torana_config::{Document, Finding, Path, Resolver};
use torana_expression::Expression;
use torana_types::Rate;

use super::PolicyPlan;
use crate::report::Report;
use crate::text;
use keys::{expressions, key_paths, keys};

/// Callers make only so many requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RateLimitPlan {
    /// What the counters are keyed by over reloads: the scope and its name, such as `global`,
    /// `service/users` or `route/GET /x`, and after `#` the limit's own name if it has one. Routes with the
    /// same identifier count together.
    pub id: Arc<str>,
    /// The rates, decided together; none where only [`RateLimitPlan::concurrency`] counts.
    pub windows: Vec<WindowPlan>,
    /// How many requests may be under way at the same time.
    pub concurrency: Option<NonZeroU32>,
    /// Who is counted: every part together; at least one.
    pub by: Vec<KeyPart>,
    /// Whether a caller was named as such, so that without any the limit does not do what it seems to.
    pub expects_caller: bool,
    /// What happens to a request that lacks a part.
    pub missing: MissingKey,
    /// How many leading bits of an IPv6 address make a client; at most 128.
    pub ipv6_prefix: u8,
    /// What a request takes.
    pub cost: CostPlan,
    /// Whether refused requests take something too.
    pub count_refused: bool,
    /// How it is counted together with other gateways; `None` is here alone.
    pub sharing: Option<SharingPlan>,
    /// What is counted here alone is this part of the limit.
    pub parts: NonZeroU32,
    /// Whether requests are counted only.
    pub shadow: bool,
    /// What callers are told.
    pub headers: LimitHeaders,
    /// How many callers are remembered.
    pub max_keys: NonZeroU32,
}

/// How a limit is counted together with other gateways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SharingPlan {
    /// Whether permits are taken in batches; else the store is asked for every request.
    pub leased: bool,
    /// What happens while the store does not answer.
    pub on_failure: StoreFailure,
    /// Changes with anything about the store.
    pub store: u64,
}

/// A rate and how its period is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WindowPlan {
    /// How many requests in what period.
    pub rate: Rate,
    /// How many may come at once; as many as the limit where the window is not `steady`.
    pub burst: NonZeroU32,
    /// How the period is meant; `fixed` for months and years.
    pub kind: WindowKind,
}

/// A part of who is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyPart {
    /// The consumer, and the client address of whoever has none or stands in for those without credentials.
    ConsumerOrAddress,
    /// The consumer.
    Consumer,
    /// The credential that was shown.
    Credential,
    /// The first group of the consumer.
    Group,
    /// The client address.
    Address,
    /// The route.
    Route,
    /// The service.
    Service,
    /// Everybody.
    Everybody,
    /// The value of a request field.
    Header(Arc<str>),
    /// A claim of the credential.
    Claim(Arc<str>),
    /// Everybody who asks for this path.
    Path(Arc<str>),
    /// What stands in the path where the route's pattern has this name.
    Parameter(Arc<str>),
    /// The value of an expression, a text.
    Expression(Expression),
}

/// What a request takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CostPlan {
    /// Where nothing else is said.
    pub default: NonZeroU32,
    /// The request field that says it.
    pub request_header: Option<Arc<str>>,
    /// The response field that says what it has been.
    pub response_header: Option<Arc<str>>,
    /// The most that can be said.
    pub most: NonZeroU32,
}

impl RateLimitPlan {
    /// The least that any window lets through, in its period or at once; `None` without windows.
    #[must_use]
    pub fn smallest(&self) -> Option<NonZeroU32> {
        self.windows.iter().map(|window| window.rate.limit().min(window.burst)).min()
    }

    /// Whether the limit needs no caller, and so can come before credentials are looked at.
    #[must_use]
    pub fn needs_no_caller(&self) -> bool {
        let by_caller = |part: &KeyPart| match part {
            KeyPart::Expression(expression) => expression.asks_who_calls(),
            part => {
                use KeyPart::{Claim, Consumer, ConsumerOrAddress, Credential, Group};
                matches!(part, ConsumerOrAddress | Consumer | Credential | Group | Claim(_))
            }
        };
        !self.by.iter().any(by_caller)
    }
}

/// Plans the policy that is written at `path`; `id` is what its counters are keyed by.
pub(crate) fn plan(
    document: &Document,
    path: &Path,
    id: &str,
    form: &RateLimitForm,
    resolver: &dyn Resolver,
    findings: &mut Vec<Finding>,
) -> PolicyPlan {
    let config = form.config();
    let report = &mut Report { document, findings };
    let windows = windows::plan(path, form, &config, report);
    if windows.is_empty() && config.concurrency.is_none() {
        let help = "write `limit: 100/minute`, or `concurrency: 10`";
        report.error(path, "no-limit", "nothing is limited here", help);
    }
    if config.ipv6_prefix.get() > 128 {
        let help = "a client is usually a /64";
        report.error(&path.key("ipv6_prefix"), "bad-value", "an IPv6 address has 128 bits", help);
    }
    let expressions = expressions(document, path, &config, report.findings);
    let by = keys(path, &config, expressions, report);
    let cost = cost(&config.cost);
    let fields = [("request_header", &cost.request_header), ("response_header", &cost.response_header)];
    for (key, name) in fields {
        if let Some(name) = name {
            text::field_name(document, &path.key("cost").key(key), name, report.findings);
        }
    }
    for (part, place) in by.iter().zip(key_paths(path, &config)) {
        if let KeyPart::Header(name) = part {
            text::token(document, &place.key("header"), name, "the name of a field", report.findings);
        }
    }
    let or_address = |form: &LimitKeyForm| matches!(form, LimitKeyForm::Word(LimitKey::ConsumerOrAddress));
    let mut plan = RateLimitPlan {
        id: id.into(),
        windows,
        concurrency: config.concurrency,
        by,
        expects_caller: false,
        missing: config.missing,
        ipv6_prefix: config.ipv6_prefix.get().min(128),
        cost,
        count_refused: config.count_refused,
        sharing: None,
        parts: NonZeroU32::MIN,
        shadow: config.shadow,
        headers: config.headers,
        max_keys: config.max_keys,
    };
    plan.expects_caller = !plan.needs_no_caller() && !config.by.as_slice().iter().any(or_address);
    sharing::share(path, &config, &mut plan, resolver, report);
    let place = match config.cost {
        CostForm::Requests(_) => path.key("cost"),
        CostForm::Said(_) => path.key("cost").key("default"),
    };
    findings.extend(cost_above_limit(&plan).map(|finding| finding.at(document.span_at(&place))));
    PolicyPlan::RateLimit(Arc::new(plan))
}

/// What a request takes by default, where it is more than there ever is at once.
fn cost_above_limit(plan: &RateLimitPlan) -> Option<Finding> {
    let largest = plan.largest()?;
    let cost = plan.cost.default.get();
    let burst = plan.windows.iter().map(|window| u64::from(window.burst.get())).min()?;
    let (how, help) = match plan.sharing {
        Some(sharing) if sharing.leased && largest < burst => {
            (" where permits are leased", ", or write `mode: exact`")
        }
        None if plan.parts.get() > 1 => (" as the share of each gateway", ""),
        _ => ("", ""),
    };
    let message = format!("a request costs {cost}, but at most {largest} pass at once{how}");
    let finding = match plan.cost.request_header {
        Some(_) => Finding::warning("cost-above-limit", format!("{message}: without the field none passes")),
        None => Finding::error("cost-above-limit", format!("{message}: no request could pass")),
    };
    let help = format!("raise the limit or its burst, or lower the cost{help}");
    (u64::from(cost) > largest).then(|| finding.help(help))
}

fn cost(form: &CostForm) -> CostPlan {
    match form {
        CostForm::Requests(cost) => {
            CostPlan { default: *cost, request_header: None, response_header: None, most: *cost }
        }
        CostForm::Said(said) => CostPlan {
            default: said.default,
            request_header: said.request_header.as_deref().map(Into::into),
            response_header: said.response_header.as_deref().map(Into::into),
            most: said.most.max(said.default),
        },
    }
}
