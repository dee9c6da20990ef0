//! For whom and for how long an answer may be given.

use std::time::Duration;

/// Who may get an answer that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Whoever may ask.
    Everybody,
    /// Whoever shows nobody: an answer to nobody in particular.
    Strangers,
}

impl Audience {
    /// Whether a request may get it that shows who calls, or does not.
    #[must_use]
    pub const fn admits(self, shows_somebody: bool) -> bool {
        matches!(self, Self::Everybody) || !shows_somebody
    }
}

/// When an answer came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// When it was asked for, since some fixed moment.
    pub asked: Duration,
    /// How long it then took.
    pub delay: Duration,
    /// When it came, in seconds since 1970-01-01 UTC.
    pub unix_seconds: u64,
}

/// On which terms an answer is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Who may get it.
    pub audience: Audience,
    /// How long it is fresh.
    pub lifetime: Duration,
    /// How long it may be given past that.
    pub grace: Duration,
    /// How old it was when it was asked for, at least.
    pub age: Duration,
    /// When it was asked for, since the same moment as [`Received::asked`].
    pub since: Duration,
}

/// How an answer stands at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How old it is.
    pub age: Duration,
    /// How many seconds it will be fresh; below zero, for how long it has not been.
    pub ttl: i64,
}

impl Terms {
    /// How it stands at that moment; nothing once it may not be given any more.
    #[must_use]
    pub fn standing(&self, now: Duration) -> Option<Standing> {
        let age = self.age.saturating_add(now.saturating_sub(self.since));
        if age > self.lifetime.saturating_add(self.grace) {
            return None;
        }
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        Some(Standing { age, ttl: seconds(self.lifetime).saturating_sub(seconds(age)) })
    }
}
