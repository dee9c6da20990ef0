use super::*;
use torana_filter::Offline;
use torana_http::h1::{HeadLimits, parse_request};
use torana_plan::PolicyPlan;

/// Plans what stands under `cors` in a file.
fn filter(written: &str) -> CorsFilter {
    let text = format!("policies: {{ cors: {written} }}\nroutes: [{{ path: /*, respond: {{}} }}]\n");
    let loaded = torana_plan::load("test.yaml", &text, &torana_config::FixedResolver::default());
    let plan = loaded.plan.unwrap_or_else(|| panic!("{written}: {:?}", loaded.findings));
    match &plan.routes[0].policies[0].policy {
        PolicyPlan::Cors(plan) => CorsFilter::prepare(plan),
        other => panic!("{other:?}"),
    }
}

fn exchange(method: &str, fields: &str) -> Exchange {
    let mut exchange = Exchange::default();
    let text = format!("{method} / HTTP/1.1\nHost: api.test{fields}\n\n").replace('\n', "\r\n");
    parse_request(text.as_bytes(), 0, &HeadLimits::default(), &mut exchange.request).unwrap().unwrap();
    exchange
}

fn shown(head: &ResponseHead) -> String {
    let lines = head.fields.iter().map(|(name, value)| {
        format!("{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
    });
    lines.collect::<Vec<_>>().join("\n")
}

async fn preflight(written: &str, fields: &str) -> Option<(u16, String)> {
    let mut exchange = exchange("OPTIONS", fields);
    match filter(written).on_request(&mut exchange, &Offline).await {
        Verdict::Respond(response) => {
            assert!(response.body.is_empty());
            Some((response.head.status, shown(&response.head)))
        }
        Verdict::Continue => None,
        Verdict::Fail(fault) => panic!("{fault}"),
    }
}

async fn answer(written: &str, fields: &str, upstream: &[(&str, &str)]) -> String {
    let mut exchange = exchange("GET", fields);
    let mut head = ResponseHead::new(200);
    for (name, value) in upstream {
        head.fields.append(*name, value.as_bytes()).unwrap();
    }
    let filter = filter(written);
    assert!(matches!(filter.on_request(&mut exchange, &Offline).await, Verdict::Continue));
    assert!(matches!(filter.on_response(&mut exchange, &mut head).await, Verdict::Continue));
    shown(&head)
}

const ASKS: &str = "\nOrigin: https://app.test\nAccess-Control-Request-Method: PUT";
const APP: &str = "\nOrigin: https://app.test";

#[tokio::test]
async fn preflights_are_answered_for_origins_that_may() {
    let (status, said) = preflight("'*'", ASKS).await.unwrap();
    assert_eq!(status, 200);
    assert_eq!(
        said,
        "Access-Control-Allow-Origin: *\nAccess-Control-Allow-Methods: GET, HEAD, PUT, PATCH, POST, DELETE\n\
         Vary: Access-Control-Request-Headers"
    );
    let written = "{ origins: ['https://app.test', 'https://*.dev.test'], methods: [GET, PUT], headers: [X-A, X-B], \
                   max_age: 10m, credentials: true, private_network: true, preflight_status: 204 }";
    let asks = format!("{ASKS}\nAccess-Control-Request-Private-Network: true");
    let (status, said) = preflight(written, &asks).await.unwrap();
    assert_eq!(status, 204);
    assert_eq!(
        said,
        "Vary: Origin\nAccess-Control-Allow-Origin: https://app.test\nAccess-Control-Allow-Credentials: true\n\
         Access-Control-Allow-Methods: GET, PUT\nAccess-Control-Allow-Headers: X-A, X-B\n\
         Access-Control-Max-Age: 600\nAccess-Control-Allow-Private-Network: true"
    );
    let others = ASKS.replace("app.test", "evil.test");
    assert_eq!(preflight(written, &others).await, Some((204, "Vary: Origin".into())));
}

#[tokio::test]
async fn fields_that_a_page_asks_to_send_are_allowed_where_none_are_named() {
    let asks = format!("{ASKS}\nAccess-Control-Request-Headers: x-one,x-two");
    let (_, said) = preflight("https://app.test", &asks).await.unwrap();
    assert!(said.contains("Access-Control-Allow-Headers: x-one,x-two"), "{said}");
    assert!(!preflight("{ headers: [] }", &asks).await.unwrap().1.contains("x-one"));
}

#[tokio::test]
async fn what_is_no_preflight_goes_on() {
    assert_eq!(preflight("'*'", APP).await, None, "no method is asked for");
    assert_eq!(preflight("'*'", "\nAccess-Control-Request-Method: PUT").await, None, "no origin");
    assert_eq!(preflight("{ preflight_continue: true }", ASKS).await, None);
}

#[tokio::test]
async fn answers_may_be_read_by_origins_that_may_and_by_no_other() {
    assert_eq!(answer("'*'", APP, &[]).await, "Access-Control-Allow-Origin: *");
    assert_eq!(answer("'*'", "", &[]).await, "Access-Control-Allow-Origin: *");
    let written = "{ origins: ['https://app.test'], exposed_headers: [X-Total], credentials: true }";
    assert_eq!(
        answer(written, APP, &[("Vary", "Accept-Encoding")]).await,
        "Vary: Accept-Encoding\nVary: Origin\nAccess-Control-Allow-Origin: https://app.test\n\
         Access-Control-Allow-Credentials: true\nAccess-Control-Expose-Headers: X-Total"
    );
    for fields in
        ["", "\nOrigin: https://evil.test", "\nOrigin: null", "\nOrigin: https://app.test\nOrigin: x"]
    {
        let upstream = [(ALLOW_ORIGIN, "*"), (ALLOW_CREDENTIALS, "true"), ("Vary", "origin, x")];
        assert_eq!(answer(written, fields, &upstream).await, "Vary: origin, x", "{fields}");
    }
    let regex = "{ origins: ['~https://[a-z]+[.]app[.]test'], credentials: true }";
    assert!(answer(regex, "\nOrigin: https://a.app.test", &[]).await.contains("Origin: https://a.app.test"));
    assert_eq!(answer(regex, "\nOrigin: https://a.app.test.evil.test", &[]).await, "Vary: Origin");
}

#[tokio::test]
async fn what_a_service_says_of_access_is_replaced_whatever_it_is() {
    let upstream = [
        ("Access-Control-Expose-Headers", "X-Secret"),
        ("access-control-allow-methods", "*"),
        ("Access-Control-Allow-Headers", "*"),
        ("Access-Control-Max-Age", "86400"),
        ("Access-Control-Allow-Private-Network", "true"),
        ("Access-Controlled", "kept"),
    ];
    let other = "Access-Controlled: kept\n";
    let told = "Vary: Origin\nAccess-Control-Allow-Origin: https://app.test";
    assert_eq!(answer("https://app.test", APP, &upstream).await, format!("{other}{told}"));
    let exposing = "{ origins: ['https://app.test'], exposed_headers: [X-Total] }";
    let exposed = format!("{other}{told}\nAccess-Control-Expose-Headers: X-Total");
    assert_eq!(answer(exposing, APP, &upstream).await, exposed);
    assert_eq!(answer(exposing, "", &upstream).await, format!("{other}Vary: Origin"));
}

#[tokio::test]
async fn other_origins_are_refused_where_that_is_asked_for() {
    let filter = filter("{ origins: ['https://app.test'], refuse_others: true }");
    for (fields, refused) in [
        ("", false),
        (APP, false),
        ("\nOrigin: https://api.test", false),
        ("\nOrigin: https://evil.test", true),
        ("\nOrigin: null", true),
    ] {
        let verdict = filter.on_request(&mut exchange("POST", fields), &Offline).await;
        assert_eq!(matches!(verdict, Verdict::Fail(_)), refused, "{fields}");
    }
}

#[tokio::test]
async fn where_no_origin_asks_nothing_is_said_if_so_written() {
    let quiet = "{ origins: '*', allow_origin_absent: false }";
    assert_eq!(answer(quiet, "", &[("Access-Control-Allow-Origin", "*")]).await, "Vary: Origin");
    assert_eq!(answer(quiet, APP, &[]).await, "Vary: Origin\nAccess-Control-Allow-Origin: *");
    assert_eq!(answer("'*'", "", &[]).await, "Access-Control-Allow-Origin: *");
}

/// Section 4.11 of what Kong does: the options, the request's origin, and what is said of it.
#[tokio::test]
async fn what_kong_says_of_origins_can_be_said() {
    let vary = "Vary: Origin\n";
    let (app, evil, null) = (Some("https://app.test"), Some("https://evil.test"), Some("null"));
    let one = "{ origins: ['https://app.test'], always_send_origin: true }";
    let own = "{ origins: ['https://app.test'], always_send_origin: true, credentials: true }";
    let quiet = "{ origins: ['https://app.test'], always_send_origin: true, allow_origin_absent: false }";
    let several = "{ origins: ['https://app.test', '~https://[a-z]+[.]dev[.]test'] }";
    let mixed = "{ origins: ['https://app.test', '*'] }";
    let all = "{ origins: ['*'], credentials: true, credentials_for_everybody: true }";
    let told = |origin: &str| format!("{vary}Access-Control-Allow-Origin: {origin}");
    let trusted = |origin: &str| format!("{}\nAccess-Control-Allow-Credentials: true", told(origin));
    let everybody = "Access-Control-Allow-Origin: *".to_owned();
    for (written, origin, said) in [
        ("'*'", app, everybody.clone()),
        ("'*'", None, everybody.clone()),
        (mixed, evil, everybody.clone()),
        (one, app, told("https://app.test")),
        (one, evil, told("https://app.test")),
        (one, null, told("https://app.test")),
        (one, None, told("https://app.test")),
        (own, evil, trusted("https://app.test")),
        (quiet, None, "Vary: Origin".into()),
        (quiet, evil, told("https://app.test")),
        (several, app, told("https://app.test")),
        (several, Some("https://app.test:443"), told("https://app.test:443")),
        (several, Some("https://x.dev.test"), told("https://x.dev.test")),
        (several, evil, "Vary: Origin".into()),
        (several, None, "Vary: Origin".into()),
        (all, app, trusted("https://app.test")),
        (all, evil, trusted("https://evil.test")),
        (all, null, trusted("null")),
        (all, None, format!("{vary}{everybody}")),
        (all, Some("no origin"), "Vary: Origin".into()),
        (all, Some("https://a.test\nOrigin: https://b.test"), "Vary: Origin".into()),
    ] {
        let fields = origin.map_or_else(String::new, |origin| format!("\nOrigin: {origin}"));
        // What the service says is replaced, also where nothing is said.
        let upstream = [(ALLOW_ORIGIN, "https://other.test"), (ALLOW_CREDENTIALS, "true")];
        assert_eq!(answer(written, &fields, &upstream).await, said, "{written} {origin:?}");
    }
}

#[tokio::test]
async fn kongs_own_methods_can_be_told() {
    let all = "GET, HEAD, PUT, PATCH, POST, DELETE, OPTIONS, TRACE, CONNECT";
    let (_, said) = preflight(&format!("{{ methods: [{all}] }}"), ASKS).await.unwrap();
    assert!(said.contains(&format!("Access-Control-Allow-Methods: {all}")), "{said}");
    let always = "{ origins: ['https://one.test'], always_send_origin: true, refuse_others: true }";
    let refused = filter(always).on_request(&mut exchange("GET", APP), &Offline).await;
    assert!(matches!(refused, Verdict::Fail(_)), "to be named is not to be let in");
}
