//! How many requests in what periods.

use super::WindowPlan;
use crate::report::Report;
use torana_config::Path;
use torana_config::written::{RateLimitConfig, RateLimitForm, WindowConfig, WindowKind};
use torana_types::{RatePeriod, TimeSpan};

/// The most windows that are decided together.
const MOST_WINDOWS: usize = 8;
const DAY: TimeSpan = TimeSpan::from_secs(86_400);

/// The rates that are decided together.
pub(super) fn plan(
    path: &Path,
    form: &RateLimitForm,
    config: &RateLimitConfig,
    report: &mut Report<'_>,
) -> Vec<WindowPlan> {
    let whole = if matches!(form, RateLimitForm::Full(_)) { path.key("limit") } else { path.clone() };
    let written = config.limit.as_ref().map_or(&[][..], |limits| limits.as_slice());
    let many = written.len() > 1;
    if written.len() > MOST_WINDOWS {
        let help = "write several limits under `rate_limits`";
        report.error(&whole, "too-many-windows", "at most 8 rates are decided together", help);
    }
    let mut windows: Vec<WindowPlan> = Vec::new();
    for (index, written) in written.iter().enumerate() {
        let place = if many { whole.index(index) } else { whole.clone() };
        let window = window(&place, written.config(), config, report);
        let same = |other: &WindowPlan| other.rate.period() == window.rate.period();
        if windows.iter().any(|other| same(other) && other.kind == window.kind) {
            let help = "keep the smaller one";
            report.error(&place, "duplicate-window", "there is a rate for this period already", help);
        }
        windows.push(window);
    }
    longer_is_not_less(&whole, &windows, report);
    windows
}

fn window(
    place: &Path,
    written: WindowConfig,
    config: &RateLimitConfig,
    report: &mut Report<'_>,
) -> WindowPlan {
    let calendar = !matches!(written.rate.period(), RatePeriod::Span(_));
    let long = match written.rate.period() {
        RatePeriod::Span(span) => span >= DAY,
        RatePeriod::Month | RatePeriod::Year => true,
    };
    let own = written.window.or(config.window);
    let kind = own.unwrap_or(if long { WindowKind::Fixed } else { WindowKind::Steady });
    if calendar && kind != WindowKind::Fixed {
        let help = "write `window: fixed`, or count in days, such as `1000/30d`";
        report.error(
            place,
            "calendar-window",
            "months and years are of different lengths: only fixed windows count by them",
            help,
        );
    }
    if written.burst.is_some() && kind != WindowKind::Steady {
        let help = "leave `burst` out, or write `window: steady`";
        report.error(place, "burst-without-pace", "only a steady pace has a burst", help);
    }
    let burst = written.burst.or(config.burst).filter(|_| kind == WindowKind::Steady);
    WindowPlan { rate: written.rate, burst: burst.unwrap_or(written.rate.limit()), kind }
}

/// A longer period with a lower limit makes the shorter one meaningless, and is a slip of the pen.
fn longer_is_not_less(place: &Path, windows: &[WindowPlan], report: &mut Report<'_>) {
    for one in windows {
        let longer = |other: &&WindowPlan| other.rate.period().at_least() > one.rate.period().at_least();
        if let Some(other) = windows.iter().filter(longer).find(|other| other.rate.limit() < one.rate.limit())
        {
            let message = format!("{} allows less than {} does in a shorter time", other.rate, one.rate);
            report.error(place, "longer-is-less", message, "the limit of a longer period is the larger one");
        }
    }
}
