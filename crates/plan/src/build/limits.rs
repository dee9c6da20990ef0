//! What of the gateway's own bounds could not work.

use torana_config::written::{Config, LimitsConfig, QueueDelayForm, Switch};
use torana_config::{Document, Finding, Path};

use crate::report::Report;

pub(super) fn check(document: &Document, config: &Config, findings: &mut Vec<Finding>) {
    let limits = &config.limits;
    let root = Path::root().key("limits");
    if limits.buffered_bytes.on().is_some_and(|bytes| *bytes < config.http2.stream_window) {
        let message = "one body that comes over HTTP/2 fills this, and is refused for its own beginning";
        let finding = Finding::warning("limits", message).at(document.span_at(&root.key("buffered_bytes")));
        findings.push(finding.help("make it many times `http2.stream_window`"));
    }
    let mut report = Report { document, findings };
    let mut find = |path: &Path, message: &str, help: &str| report.error(path, "limits", message, help);
    if limits.head_bytes > LimitsConfig::LARGEST_HEAD {
        let help = "write at most `64KiB`: HTTP/2 has as much room in the frames that one head may take";
        find(&root.key("head_bytes"), "no head by HTTP/2 could be so large", help);
    }
    if limits.ipv6_prefix.get() > 128 {
        let help = "a client is usually a /64";
        find(&root.key("ipv6_prefix"), "an IPv6 address has 128 bits", help);
    }
    let on = |switch: &Option<Switch<_>>| switch.as_ref().and_then(Switch::on).copied();
    if let (Some(all), Some(each)) = (on(&limits.connections), on(&limits.connections_per_address))
        && each > all
    {
        let help = "make it smaller than `connections`, or `off`";
        find(
            &root.key("connections_per_address"),
            "one address could have more connections than all together",
            help,
        );
    }
    let Some(form) = limits.queue_delay.on() else { return };
    let delay = form.config();
    let place = match form {
        QueueDelayForm::Target(_) => root.key("queue_delay"),
        QueueDelayForm::Full(_) => root.key("queue_delay").key("target"),
    };
    if delay.target < LimitsConfig::SHORTEST_TARGET {
        let help = "write at least `5ms`; some 50 ms are usual";
        find(&place, "so short a wait cannot be told from none", help);
    }
    if delay.interval < delay.target {
        let help = "make `interval` longer than `target`";
        find(&root.key("queue_delay").key("interval"), "it is shorter than the wait that it looks for", help);
    }
}
