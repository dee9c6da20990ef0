use super::*;
use serde_json::Value;
use torana_filter::Offline;
use torana_http::h1::{HeadLimits, parse_request};
use torana_plan::PolicyPlan;

/// Plans what stands under `terminate` in a file.
fn filter(written: &str) -> TerminateFilter {
    let text = format!(
        "policies: {{ terminate: {written} }}\nroutes: [{{ name: here, path: '/items/{{id}}', respond: {{}} }}]\n"
    );
    let loaded = torana_plan::load("test.yaml", &text, &torana_config::FixedResolver::default());
    let plan = loaded.plan.unwrap_or_else(|| panic!("{written}: {:?}", loaded.findings));
    let route = &plan.routes[0];
    match &route.policies[0].policy {
        PolicyPlan::Terminate(plan) => TerminateFilter::prepare(
            plan,
            EchoPlace {
                route: Arc::clone(&route.name),
                path: route.matching.path.clone(),
                service: Some("items".into()),
            },
        ),
        other => panic!("{other:?}"),
    }
}

fn exchange(target: &str, fields: &str) -> Exchange {
    let mut exchange = Exchange::default();
    let text = format!("POST {target} HTTP/1.1\nHost: api.test{fields}\n\n").replace('\n', "\r\n");
    parse_request(text.as_bytes(), 0, &HeadLimits::default(), &mut exchange.request).unwrap().unwrap();
    exchange
}

async fn answered(filter: &TerminateFilter, mut exchange: Exchange) -> Option<(u16, Option<String>, String)> {
    match filter.on_request(&mut exchange, &Offline).await {
        Verdict::Continue => None,
        Verdict::Respond(response) => {
            let content_type = response.head.fields.get_str(Known::ContentType).map(str::to_owned);
            Some((response.head.status, content_type, String::from_utf8(response.body.to_vec()).unwrap()))
        }
        Verdict::Fail(fault) => panic!("{fault}"),
    }
}

/// Section 4.14 of what Kong does.
#[tokio::test]
async fn a_status_has_kongs_message_unless_another_or_a_body_is_written() {
    let json = "application/json; charset=utf-8";
    for (written, status, content_type, body) in [
        ("on", 503, Some(json), r#"{"message":"Service unavailable"}"#),
        ("{ status: 401 }", 401, Some(json), r#"{"message":"Unauthorized"}"#),
        ("{ status: 404 }", 404, Some(json), r#"{"message":"Not found"}"#),
        ("{ status: 405 }", 405, Some(json), r#"{"message":"Method not allowed"}"#),
        ("{ status: 500 }", 500, Some(json), r#"{"message":"An unexpected error occurred"}"#),
        ("{ status: 502 }", 502, Some(json), r#"{"message":"Bad Gateway"}"#),
        ("{ status: 410 }", 410, None, ""),
        ("{ status: 204 }", 204, None, ""),
        (
            "{ status: 410, message: 'gone \"for good\"' }",
            410,
            Some(json),
            r#"{"message":"gone \"for good\""}"#,
        ),
        ("{ status: 200, body: hi }", 200, Some("text/plain; charset=utf-8"), "hi"),
        ("{ body: <p>, content_type: text/html }", 503, Some("text/html"), "<p>"),
    ] {
        let said = answered(&filter(written), exchange("/items/1", "")).await;
        assert_eq!(said, Some((status, content_type.map(str::to_owned), body.to_owned())), "{written}");
    }
}

#[tokio::test]
async fn with_a_trigger_only_requests_that_have_it_are_answered() {
    let filter = filter("{ trigger: X-Stop }");
    for (target, fields, stops) in [
        ("/items/1", "", false),
        ("/items/1", "\nx-stop: 1", true),
        ("/items/1", "\nX-Stop:", true),
        ("/items/1?X-Stop=1", "", true),
        ("/items/1?a=b&X%2DStop", "", true),
        ("/items/1?x-stop=1", "", false),
        ("/items/X-Stop?a=X-Stop", "\nX-Stopped: 1", false),
    ] {
        let said = answered(&filter, exchange(target, fields)).await;
        assert_eq!(said.is_some(), stops, "{target} {fields}");
    }
}

#[tokio::test]
async fn an_echo_has_every_member_of_kongs() {
    let filter = filter("{ echo: true, status: 200, message: looking }");
    let mut asked = exchange("/items/7?a=1&a=%20&b", "\nContent-Type: application/json\nContent-Length: 11");
    assert_eq!(filter.needs(&asked), Needs::body(Echo::LONGEST));
    asked.body = Some(Bytes::from_static(br#"{"x":[1,2]}"#));
    let (status, content_type, said) = answered(&filter, asked).await.unwrap();
    assert_eq!((status, content_type.as_deref()), (200, Some("application/json")));
    let said: Value = serde_json::from_str(&said).unwrap();
    let request = &said["request"];
    for (shown, expected) in [
        (&said["message"], json!("looking")),
        (&said["matched_route"], json!({"name": "here"})),
        (&said["matched_service"], json!({"name": "items"})),
        (&said["kong"]["worker_pid"], json!(std::process::id())),
        (&request["uri_captures"], json!({"named": {"id": "7"}})),
        (&request["query"], json!({"a": ["1", " "], "b": true})),
        (&request["raw_query"], json!("a=1&a=%20&b")),
        (&request["body"], json!({"x": [1, 2]})),
        (&request["raw_body"], json!(r#"{"x":[1,2]}"#)),
        (&request["headers"]["content-type"], json!("application/json")),
    ] {
        assert_eq!(*shown, expected);
    }
    assert_eq!(said["kong"]["node_id"].as_str().unwrap().len(), 36);
    assert!(said["kong"]["hostname"].is_string());
}

#[tokio::test]
async fn a_body_is_read_by_its_type_and_only_where_it_is_shown() {
    let echo = filter("{ echo: true, trigger: X-Look }");
    let parts = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--\r\n";
    for (content_type, body, shown) in [
        ("application/x-www-form-urlencoded", "a=1&b=x+y&a=2", json!({"a": ["1", "2"], "b": "x y"})),
        ("multipart/form-data; boundary=b", parts, json!({"a": "1"})),
        ("application/json", "[1", Value::Null),
        ("text/plain", "a=1", Value::Null),
    ] {
        let length = body.len();
        let fields = format!("\nX-Look: 1\nContent-Type: {content_type}\nContent-Length: {length}");
        let mut asked = exchange("/items/7", &fields);
        asked.body = Some(Bytes::copy_from_slice(body.as_bytes()));
        let said: Value = serde_json::from_str(&answered(&echo, asked).await.unwrap().2).unwrap();
        assert_eq!(said["request"]["body"], shown, "{content_type}");
        assert_eq!(said["message"], "Service unavailable");
    }
    let with_body = "\nContent-Length: 1";
    assert_eq!(echo.needs(&exchange("/items/7", with_body)), Needs::NOTHING, "nothing asks for it");
    assert_eq!(filter("on").needs(&exchange("/items/7", with_body)), Needs::NOTHING, "nothing is shown");
}
