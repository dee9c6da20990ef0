use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::{Answered, Load};
use crate::pinned::{AROUND, on_core};

pub(super) fn run(load: &Load<'_>) -> Result<Answered> {
    let mut command = on_core(AROUND, "wrk");
    command
        .args(["-t1", "--latency"])
        .args([format!("-c{}", load.connections), format!("-d{}", load.seconds)]);
    for header in load.case.headers {
        command.args(["-H", header]);
    }
    if let Some(token) = load.token {
        command.args(["-H", &format!("Authorization: Bearer {token}")]);
    }
    let mut script = tempfile::NamedTempFile::with_suffix(".lua")?;
    if load.case.body > 0 {
        writeln!(script, "wrk.method = \"POST\"\nwrk.body = string.rep(\"x\", {})", load.case.body)?;
        command.arg("-s").arg(script.path());
    }
    command.arg(load.url());
    let output =
        command.output().context("is wrk installed? `scripts/bench-tools` installs what this needs")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "wrk has failed: {}", String::from_utf8_lossy(&output.stderr));
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        bail!("not every answer was right:\n{text}");
    }
    read(&text).with_context(|| format!("wrk said something unexpected:\n{text}"))
}

fn read(text: &str) -> Option<Answered> {
    let value = |label: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(label))?;
        line.trim_start().strip_prefix(label)?.split_ascii_whitespace().next().map(str::to_owned)
    };
    let requests = text.lines().find(|line| line.contains("requests in"))?;
    let requests: u64 = requests.split_ascii_whitespace().next()?.parse().ok()?;
    Some(Answered {
        requests,
        rate: value("Requests/sec:")?.parse().ok()?,
        p50: time(&value("50%")?)?,
        p99: time(&value("99%")?)?,
    })
}

fn time(text: &str) -> Option<Duration> {
    let unit = text.find(|character: char| character.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit);
    let number: f64 = number.parse().ok()?;
    Some(Duration::from_secs_f64(match unit {
        "us" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_read() {
        let text = "  Latency Distribution\n     50%  812.00us\n     75%    1.02ms\n     90%    1.3ms\n     99%    2.51ms\n  \
                    334523 requests in 5.10s, 58.0MB read\nRequests/sec:  65592.53\nTransfer/sec:     11.36MB\n";
        let answered = read(text).unwrap();
        assert_eq!((answered.requests, answered.rate), (334_523, 65_592.53));
        assert_eq!((answered.p50, answered.p99), (Duration::from_micros(812), Duration::from_micros(2510)));
    }
}
