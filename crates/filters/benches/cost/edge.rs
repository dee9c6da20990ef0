//! What guards the edge.

use crate::case::{Case, Named, request};
use torana_filter::Identity;

fn case(name: &'static str, policy: &'static str, lines: &'static str) -> Named {
    (name, Box::new(move || Case::new(name, policy).lines(lines)))
}

#[expect(clippy::too_many_lines, reason = "a table: one case after the other")]
pub fn cases() -> impl Iterator<Item = Named> {
    let cors =
        "cors: { origins: [\"https://app.example.com\", \"https://*.dev.example.com\"], credentials: true }";
    let origin = "Origin: https://app.example.com";
    let networks: Named = (
        "ip_restriction, 10,000 networks",
        Box::new(|| {
            let networks: Vec<String> = (0..10_000_u32)
                .map(|number| {
                    let bits = number.wrapping_mul(2_654_435_761);
                    format!("\"{}.{}.{}.0/24\"", 11 + bits % 200, bits >> 8 & 255, bits >> 16 & 255)
                })
                .collect();
            Case::new(
                "ip_restriction, 10,000 networks",
                &format!("ip_restriction: {{ deny: [{}] }}", networks.join(", ")),
            )
            // Looking at each would take thousands.
            .bar(300)
        }),
    );
    let size: Named = (
        "request_size",
        Box::new(|| {
            Case::new("request_size", "request_size: 1MiB")
                .heads(|_| request("POST /api/orders", "Content-Length: 1000"))
        }),
    );
    let access: Named = (
        "access",
        Box::new(|| {
            let caller = Identity { consumer: "alice".into(), ..Identity::default() };
            Case::new("access", "access: protected").caller(caller).gate()
        }),
    );
    let back = |(name, case): Named| -> Named { (name, Box::new(move || case().on_response())) };
    [
        case("cors, request", cors, origin),
        back(case("cors, response", cors, origin)),
        (
            "csrf",
            Box::new(|| {
                Case::new("csrf", "csrf: on").heads(|_| {
                    request(
                        "POST /api/orders",
                        "Sec-Fetch-Site: same-origin\nOrigin: https://api.example.com\nCookie: a=b",
                    )
                })
            }),
        ),
        networks,
        case("terminate, without its trigger", "terminate: { trigger: X-Stop }", origin),
        size,
        case(
            "required_headers",
            "required_headers: { X-Tenant: { regex: \"[a-z]{2,20}\" } }",
            "X-Tenant: blue",
        ),
        case("bot_detection", "bot_detection: on", ""),
        case("correlation_id, made", "correlation_id: on", ""),
        case("correlation_id, taken over", "correlation_id: on", "X-Correlation-Id: 0123456789abcdef"),
        back(case("correlation_id, response", "correlation_id: on", "X-Correlation-Id: 0123456789abcdef")),
        access,
        back(case("security_headers, response", "security_headers: on", "")),
    ]
    .into_iter()
}
