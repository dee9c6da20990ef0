//! What is counted, and why requests fail.

use torana_fault::{Reason, Side};
use torana_observe::names::{ALL, Kind};

use super::cell;

pub(super) fn metrics() -> String {
    let mut text =
        String::from("# Metrics\n\nOn `/metrics` of the admin listener, in the OpenMetrics text format.\n\n");
    text.push_str("| Name | Kind | Meaning |\n| --- | --- | --- |\n");
    for family in ALL {
        let (suffix, kind) = match family.kind {
            Kind::Counter => ("_total", "counter"),
            Kind::Gauge => ("", "gauge"),
            Kind::Histogram => ("", "histogram"),
        };
        text.push_str(&format!("| `{}{suffix}` | {kind} | {} |\n", family.name, cell(family.help)));
    }
    text
}

pub(super) fn reasons() -> String {
    let mut text = String::from("# Reasons\n\n");
    text.push_str(
        "Why a request failed: the same label in problem documents, in the access log and in `torana_requests_total`.\n\
         The sentence is all that a client is told; of 401, 403 and `authentication_limited` not the label either.\n\n",
    );
    text.push_str("| Reason | Status | At whose side | Sentence |\n| --- | --- | --- | --- |\n");
    for reason in Reason::ALL {
        let side = match reason.side() {
            Side::Client => "client",
            Side::Gateway => "gateway",
            Side::Upstream => "upstream",
        };
        let (label, status) = (reason.label(), reason.status());
        text.push_str(&format!("| `{label}` | {status} | {side} | {} |\n", cell(reason.public_message())));
    }
    text
}
