use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::{Answered, Late, Load};
use crate::bench::cases::Protocol;
use crate::bench::middle;
use crate::pinned::{AROUND, on_core};

/// In which connections are opened and nothing is counted, where times are asked for.
const WARMING: &str = "--warm-up-time=500ms";
/// Of which each gives a percentile, in microseconds: shorter than the time from one pause of the machine to the next.
const WINDOW: u64 = 50_000;

pub(super) fn run(load: &Load<'_>) -> Result<Answered> {
    let (text, log) = said(load, &[])?;
    read(&text, &log).with_context(|| format!("h2load said:\n{text}"))
}

/// The 99th percentile of all requests, and that of windows of 50 ms, in the middle of them.
///
/// The machine takes a core away for some milliseconds ten times a second, about one per cent of the time: a percentile over
/// all requests is either that of such a pause or not, as chance has it. Nor can it be had of wrk, which adds to a pause the
/// requests that it would have sent meanwhile: more, the faster the proxy is.
pub(super) fn late(load: &Load<'_>) -> Result<Late> {
    let (text, log) = said(load, &[WARMING])?;
    late_of(&log)?.with_context(|| format!("h2load said:\n{text}"))
}

/// What it prints, and its log.
fn said(load: &Load<'_>, more: &[&str]) -> Result<(String, String)> {
    let log = tempfile::NamedTempFile::new()?;
    let streams = load.case.streams.min(load.connections);
    let connections = load.connections / streams;
    let mut command = on_core(AROUND, "h2load");
    command.args(["-t1", &format!("-c{connections}"), &format!("-m{streams}")]);
    command.arg(format!("-D{}", load.seconds)).arg(format!("--log-file={}", log.path().display()));
    command.args(more);
    if load.case.protocol != Protocol::Http2 {
        command.arg("--h1");
    }
    let mut body = tempfile::NamedTempFile::new()?;
    if load.case.body > 0 {
        body.write_all(&vec![b'x'; load.case.body])?;
        command.arg("-d").arg(body.path());
    }
    for header in load.case.headers {
        command.args(["-H", header]);
    }
    if let Some(token) = load.token {
        command.args(["-H", &format!("Authorization: Bearer {token}")]);
    }
    command.arg(load.url());
    let output =
        command.output().context("is h2load installed? `scripts/bench-tools` installs what this needs")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "h2load has failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok((text, fs::read_to_string(log.path())?))
}

fn read(summary: &str, log: &str) -> Result<Answered> {
    let rate = summary.lines().find_map(|line| line.strip_prefix("finished in "));
    let rate = rate.and_then(|line| line.split(", ").nth(1)?.split(' ').next()?.parse().ok());
    let mut micros = answers(log)?.into_iter().map(|(_, micros)| micros).collect::<Vec<_>>();
    micros.sort_unstable();
    Ok(Answered {
        requests: micros.len() as u64,
        rate: rate.context("no rate")?,
        p50: part(&micros, 50).context("no request has ended")?,
        p99: part(&micros, 99).context("no request has ended")?,
    })
}

fn late_of(log: &str) -> Result<Option<Late>> {
    let mut all = Vec::new();
    let mut windows: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for (when, micros) in answers(log)? {
        windows.entry(when / WINDOW).or_default().push(micros);
        all.push(micros);
    }
    // Those at both ends are cut.
    let whole = windows.values_mut().skip(1);
    let late: Vec<Duration> = whole
        .filter_map(|micros| {
            micros.sort_unstable();
            part(micros, 99)
        })
        .collect();
    let whole = late.len().saturating_sub(1);
    all.sort_unstable();
    let Some(all) = part(&all, 99).filter(|_| whole > 0) else { return Ok(None) };
    Ok(Some(Late { all, calm: middle(late[..whole].to_vec(), Duration::cmp) }))
}

/// When each request began and how long it took, in microseconds: a line for each has both about its status.
fn answers(log: &str) -> Result<Vec<(u64, u64)>> {
    let mut answers = Vec::new();
    for line in log.lines() {
        let mut fields = line.split_ascii_whitespace();
        let (Some(when), Some(status), Some(time)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        if status != "200" {
            bail!("an answer is {status}");
        }
        answers.push((when.parse()?, time.parse()?));
    }
    Ok(answers)
}

fn part(sorted: &[u64], share: usize) -> Option<Duration> {
    sorted.get(sorted.len() * share / 100).copied().map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_and_the_log_are_read() {
        let summary =
            "starting benchmark...\n\nfinished in 3.00s, 12345.67 req/s, 1.23MB/s\nrequests: 4 total\n";
        let log = "1\t200\t100\n2\t200\t300\n3\t200\t200\n4\t200\t400\n";
        let answered = read(summary, log).unwrap();
        assert_eq!((answered.requests, answered.rate), (4, 12345.67));
        assert_eq!((answered.p50, answered.p99), (Duration::from_micros(300), Duration::from_micros(400)));
        assert!(read(summary, "1\t502\t100\n").is_err());
    }

    #[test]
    fn a_pause_of_the_machine_is_one_window_of_many() {
        let mut log = String::new();
        for window in 0..7 {
            let micros = if window == 3 { 9000 } else { 1000 + window };
            log += &format!("{}\t200\t{micros}\n", window * WINDOW);
        }
        let (all, calm) = (Duration::from_micros(9000), Duration::from_micros(1004));
        assert_eq!(late_of(&log).unwrap(), Some(Late { all, calm }));
        assert_eq!(late_of("1\t200\t5\n").unwrap(), None);
    }
}
