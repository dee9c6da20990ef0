//! `rate_limit` and `rate_limits` in the plan.

mod budget;
mod keys;

use std::num::NonZeroU32;
use std::sync::Arc;

use torana_config::written::{
    CostForm, LimitHeaders, LimitKey, LimitKeyForm, LimitMode, MissingKey, RateLimitConfig, RateLimitForm,
    StoreFailure, WindowConfig, WindowKind,
};
use torana_config::{Document, Finding, Path, Resolver};
use torana_expression::Expression;
use torana_types::{Rate, RatePeriod, TimeSpan};

use super::PolicyPlan;
use crate::text;
use keys::{expressions, key_paths, keys};

/// The most windows that are decided together.
const MOST_WINDOWS: usize = 8;
const DAY: TimeSpan = TimeSpan::from_secs(86_400);

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
    let mut find = |path: &Path, code: &'static str, message: &str, help: &str| {
        findings
            .push(Finding::error(code, message.to_owned()).at(document.span_at(path)).help(help.to_owned()));
    };
    let windows = windows(path, form, &config, &mut find);
    if windows.is_empty() && config.concurrency.is_none() {
        find(path, "no-limit", "nothing is limited here", "write `limit: 100/minute`, or `concurrency: 10`");
    }
    if config.ipv6_prefix.get() > 128 {
        let help = "a client is usually a /64";
        find(&path.key("ipv6_prefix"), "bad-value", "an IPv6 address has 128 bits", help);
    }
    let expressions = expressions(document, path, &config, findings);
    let mut find = |path: &Path, code: &'static str, message: &str, help: &str| {
        findings
            .push(Finding::error(code, message.to_owned()).at(document.span_at(path)).help(help.to_owned()));
    };
    let by = keys(path, &config, expressions, &mut find);
    let cost = cost(&config.cost);
    let fields = [("request_header", &cost.request_header), ("response_header", &cost.response_header)];
    for (key, name) in fields {
        if let Some(name) = name {
            text::field_name(document, &path.key("cost").key(key), name, findings);
        }
    }
    for (part, place) in by.iter().zip(key_paths(path, &config)) {
        if let KeyPart::Header(name) = part {
            text::token(document, &place.key("header"), name, "the name of a field", findings);
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
    share(document, path, &config, &mut plan, resolver, findings);
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

/// Plans how the limit is counted together with other gateways.
fn share(
    document: &Document,
    path: &Path,
    config: &RateLimitConfig,
    plan: &mut RateLimitPlan,
    resolver: &dyn Resolver,
    findings: &mut Vec<Finding>,
) {
    let mut find = |key: &str, code: &'static str, message: &str, help: &str| {
        let place = document.span_at(&path.key(key));
        findings.push(Finding::error(code, message.to_owned()).at(place).help(help.to_owned()));
    };
    let help = "write `store: redis://...` at the top, or leave this out";
    if document.config().store.config().is_none() {
        if matches!(config.mode, Some(LimitMode::Exact | LimitMode::Leased)) {
            find("mode", "no-store", "limits are counted in the memory of this gateway alone", help);
        }
        if config.when_store_fails.is_some() {
            find("when_store_fails", "no-store", "the memory of this gateway does not fail", help);
        }
        return;
    }
    // What is wrong with the store itself is told where it stands.
    let Some(store) = crate::store::plan(document, resolver, &mut Vec::new()) else { return };
    plan.parts = store.gateways;
    let too_small = plan.smallest().filter(|smallest| *smallest < store.gateways);
    if config.mode == Some(LimitMode::Local) || plan.windows.is_empty() {
        if let Some(smallest) = too_small {
            let gateways = store.gateways;
            let message = format!(
                "the share of each of {gateways} gateways would be less than one request, of {smallest}"
            );
            find(
                "mode",
                "share-of-nothing",
                &message,
                "count `leased` or `exact`, or raise the limit and its burst",
            );
        }
        if config.when_store_fails.is_some() {
            let help = "leave it out, or count `leased` or `exact`";
            find("when_store_fails", "no-store", "this limit does not ask the store", help);
        }
        return;
    }
    let leased = config.mode != Some(LimitMode::Exact);
    if leased && config.count_refused {
        let help = "write `mode: exact`";
        find(
            "count_refused",
            "leased-refusals",
            "a lease cannot charge what it refuses without asking",
            help,
        );
    }
    if plan.windows.iter().any(too_long) {
        let help = "use a smaller burst or a shorter period";
        find(
            "limit",
            "too-long",
            "the burst takes too long to come back for a store to count it exactly",
            help,
        );
    }
    let on_failure = config.when_store_fails.unwrap_or(StoreFailure::LocalShare);
    if let Some(smallest) = too_small.filter(|_| on_failure == StoreFailure::LocalShare) {
        let gateways = store.gateways;
        let message = format!(
            "the share of each of {gateways} gateways is less than one request, of {smallest}: while the store does not answer all are refused"
        );
        let place =
            if config.when_store_fails.is_some() { path.key("when_store_fails") } else { path.clone() };
        let finding = Finding::warning("share-of-nothing", message).at(document.span_at(&place));
        findings.push(finding.help("write `when_store_fails: closed`, which is the same, or `open`"));
    }
    plan.sharing = Some(SharingPlan { leased, on_failure, store: store.fingerprint() });
}

/// Whether the burst takes more than 2^51 microseconds (71 years) to come back: a store counts in doubles.
fn too_long(window: &WindowPlan) -> bool {
    let micros = u128::from(window.rate.period().at_least().as_millis()).saturating_mul(1_000);
    let whole = micros.saturating_mul(u128::from(window.burst.get()));
    let limit = u128::from(window.rate.limit().get());
    window.kind == WindowKind::Steady && whole.checked_div(limit).is_some_and(|whole| whole >= 1 << 51)
}

type Find<'a> = &'a mut dyn FnMut(&Path, &'static str, &str, &str);

fn windows(path: &Path, form: &RateLimitForm, config: &RateLimitConfig, find: Find<'_>) -> Vec<WindowPlan> {
    let whole = if matches!(form, RateLimitForm::Full(_)) { path.key("limit") } else { path.clone() };
    let written = config.limit.as_ref().map_or(&[][..], |limits| limits.as_slice());
    let many = written.len() > 1;
    if written.len() > MOST_WINDOWS {
        let help = "write several limits under `rate_limits`";
        find(&whole, "too-many-windows", "at most 8 rates are decided together", help);
    }
    let mut windows: Vec<WindowPlan> = Vec::new();
    for (index, written) in written.iter().enumerate() {
        let place = if many { whole.index(index) } else { whole.clone() };
        let window = window(&place, written.config(), config, find);
        let same = |other: &WindowPlan| other.rate.period() == window.rate.period();
        if windows.iter().any(|other| same(other) && other.kind == window.kind) {
            let help = "keep the smaller one";
            find(&place, "duplicate-window", "there is a rate for this period already", help);
        }
        windows.push(window);
    }
    longer_is_not_less(&whole, &windows, find);
    windows
}

fn window(place: &Path, written: WindowConfig, config: &RateLimitConfig, find: Find<'_>) -> WindowPlan {
    let calendar = !matches!(written.rate.period(), RatePeriod::Span(_));
    let long = match written.rate.period() {
        RatePeriod::Span(span) => span >= DAY,
        RatePeriod::Month | RatePeriod::Year => true,
    };
    let own = written.window.or(config.window);
    let kind = own.unwrap_or(if long { WindowKind::Fixed } else { WindowKind::Steady });
    if calendar && kind != WindowKind::Fixed {
        let help = "write `window: fixed`, or count in days, such as `1000/30d`";
        find(
            place,
            "calendar-window",
            "months and years are of different lengths: only fixed windows count by them",
            help,
        );
    }
    if written.burst.is_some() && kind != WindowKind::Steady {
        let help = "leave `burst` out, or write `window: steady`";
        find(place, "burst-without-pace", "only a steady pace has a burst", help);
    }
    let burst = written.burst.or(config.burst).filter(|_| kind == WindowKind::Steady);
    WindowPlan { rate: written.rate, burst: burst.unwrap_or(written.rate.limit()), kind }
}

/// A longer period with a lower limit makes the shorter one meaningless, and is a slip of the pen.
fn longer_is_not_less(place: &Path, windows: &[WindowPlan], find: Find<'_>) {
    for one in windows {
        let longer = |other: &&WindowPlan| other.rate.period().at_least() > one.rate.period().at_least();
        if let Some(other) = windows.iter().filter(longer).find(|other| other.rate.limit() < one.rate.limit())
        {
            let message = format!("{} allows less than {} does in a shorter time", other.rate, one.rate);
            find(place, "longer-is-less", &message, "the limit of a longer period is the larger one");
        }
    }
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
