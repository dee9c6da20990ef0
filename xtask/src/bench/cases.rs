//! What is asked of the proxies.

/// How the load generator speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// HTTP/1.1 on plain TCP.
    Http1,
    /// HTTP/1.1 in TLS 1.3.
    Https,
    /// HTTP/2 in TLS 1.3.
    Http2,
}

/// What is done beside forwarding, by all that can: nginx and the floor forward only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extras {
    None,
    /// A verified token, a role, a limit, and a thousand routes.
    Policies,
    /// The same, and a line in a file for each request, from all that can.
    PoliciesAndLog,
}

/// One kind of request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    /// Bytes of the request's body; with a body it is a POST.
    pub(super) body: usize,
    pub(super) headers: &'static [&'static str],
    pub(super) protocol: Protocol,
    /// Streams on each connection of HTTP/2, where there are so many requests at once.
    pub(super) streams: u32,
    pub(super) extras: Extras,
}

const fn get(name: &'static str, path: &'static str) -> Case {
    Case { name, path, body: 0, headers: &[], protocol: Protocol::Http1, streams: 1, extras: Extras::None }
}

pub(super) const CASES: &[Case] = &[
    get("plain 128 B", "/128"),
    get("plain 10 KiB", "/10k"),
    Case { body: 1024, ..get("POST 1 KiB", "/128") },
    Case { headers: BROWSER, ..get("browser", "/128") },
    Case { extras: Extras::Policies, ..get("policies", "/128") },
    Case { extras: Extras::PoliciesAndLog, ..get("policies, log", "/128") },
    Case { protocol: Protocol::Https, ..get("TLS 1.3", "/128") },
    // What a browser or a gateway in front does.
    Case { protocol: Protocol::Http2, streams: 16, ..get("HTTP/2", "/128") },
    Case { protocol: Protocol::Http2, ..get("HTTP/2 alone", "/128") },
];

/// What is promised, as CPU time for each request at 64 connections: case, then `(peer, its case, ratio)`.
pub(super) const BARS: &[(&str, (&str, &str, f64))] = &[
    ("plain 128 B", ("nginx", "plain 128 B", 0.85)),
    ("browser", ("nginx", "browser", 0.85)),
    ("plain 10 KiB", ("nginx", "plain 10 KiB", 0.75)),
    ("POST 1 KiB", ("nginx", "POST 1 KiB", 0.80)),
    ("policies", ("nginx", "plain 128 B", 0.95)),
    ("policies, log", ("nginx", "policies, log", 1.0)),
    ("plain 128 B", ("envoy", "plain 128 B", 0.35)),
    ("browser", ("envoy", "browser", 0.35)),
    ("plain 10 KiB", ("envoy", "plain 10 KiB", 0.35)),
    ("POST 1 KiB", ("envoy", "POST 1 KiB", 0.35)),
    ("policies", ("envoy", "policies", 0.35)),
    ("policies, log", ("envoy", "policies, log", 0.35)),
    ("TLS 1.3", ("envoy", "TLS 1.3", 0.35)),
    ("HTTP/2", ("envoy", "HTTP/2", 0.35)),
    ("HTTP/2 alone", ("envoy", "HTTP/2 alone", 0.35)),
    ("plain 128 B", ("haproxy", "plain 128 B", 1.0)),
    ("browser", ("haproxy", "browser", 1.0)),
    ("plain 10 KiB", ("haproxy", "plain 10 KiB", 1.0)),
    ("POST 1 KiB", ("haproxy", "POST 1 KiB", 1.0)),
    ("policies", ("haproxy", "policies", 1.0)),
    ("policies, log", ("haproxy", "policies, log", 1.0)),
    ("TLS 1.3", ("haproxy", "TLS 1.3", 1.0)),
    ("HTTP/2", ("haproxy", "HTTP/2", 1.0)),
    ("plain 128 B", ("floor", "plain 128 B", 1.25)),
    ("TLS 1.3", ("nginx", "TLS 1.3", 1.0)),
    ("HTTP/2", ("nginx", "HTTP/2", 1.0)),
    ("HTTP/2 alone", ("nginx", "HTTP/2 alone", 1.0)),
];

/// What a browser sends with a navigation.
const BROWSER: &[&str] = &[
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Accept-Language: en-US,en;q=0.9",
    "Accept-Encoding: gzip, deflate, br",
    "Cookie: sid=0123456789abcdef0123456789abcdef; theme=dark; _ga=GA1.2.123456789.1234567890",
    "sec-ch-ua: \"Chromium\";v=\"120\", \"Not?A_Brand\";v=\"8\"",
    "sec-ch-ua-mobile: ?0",
    "sec-ch-ua-platform: \"Linux\"",
    "Upgrade-Insecure-Requests: 1",
    "Sec-Fetch-Site: none",
    "Sec-Fetch-Mode: navigate",
    "Sec-Fetch-User: ?1",
    "Sec-Fetch-Dest: document",
    "Referer: https://example.com/path/page",
];
