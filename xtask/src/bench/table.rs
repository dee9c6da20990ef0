//! What is printed: a row for each case, number of connections and proxy, then the promises.

use std::time::Duration;

use super::Measured;
use super::cases::BARS;
use super::details::Details;
use super::peers::Peer;

/// The connections for which the promises hold.
const PROMISED_AT: u32 = 64;

/// Several runs of one proxy.
pub(super) struct Row {
    case: &'static str,
    connections: u32,
    peer: Peer,
    /// The run whose cost is in the middle.
    median: Measured,
    lowest: f64,
    highest: f64,
    details: Details,
}

impl Row {
    pub(super) fn new(
        case: &'static str,
        connections: u32,
        peer: Peer,
        mut runs: Vec<Measured>,
        details: Details,
    ) -> Self {
        runs.sort_by(|one, other| one.micros().total_cmp(&other.micros()));
        let (lowest, highest) = (runs[0].micros(), runs[runs.len() - 1].micros());
        Self { case, connections, peer, median: runs[runs.len() / 2], lowest, highest, details }
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
                "{:<14} {:>4} {:<8} {:>24} {:>13} {:>9} {:>13} {:>7} {:>7} {:>6} {:>6}  system calls",
                "case",
                "conn",
                "proxy",
                "CPU µs/request",
                "user+system",
                "request/s",
                "p50/p99 ms",
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
            "{:<14} {:>4} {:<8} {:>24} {:>13} {:>9.0} {:>13} {:>7} {:>7} {:>6} {:>6} {}",
            row.case,
            row.connections,
            row.peer.name(),
            format!("{:.2} ({:.2}-{:.2})", row.median.micros(), row.lowest, row.highest),
            format!("{:.1}+{:.1}", each(row.median.user), each(row.median.system)),
            answered.rate,
            format!("{:.2}/{:.2}", answered.p50.as_secs_f64() * 1e3, answered.p99.as_secs_f64() * 1e3),
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
    pub(super) fn print_bars(&self) {
        println!();
        for (case, (peer, other, most)) in BARS {
            let named = super::PEERS.into_iter().find(|known| known.name() == *peer);
            let against = named.and_then(|peer| self.find(peer, other, PROMISED_AT));
            let (Some(ours), Some(against)) = (self.find(Peer::Torana, case, PROMISED_AT), against) else {
                continue;
            };
            let ratio = ours.median.micros() / against.median.micros();
            let holds = if ratio <= *most { "holds" } else { "DOES NOT HOLD" };
            println!("{case}: {ratio:.2} of {peer} ({other}), promised {most:.2}: {holds}");
        }
        let p99 = |peer| self.find(peer, "plain 128 B", PROMISED_AT).map(|row| row.median.answered.p99);
        if let (Some(ours), Some(theirs)) = (p99(Peer::Torana), p99(Peer::Nginx)) {
            let holds = if ours <= theirs { "holds" } else { "DOES NOT HOLD" };
            println!("plain 128 B: p99 {ours:?}, of nginx {theirs:?}, promised no worse: {holds}");
        }
    }
}
