//! What is printed: a row for each case, number of connections and proxy, then the promises.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::Measured;
use super::cases::BARS;
use super::details::Details;
use super::load::Late;
use super::peers::Peer;

/// What every promise begins with.
const PLAIN: &str = "plain 128 B";
/// What it may allocate at most.
const ALLOCATIONS: f64 = 2.0;
/// The connections for which the promises hold.
pub(super) const PROMISED_AT: u32 = 64;
/// With one connection nearly all is the kernel's, which sends a process to sleep and wakes it for each request: the floor
/// itself costs four fifths of nginx. There the promise is to cost no more than the others.
const ALONE: u32 = 1;

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Several runs of one proxy.
pub(super) struct Row {
    case: &'static str,
    connections: u32,
    peer: Peer,
    /// The run whose cost is in the middle.
    median: Measured,
    lowest: f64,
    highest: f64,
    /// The 99th percentile in the middle of those of all runs: in a single one a pause of the machine shows.
    p99: Duration,
    /// See `late`.
    late: Option<Late>,
    details: Details,
}

impl Row {
    pub(super) fn new(
        case: &'static str,
        connections: u32,
        peer: Peer,
        mut runs: Vec<Measured>,
        late: Option<Late>,
        details: Details,
    ) -> Self {
        runs.sort_by(|one, other| one.micros().total_cmp(&other.micros()));
        let (lowest, highest) = (runs[0].micros(), runs[runs.len() - 1].micros());
        let p99 = super::middle(runs.iter().map(|run| run.answered.p99).collect(), Duration::cmp);
        Self { case, connections, peer, median: runs[runs.len() / 2], lowest, highest, p99, late, details }
    }
}

/// All rows so far.
#[derive(Default)]
pub(super) struct Table {
    rows: Vec<Row>,
}

impl Table {
    /// Prints a row, with the ratios to those that stand before it.
    pub(super) fn add(&mut self, row: Row) {
        if self.rows.is_empty() {
            println!(
                "{:<14} {:>4} {:<8} {:>24} {:>13} {:>9} {:>13} {:>10} {:>7} {:>7} {:>6} {:>6}  system calls",
                "case",
                "conn",
                "proxy",
                "CPU µs/request",
                "user+system",
                "request/s",
                "p50/p99 ms",
                "p99/calm",
                "/nginx",
                "/floor",
                "calls",
                "alloc"
            );
        }
        let each = |time: Duration| time.as_secs_f64() * 1e6 / row.median.answered.requests as f64;
        let ratio = |peer| {
            let other = self.find(peer, row.case, row.connections)?;
            Some(format!("{:.2}", row.median.micros() / other.median.micros()))
        };
        let number = |number: Option<f64>| number.map_or_else(String::new, |number| format!("{number:.2}"));
        let answered = &row.median.answered;
        println!(
            "{:<14} {:>4} {:<8} {:>24} {:>13} {:>9.0} {:>13} {:>10} {:>7} {:>7} {:>6} {:>6} {}",
            row.case,
            row.connections,
            row.peer.name(),
            format!("{:.2} ({:.2}-{:.2})", row.median.micros(), row.lowest, row.highest),
            format!("{:.1}+{:.1}", each(row.median.user), each(row.median.system)),
            answered.rate,
            format!("{:.2}/{:.2}", millis(answered.p50), millis(row.p99)),
            row.late.map_or_else(String::new, |late| format!(
                "{:.2}/{:.2}",
                millis(late.all),
                millis(late.calm)
            )),
            ratio(Peer::Nginx).unwrap_or_default(),
            ratio(Peer::Floor).unwrap_or_default(),
            number(row.details.calls),
            number(row.details.allocations),
            row.details.by_name,
        );
        self.rows.push(row);
    }

    fn find(&self, peer: Peer, case: &str, connections: u32) -> Option<&Row> {
        self.rows.iter().find(|row| row.peer == peer && row.case == case && row.connections == connections)
    }

    /// Says of each promise that was measured whether it holds.
    ///
    /// # Errors
    /// One does not.
    pub(super) fn check_bars(&self) -> Result<()> {
        println!();
        let mut broken = 0;
        let mut say = |holds: bool, promise: String| {
            broken += usize::from(!holds);
            println!("{promise}: {}", if holds { "holds" } else { "DOES NOT HOLD" });
        };
        for (connections, (case, (peer, other, most))) in
            [PROMISED_AT, ALONE].into_iter().flat_map(|at| BARS.iter().map(move |bar| (at, bar)))
        {
            let named = super::PEERS.into_iter().find(|known| known.name() == *peer);
            let against = named.and_then(|peer| self.find(peer, other, connections));
            let (Some(ours), Some(against)) = (self.find(Peer::Torana, case, connections), against) else {
                continue;
            };
            let ratio = ours.median.micros() / against.median.micros();
            let most = if connections == ALONE { most.max(1.0) } else { *most };
            let promise =
                format!("{case} at {connections}: {ratio:.2} of {peer} ({other}), promised {most:.2}");
            say(ratio <= most, promise);
        }
        for row in self.rows.iter().filter(|row| row.peer == Peer::Torana && row.connections == PROMISED_AT) {
            let Some(nginx) = self.find(Peer::Nginx, row.case, PROMISED_AT) else { continue };
            let (Some(ours), Some(theirs)) = (row.late, nginx.late) else { continue };
            let promise = format!(
                "{}: p99 of calm moments {:?}, of nginx {:?}, promised no worse",
                row.case, ours.calm, theirs.calm
            );
            say(ours.calm <= theirs.calm, promise);
        }
        let plain = self.find(Peer::Torana, PLAIN, PROMISED_AT);
        if let Some(count) = plain.and_then(|row| row.details.allocations) {
            let promise = format!("{PLAIN}: {count:.2} allocations a request, promised {ALLOCATIONS:.0}");
            say(count <= ALLOCATIONS, promise);
        }
        ensure!(broken == 0, "{broken} promises do not hold: see `DOES NOT HOLD` above");
        Ok(())
    }
}
