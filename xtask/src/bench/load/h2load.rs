use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::{Answered, Load};

/// Streams on each connection, where there are several to share: what a browser or a gateway in front does.
const STREAMS: u32 = 16;

pub(super) fn run(load: &Load<'_>) -> Result<Answered> {
    let log = tempfile::NamedTempFile::new()?;
    let (connections, streams) = match load.connections {
        few if few < STREAMS => (few, 1),
        many => (many / STREAMS, STREAMS),
    };
    let mut command = Command::new("taskset");
    command.args(["-c", "1", "h2load", "-t1", &format!("-c{connections}"), &format!("-m{streams}")]);
    command.arg(format!("-D{}", load.seconds)).arg(format!("--log-file={}", log.path().display()));
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
    read(&text, &fs::read_to_string(log.path())?).with_context(|| format!("h2load said:\n{text}"))
}

/// The summary, and a line for each request: when, status, microseconds.
fn read(summary: &str, log: &str) -> Result<Answered> {
    let rate = summary.lines().find_map(|line| line.strip_prefix("finished in "));
    let rate = rate.and_then(|line| line.split(", ").nth(1)?.split(' ').next()?.parse().ok());
    let mut micros = Vec::new();
    for line in log.lines() {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (Some(status), Some(time)) = (fields.next(), fields.next()) else { continue };
        if status != "200" {
            bail!("an answer is {status}");
        }
        micros.push(time.parse::<u64>()?);
    }
    micros.sort_unstable();
    let part = |share: usize| micros.get(micros.len() * share / 100).copied().map(Duration::from_micros);
    Ok(Answered {
        requests: micros.len() as u64,
        rate: rate.context("no rate")?,
        p50: part(50).context("no request has ended")?,
        p99: part(99).context("no request has ended")?,
    })
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
}
