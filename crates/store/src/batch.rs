//! Questions that are asked together: which of them are one, and what each of those who ask is told.
//!
//! Requests of one caller that cost the same and are there at the same moment are decided as a number: of `n` the
//! first that the limit has room for pass, the others are refused, as if they had been asked one after another at
//! that moment. From how the limit stands after all of them follows how it stood after each, so each is told what it
//! would have been told alone. Whatever else is asked (batches for leases, requests that are charged though they
//! are refused, what is given back) keeps a place of its own in the same command, in the order it came.

use crate::StoreError;
use std::fmt;
use std::time::Duration;
use torana_limit::{Ask, Budget, Grant, Period, Returned, View, Window};

/// Ledgers that one command looks at: the server does nothing else meanwhile, and so many of a limit take it about half
/// a millisecond.
pub(crate) fn most_ledgers(budget: &Budget) -> usize {
    let mut windows = budget.windows();
    match (windows.next(), windows.next()) {
        (Some(Window::Gcra(_)), None) => 64,
        (Some(Window::Fixed(fixed)), None) => match fixed.period() {
            Period::Span(_) => 64,
            Period::Month | Period::Year => 16,
        },
        (_, None) => 8,
        _ => 4,
    }
}

/// What is asked; questions of one form about one limit go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Form {
    /// Permits, as [`Ask`] has it.
    Take { want: u64, least: u64, charge_refused: bool },
    /// What is taken whether or not it is there.
    Charge(u64),
    /// Permits that return.
    Back(Returned),
    /// How a caller stands.
    Look,
}

impl Form {
    pub(crate) const fn take(ask: Ask) -> Self {
        Self::Take { want: ask.want, least: ask.least, charge_refused: ask.charge_refused }
    }

    /// Whether several questions about one ledger are one with a number.
    pub(crate) const fn adds_up(self) -> bool {
        matches!(self, Self::Take { want, least, charge_refused: false } if want == least && want > 0)
    }

    /// The least that is wanted.
    const fn least(self) -> u64 {
        match self {
            Self::Take { least, .. } => least,
            Self::Charge(_) | Self::Back(_) | Self::Look => 1,
        }
    }
}

/// Ledgers, and how many requests ask about each.
#[derive(Default)]
pub(crate) struct Batch {
    entries: Vec<Entry>,
    /// The names of callers, one after another.
    names: Vec<u8>,
}

#[derive(Debug)]
struct Entry {
    kind: u8,
    end: usize,
    count: u64,
}

/// Which of those who ask somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    entry: usize,
    /// How many asked the same before.
    turn: u64,
}

impl Place {
    /// Whether nobody has asked the same before.
    pub(crate) const fn is_first(self) -> bool {
        self.turn == 0
    }
}

impl fmt::Debug for Batch {
    /// Names of callers may be what they show.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Batch({} ledgers)", self.entries.len())
    }
}

impl Batch {
    /// Whether it has this caller.
    pub(crate) fn has(&self, (kind, name): (u8, &[u8])) -> bool {
        self.find(kind, name).is_some()
    }

    /// Adds a question about a caller's ledger; `None` where there is no room for one more ledger.
    pub(crate) fn add(&mut self, form: Form, (kind, name): (u8, &[u8]), most: usize) -> Option<Place> {
        let same = form.adds_up().then(|| self.find(kind, name)).flatten();
        if let Some((index, entry)) = same.and_then(|index| Some((index, self.entries.get_mut(index)?))) {
            let turn = entry.count;
            entry.count = turn.saturating_add(1);
            return Some(Place { entry: index, turn });
        }
        let index = self.entries.len();
        if index >= most {
            return None;
        }
        self.names.extend_from_slice(name);
        self.entries.push(Entry { kind, end: self.names.len(), count: 1 });
        Some(Place { entry: index, turn: 0 })
    }

    fn find(&self, kind: u8, name: &[u8]) -> Option<usize> {
        self.ledgers().position(|(other, bytes, _)| other == kind && bytes == name)
    }

    /// Each caller's kind and name, and how many ask.
    pub(crate) fn ledgers(&self) -> impl Iterator<Item = (u8, &[u8], u64)> {
        self.entries.iter().scan(0, |start, entry| {
            let name = self.names.get(*start..entry.end).unwrap_or_default();
            *start = entry.end;
            Some((entry.kind, name, entry.count))
        })
    }
}

