//! One line of the access log.

mod piece;

use piece::{address, bytes, digits, milliseconds, text, time, visible};
use std::io::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use torana_fault::Reason;

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// A JSON object.
    Json,
    /// Columns for people.
    Human,
}

/// What is known of a request at its end. Bytes are as they were sent.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "each is what its name says; units are in the types")]
pub struct AccessRecord<'a> {
    pub time: SystemTime,
    pub request_id: &'a str,
    pub correlation_id: Option<&'a [u8]>,
    pub client: IpAddr,
    pub method: &'a [u8],
    pub scheme: &'static str,
    pub host: &'a [u8],
    pub path: &'a [u8],
    pub query: Option<&'a [u8]>,
    pub version: &'static str,
    pub status: u16,
    pub reason: Option<Reason>,
    /// Whether the client got only a part of the answer.
    pub incomplete: bool,
    pub detail: Option<&'a str>,
    /// Limits in shadow that would have refused it.
    pub would_refuse: &'a [Arc<str>],
    pub route: Option<&'a str>,
    pub service: Option<&'a str>,
    pub endpoint: Option<&'a str>,
    pub consumer: Option<&'a str>,
    pub received: u64,
    pub sent: u64,
    pub total: Duration,
    pub upstream: Option<Duration>,
    pub attempts: u32,
    pub user_agent: Option<&'a [u8]>,
    pub referer: Option<&'a [u8]>,
}

impl AccessRecord<'_> {
    /// Appends the line, with its end. Nothing that a client sends can begin another one.
    pub(crate) fn write(&self, format: LogFormat, query: bool, line: &mut Vec<u8>) {
        // Writing to memory cannot fail.
        let _ = match format {
            LogFormat::Json => self.write_json(query, line),
            LogFormat::Human => self.write_human(query, line),
        };
        line.push(b'\n');
    }

    fn write_json(&self, query: bool, line: &mut Vec<u8>) -> std::io::Result<()> {
        line.extend_from_slice(b"{\"time\":\"");
        time(line, self.time);
        line.extend_from_slice(b"\"");
        text(line, ",\"request_id\":", Some(self.request_id))?;
        bytes(line, ",\"correlation_id\":", self.correlation_id)?;
        line.extend_from_slice(b",\"client\":\"");
        address(line, self.client)?;
        line.extend_from_slice(b"\"");
        bytes(line, ",\"method\":", Some(self.method))?;
        text(line, ",\"scheme\":", Some(self.scheme))?;
        bytes(line, ",\"host\":", Some(self.host))?;
        bytes(line, ",\"path\":", Some(self.path))?;
        if query {
            bytes(line, ",\"query\":", self.query)?;
        }
        text(line, ",\"protocol\":", Some(self.version))?;
        digits(line, ",\"status\":", self.status);
        text(line, ",\"reason\":", self.reason.map(Reason::label))?;
        text(line, ",\"detail\":", self.detail)?;
        if self.incomplete {
            line.extend_from_slice(b",\"incomplete\":true");
        }
        for (index, limit) in self.would_refuse.iter().enumerate() {
            text(line, if index == 0 { ",\"would_refuse\":[" } else { "," }, Some(limit))?;
        }
        if !self.would_refuse.is_empty() {
            line.push(b']');
        }
        text(line, ",\"route\":", self.route)?;
        text(line, ",\"service\":", self.service)?;
        text(line, ",\"endpoint\":", self.endpoint)?;
        text(line, ",\"consumer\":", self.consumer)?;
        digits(line, ",\"received\":", self.received);
        digits(line, ",\"sent\":", self.sent);
        line.extend_from_slice(b",\"duration_ms\":");
        milliseconds(line, self.total);
        if let Some(upstream) = self.upstream {
            line.extend_from_slice(b",\"upstream_ms\":");
            milliseconds(line, upstream);
        }
        if self.attempts > 1 {
            digits(line, ",\"attempts\":", self.attempts);
        }
        bytes(line, ",\"user_agent\":", self.user_agent)?;
        bytes(line, ",\"referer\":", if query { self.referer } else { self.referer.map(without_query) })?;
        line.push(b'}');
        Ok(())
    }

    fn write_human(&self, query: bool, line: &mut Vec<u8>) -> std::io::Result<()> {
        let mut total = Vec::new();
        milliseconds(&mut total, self.total);
        time(line, self.time);
        write!(
            line,
            " {:>3} {:>9} ms {:>8} B {:<15} ",
            self.status,
            String::from_utf8_lossy(&total),
            self.sent,
            self.client.to_string()
        )?;
        visible(line, self.method);
        line.push(b' ');
        visible(line, self.host);
        visible(line, self.path);
        if let Some(query) = self.query.filter(|_| query) {
            line.push(b'?');
            visible(line, query);
        }
        if self.incomplete {
            line.extend_from_slice(b" incomplete");
        }
        let pairs = [
            ("route", self.route),
            ("endpoint", self.endpoint),
            ("consumer", self.consumer),
            ("reason", self.reason.map(Reason::label)),
            ("detail", self.detail),
            ("id", Some(self.request_id)),
        ];
        let pairs = pairs.map(|(name, value)| (name, value.map(str::as_bytes)));
        for (name, value) in pairs.into_iter().chain([("correlation", self.correlation_id)]) {
            if let Some(value) = value {
                write!(line, " {name}=")?;
                visible(line, value);
            }
        }
        for (index, limit) in self.would_refuse.iter().enumerate() {
            line.extend_from_slice(if index == 0 { b" would_refuse=" } else { b"," });
            visible(line, limit.as_bytes());
        }
        Ok(())
    }
}

