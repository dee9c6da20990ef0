//! Running the load generator and reading what it says.

use std::io::Write;
use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::cases::Case;

/// Connections that are kept busy.
const CONNECTIONS: u32 = 64;

/// What one run, or the median of several, has given.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) requests: u64,
    pub(super) rate: f64,
    /// CPU time of the proxy for each request, in microseconds.
    pub(super) micros: f64,
    pub(super) lowest: f64,
    pub(super) highest: f64,
    /// In milliseconds.
    pub(super) p50: f64,
    pub(super) p99: f64,
}

impl Measured {
    /// The run whose cost is in the middle, with the spread of all.
    pub(super) fn median(mut runs: Vec<Self>) -> Self {
        runs.sort_by(|one, other| one.micros.total_cmp(&other.micros));
        let mut middle = runs[runs.len() / 2].clone();
        middle.lowest = runs[0].micros;
        middle.highest = runs[runs.len() - 1].micros;
        middle
    }
}

pub(super) fn run(
    address: SocketAddr,
    path: &str,
    case: &Case,
    token: Option<&str>,
    seconds: u32,
) -> Result<Measured> {
    let mut command = Command::new("taskset");
    command.args([
        "-c",
        "1",
        "wrk",
        "-t1",
        &format!("-c{CONNECTIONS}"),
        &format!("-d{seconds}"),
        "--latency",
    ]);
    for header in case.headers {
        command.args(["-H", header]);
    }
    if let Some(token) = token {
        command.args(["-H", &format!("Authorization: Bearer {token}")]);
    }
    let mut script = tempfile::NamedTempFile::with_suffix(".lua")?;
    if case.body > 0 {
        writeln!(script, "wrk.method = \"POST\"\nwrk.body = string.rep(\"x\", {})", case.body)?;
        command.arg("-s").arg(script.path());
    }
    command.arg(format!("http://{address}{path}"));
    let output =
        command.output().context("is wrk installed? `scripts/bench-tools` installs what this needs")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "wrk has failed: {}", String::from_utf8_lossy(&output.stderr));
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        bail!("not every answer was right:\n{text}");
    }
    read(&text).with_context(|| format!("wrk said something unexpected:\n{text}"))
}

fn read(text: &str) -> Option<Measured> {
    let value = |label: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(label))?;
        line.trim_start().strip_prefix(label)?.split_ascii_whitespace().next().map(str::to_owned)
    };
    let requests = text.lines().find(|line| line.contains("requests in"))?;
    let requests: u64 = requests.split_ascii_whitespace().next()?.parse().ok()?;
    Some(Measured {
        requests,
        rate: value("Requests/sec:")?.parse().ok()?,
        micros: 0.0,
        lowest: 0.0,
        highest: 0.0,
        p50: milliseconds(&value("50%")?)?,
        p99: milliseconds(&value("99%")?)?,
    })
}

fn milliseconds(text: &str) -> Option<f64> {
    let unit = text.find(|character: char| character.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit);
    let number: f64 = number.parse().ok()?;
    Some(match unit {
        "us" => number / 1e3,
        "ms" => number,
        "s" => number * 1e3,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn the_summary_is_read() {
        let text = "  Latency Distribution\n     50%  812.00us\n     75%    1.02ms\n     90%    1.3ms\n     99%    2.51ms\n  \
                    334523 requests in 5.10s, 58.0MB read\nRequests/sec:  65592.53\nTransfer/sec:     11.36MB\n";
        let measured = read(text).unwrap();
        assert_eq!((measured.requests, measured.rate), (334_523, 65_592.53));
        assert_eq!((measured.p50, measured.p99), (0.812, 2.51));
    }
}
