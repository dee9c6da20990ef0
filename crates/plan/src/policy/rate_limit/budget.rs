//! What a planned limit lets through, as the algorithms count it.

use super::{RateLimitPlan, WindowPlan};
use torana_config::written::WindowKind;
use torana_limit::{Budget, FixedWindow, Gcra, LONGEST_HOLD, Period, SlidingWindow, Window};
use torana_types::RatePeriod;

impl RateLimitPlan {
    /// One of so many equal parts of the budget, if there are windows. Where a part would be nothing, one request is: no
    /// plan counts by such parts.
    #[must_use]
    pub fn budget(&self, parts: u32) -> Option<Budget> {
        let mut windows = self.windows.iter().map(|plan| window(plan, parts));
        Some(Budget::new(windows.next()?, windows.collect()))
    }

    /// The most that a request can cost and still pass, as it is counted: leased this may be less than the burst, and
    /// alone it is a part.
    pub(super) fn largest(&self) -> Option<u64> {
        Some(match self.sharing {
            Some(sharing) if sharing.leased => self.budget(1)?.leased(LONGEST_HOLD).largest(),
            Some(_) => self.budget(1)?.largest(),
            None => self.budget(self.parts.get())?.largest(),
        })
    }
}

fn window(plan: &WindowPlan, parts: u32) -> Window {
    let part = |whole: u32| whole.checked_div(parts).unwrap_or(whole).max(1);
    let limit = part(plan.rate.limit().get());
    let span = plan.rate.period().at_least().as_duration();
    match plan.kind {
        WindowKind::Steady => {
            Window::Gcra(Gcra::new(u64::from(limit), span, u64::from(part(plan.burst.get()))))
        }
        WindowKind::Sliding => Window::Sliding(SlidingWindow::new(limit, span)),
        WindowKind::Fixed => {
            let period = match plan.rate.period() {
                RatePeriod::Span(span) => Period::Span(span.as_duration()),
                RatePeriod::Month => Period::Month,
                RatePeriod::Year => Period::Year,
            };
            Window::Fixed(FixedWindow::new(u64::from(limit), period))
        }
    }
}