/// Where a browser was, without what it may have shown there (RFC 9110 section 10.1.3).
fn without_query(url: &[u8]) -> &[u8] {
    let end = url.iter().position(|byte| matches!(byte, b'?' | b'#'));
    end.and_then(|end| url.get(..end)).unwrap_or(url)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn record() -> AccessRecord<'static> {
        AccessRecord {
            time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
            request_id: "abc",
            correlation_id: None,
            client: IpAddr::from([10, 0, 0, 1]),
            method: b"GET",
            scheme: "http",
            host: b"api.test",
            path: b"/a\"b\n\xff",
            query: Some(b"token=1"),
            version: "HTTP/1.1",
            status: 200,
            reason: None,
            incomplete: false,
            detail: None,
            would_refuse: &[],
            route: Some("users"),
            service: None,
            endpoint: None,
            consumer: Some("u\r\n1"),
            received: 0,
            sent: 12,
            total: Duration::from_micros(1_234),
            upstream: Some(Duration::from_millis(1)),
            attempts: 1,
            user_agent: None,
            referer: None,
        }
    }

    #[test]
    fn a_line_is_one_line_whatever_a_client_sends() {
        for format in [LogFormat::Json, LogFormat::Human] {
            let mut line = Vec::new();
            record().write(format, false, &mut line);
            let text = String::from_utf8(line).unwrap();
            assert_eq!(text.matches('\n').count(), 1, "{text}");
            assert!(text.ends_with('\n') && !text.contains('\r') && !text.contains("token"), "{text}");
        }
    }

    #[test]
    fn queries_are_left_out_wherever_they_stand() {
        for (referer, query, logged) in [
            ("https://a.test/x?key=hunter2", false, "https://a.test/x"),
            ("https://a.test/x#key=hunter2?", false, "https://a.test/x"),
            ("https://a.test/x", false, "https://a.test/x"),
            ("https://a.test/x?key=hunter2", true, "https://a.test/x?key=hunter2"),
        ] {
            let mut line = Vec::new();
            AccessRecord { referer: Some(referer.as_bytes()), ..record() }.write(
                LogFormat::Json,
                query,
                &mut line,
            );
            let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
            assert_eq!(value["referer"], logged, "{referer}");
        }
    }

    #[test]
    fn limits_that_would_have_refused_are_a_list() {
        let limits = ["global#a".into(), "route/GET /x#b\n".into()];
        let record = AccessRecord { would_refuse: &limits, ..record() };
        let (mut json, mut human) = (Vec::new(), Vec::new());
        record.write(LogFormat::Json, false, &mut json);
        record.write(LogFormat::Human, false, &mut human);
        let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(value["would_refuse"], serde_json::json!(["global#a", "route/GET /x#b\n"]));
        let human = String::from_utf8(human).unwrap();
        assert!(
            human.contains(" would_refuse=global#a,route/GET") && human.matches('\n').count() == 1,
            "{human}"
        );
    }

    #[test]
    fn json_lines_are_json() {
        let mut line = Vec::new();
        record().write(LogFormat::Json, true, &mut line);
        let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(value["time"], "2023-11-14T22:13:20.123Z");
        assert_eq!(value["path"], "/a\"b\n\u{fffd}");
        assert_eq!(value["query"], "token=1");
        assert_eq!(value["duration_ms"], 1.234);
        assert_eq!(value["consumer"], "u\r\n1");
    }
}