/// Bytes of one of the script's numbers.
pub(crate) const NUMBER: usize = 8;

/// What the store's answer is for one of those who asked. The script's numbers are: now, and for each ledger what was
/// granted in all, hold, and for each window remaining, retry after and reset after; times in microseconds.
///
/// # Errors
/// The answer has another form, or the store could not read or write this ledger.
pub(crate) fn told(
    budget: &Budget,
    form: Form,
    details: bool,
    place: Place,
    answer: &[u8],
) -> Result<Grant, StoreError> {
    let numbers = Numbers::of(budget, place, answer);
    let Numbers { now, granted, hold, views } =
        numbers.ok_or_else(|| StoreError::refused("an answer of another form"))?;
    if f64::from_le_bytes(granted) < 0.0 {
        return Err(StoreError::Unreadable);
    }
    let least = form.least();
    let mut granted = whole(granted);
    // What those who asked after this one have taken.
    let mut later = 0;
    if form.adds_up() {
        let passed = granted.checked_div(least).unwrap_or(0);
        granted = if place.turn < passed { least } else { 0 };
        later = passed.saturating_sub(1).saturating_sub(place.turn).saturating_mul(least);
    }
    let views = || budget.windows().zip(views).map(|(window, numbers)| view(window, *numbers, later));
    let mut grant = Grant::of(granted, least, views());
    grant.at = Duration::from_micros(whole(now));
    grant.hold = Duration::from_micros(whole(hold));
    if details {
        grant.all = views().collect();
    }
    Ok(grant)
}

/// When the script decided, and how many permits it has given each ledger, as far as the answer has its form.
pub(crate) fn given(budget: &Budget, answer: &[u8]) -> Option<(Duration, impl Iterator<Item = u64>)> {
    let (numbers, _) = answer.as_chunks::<NUMBER>();
    let (now, ledgers) = numbers.split_first()?;
    let given = ledgers.chunks_exact(ledger_numbers(budget)).filter_map(<[Number]>::first);
    // Less than nothing was given where a ledger cannot be read, and that saturates.
    Some((Duration::from_micros(whole(*now)), given.map(|number| whole(*number))))
}

/// How many of the script's numbers are about one ledger.
fn ledger_numbers(budget: &Budget) -> usize {
    budget.windows().count().saturating_mul(3).saturating_add(2)
}

/// One of the script's numbers.
type Number = [u8; NUMBER];

/// The part of an answer that is for one of those who asked.
struct Numbers<'a> {
    now: Number,
    granted: Number,
    hold: Number,
    /// Three for each window.
    views: &'a [[Number; 3]],
}

impl<'a> Numbers<'a> {
    fn of(budget: &Budget, place: Place, answer: &'a [u8]) -> Option<Self> {
        let (numbers, _) = answer.as_chunks();
        let (now, ledgers) = numbers.split_first()?;
        let size = ledger_numbers(budget);
        let ([granted, hold], views) = ledgers.chunks_exact(size).nth(place.entry)?.split_first_chunk()?;
        Some(Self { now: *now, granted: *granted, hold: *hold, views: views.as_chunks().0 })
    }
}

/// How a window stood before so many were taken `later`. When others passed after this one there was something left
/// for it too.
fn view(window: &Window, numbers: [Number; 3], later: u64) -> View {
    let [remaining, retry, reset] = numbers.map(whole);
    let (mut retry, mut reset) = (Duration::from_micros(retry), Duration::from_micros(reset));
    if later > 0 {
        retry = Duration::ZERO;
        if let Window::Gcra(gcra) = window {
            // Rounded up, as the script rounds what it says: never a whole second more for the microsecond between.
            let pace = gcra.pace(later).as_nanos().div_ceil(1_000);
            let pace = u64::try_from(pace).unwrap_or(u64::MAX);
            reset = reset.saturating_sub(Duration::from_micros(pace));
        }
    }
    let remaining = remaining.saturating_add(later);
    View { limit: window.most(), remaining, retry_after: retry, reset_after: reset }
}

/// A number of the script, which counts in doubles; nothing for one that is none.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole, below 2^53; else it saturates"
)]
const fn whole(number: Number) -> u64 {
    f64::from_le_bytes(number) as u64
}

#[cfg(test)]
mod tests;
