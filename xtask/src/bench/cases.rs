//! What is compared.

/// One kind of request.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    pub(super) headers: &'static [&'static str],
    /// Bytes of a POST; a GET when 0.
    pub(super) body: usize,
    /// Whether Torana has its policies on; nginx never has any.
    pub(super) policies: bool,
}

const fn get(name: &'static str, path: &'static str) -> Case {
    Case { name, path, headers: &[], body: 0, policies: false }
}

pub(super) const CASES: &[Case] = &[
    get("128 B", "/128"),
    get("10 KiB", "/10k"),
    Case { body: 1024, ..get("POST 1 KiB", "/128") },
    Case { headers: BROWSER, ..get("browser", "/128") },
    Case { policies: true, ..get("policies", "/128") },
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
