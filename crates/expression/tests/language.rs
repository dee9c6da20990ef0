//! What expressions mean, and what is refused before there is a request.

#[path = "support/request.rs"]
mod request;

use request::Request;
use torana_expression::{Expression, Kind};

#[test]
fn conditions_hold_as_cel_says() {
    for source in [
        r#"request.path.startsWith("/api") && claims.tier == "gold""#,
        r#"request.method in ["POST", "PUT"]"#,
        r#"request.host == "api.example.com" && request.scheme == "https" && request.size < 1024"#,
        r#"request.headers["X-Tenant"] == "Blue" && request.headers["x-tenant"].lowerAscii() == "blue""#,
        r#""x-tenant" in request.headers && !("x-other" in request.headers)"#,
        r#"has(request.headers["x-tenant"]) && !has(request.headers.nope)"#,
        r#"request.parameters.b == "x y" && request.query.contains("%20")"#,
        r#""user" in roles && roles.exists(role, role == "editor") && !roles.all(role, role == "user")"#,
        r#"roles.exists_one(role, role.startsWith("u"))"#,
        r#"size(roles.filter(role, role != "user")) == 1"#,
        r#"roles.map(role, role.upperAscii())[1] == "EDITOR""#,
        r#""editor" in claims.realm_access.roles && claims["realm_access"].roles.size() == 2"#,
        r#"has(claims.tier) && !has(claims.nope) && "tier" in claims"#,
        "claims.level >= 3 && claims.level > 2.5 && claims.ratio < 1",
        "claims.big == 9007199254740993 && claims.big != 9007199254740992.0",
        "claims.level + 1 == 4 && claims.level * 2 == 6 && 7 / 2 == 3 && 7 % 4 == 3 && -7 / 2 == -3",
        "claims.ratio + 1 == 1.5",
        "claims.nothing == null && claims.tier != null",
        r#"claims.mixed[0] == 1 && claims.mixed[1] == "a" && claims.mixed[2] && claims.mixed[3] == null"#,
        r#"claims.tier != 1"#,
        "claims.scopes == [\"read\", \"write\"]",
        r#"cidr("10.0.0.0/8").containsIP(client.address) && !cidr("10.2.0.0/16").containsIP(client.address)"#,
        "now.getHours() == 22 && now.getDayOfWeek() == 2 && now.getFullYear() == 2026 && now.getMonth() == 10",
        "now.getDate() == 24 && now.getDayOfMonth() == 23 && now.getMinutes() == 0 && now.getSeconds() == 0",
        "now.getMilliseconds() == 250 && request.time == now",
        r#"now > timestamp("2026-01-01T00:00:00Z") && now - timestamp(claims.iat) < duration("1s")"#,
        r#"timestamp(claims.until) > now && timestamp(claims.until) == timestamp("2026-12-24T00:00:00Z")"#,
        r#"timestamp(request.parameters.a + "970-01-01T00:00:00Z") == timestamp(0) && timestamp(now) == now"#,
        r#"timestamp("2026-01-01T00:00:00Z") + duration("24h") == timestamp("2026-01-02T00:00:00Z")"#,
        r#"request.path.matches("^/api/orders/[0-9]+$") && !request.path.matches("^/api$")"#,
        r#"request.path.split("/")[2] == "orders" && size(request.path.split("/")) == 4"#,
        r#"{"gold": 100, "free": 10}[claims.tier] == 100"#,
        r#"(claims.tier == "gold" ? 100 : 10) == 100"#,
        r#"int(request.headers["x-tenant"] == "Blue" ? "7" : "8") == 7 && string(7) == "7" && double("1.5") == 1.5"#,
        r#"" a ".trim() == "a" && "ab".size() == 2 && size("ä") == 1"#,
        r#""a" + "b" == "ab""#,
        "[1, 2, 3].exists(a, [2, 4].exists(b, a * 2 == b))",
        "authenticated && consumer == \"ada\" && \"staff\" in groups",
        r#"consumer_metadata.plan == "yearly" && consumer_metadata.seats > 4 && !has(consumer_metadata.nope)"#,
        // Errors of operands that do not decide are none, whichever stands first.
        "claims.nope == 1 || true",
        "!(claims.nope == 1 && false)",
        "claims.mixed.exists(value, value == 1 || value.nope)",
        "!claims.mixed.all(value, value.startsWith(\"b\") && false)",
        "9223372036854775807 > 0 && 0xff == 255 && 1.5e3 == 1500.0",
        "true // a remark",
    ] {
        let expression =
            Expression::condition(source).unwrap_or_else(|errors| panic!("{source}: {errors:?}"));
        assert_eq!(expression.holds(&Request::default()), Ok(true), "{source}");
    }
}

#[test]
fn what_is_not_there_or_does_not_fit_is_an_error_and_never_true() {
    for (source, error) in [
        ("claims.nope == 1", "there is no `nope`"),
        ("request.headers[\"x-nope\"] == \"\"", "there is no `x-nope`"),
        ("request.headers[claims.tier] == \"\"", "there is no"),
        ("claims.tier > 1", "a string was needed, but there is an int"),
        ("claims.tier.startsWith(claims.level)", "a string was needed"),
        ("claims.level", "a bool was needed, but there is an int"),
        ("claims.tier.x", "a map was needed"),
        ("claims.scopes[2] == \"\"", "no element 2"),
        ("claims.scopes[-1] == \"\"", "no element -1"),
        ("claims.level / 0 == 1", "divided by zero"),
        ("9223372036854775807 + claims.level > 0", "too large"),
        ("claims.nope == 1 && true", "there is no `nope`"),
        ("claims.nope == 1 || false", "there is no `nope`"),
        ("int(claims.tier) == 1", "not a number"),
        ("cidr(\"10.0.0.0/8\").containsIP(claims.tier)", "not an address"),
        ("{\"a\": true}[claims.tier]", "there is no `gold`"),
        ("claims.exists_nothing.exists(x, x)", "there is no"),
        ("claims.sub.split(\"\").size() == 1", "not a separator"),
    ] {
        let expression =
            Expression::condition(source).unwrap_or_else(|errors| panic!("{source}: {errors:?}"));
        let told = expression.holds(&Request::default()).unwrap_err().to_string();
        assert!(told.contains(error), "{source}: {told}");
    }
}

#[test]
fn mistakes_are_found_before_serving_with_place_and_remedy() {
    for (source, place, problem, help) in [
        ("request.pth == \"/\"", "request.pth", "there is no `request.pth`", "did you mean `request.path`?"),
        ("path == \"/\"", "path", "nothing called `path`", "did you mean `request.path`?"),
        ("claim.tier == \"x\"", "claim", "nothing called `claim`", "did you mean `claims`?"),
        ("rols.exists(r, r == \"x\")", "rols", "nothing called `rols`", "did you mean `roles`?"),
        ("zzz", "zzz", "nothing called `zzz`", "there are request.method"),
        ("request == 1", "request", "no value by itself", "`request.path`"),
        ("request.path == 1", "request.path == 1", "does not compare a string with an int", ""),
        ("request.path", "request.path", "a bool is needed, and this is a string", ""),
        ("request.size > \"1\"", "request.size > \"1\"", "does not compare", ""),
        ("request.path && true", "request.path", "`&&` needs a bool, and this is a string", ""),
        ("!request.size", "request.size", "`!` needs a bool", ""),
        ("request.path.startsWith(1)", "1", "`startsWith` needs a string, and this is an int", ""),
        (
            "request.path.startWith(\"/\")",
            "startWith",
            "no function `startWith`",
            "did you mean `startsWith`?",
        ),
        ("startsWith(request.path, \"/\")", "startsWith", "no function", "called on a value"),
        ("request.path.matches(claims.re)", "claims.re", "wants a string that stands here", "write it out"),
        ("request.path.matches(\"(\")", "\"(\"", "the regular expression is not valid: unclosed group", ""),
        ("request.headers == 1", "request.headers", "only looked up in by name", "request.headers[\"name\"]"),
        ("request.headers[\"x y\"] == \"\"", "\"x y\"", "not the name of a field", ""),
        ("cidr(\"10.0.0.0/33\").containsIP(client.address)", "\"10.0.0.0/33\"", "not a network", ""),
        ("cidr(\"10.0.0.0/8\") == 1", "cidr(\"10.0.0.0/8\")", "only asked whether", "containsIP"),
        ("duration(\"1 hour\") > duration(\"1s\")", "\"1 hour\"", "not a span of time", "1h30m"),
        ("now > timestamp(roles)", "roles", "`timestamp` is not made of a list", ""),
        ("now > timestamp(\"tomorrow\")", "\"tomorrow\"", "not a date and time", "RFC 3339"),
        ("1 in [\"a\"]", "1 in [\"a\"]", "never in a list", ""),
        ("1 in request.path", "request.path", "looks into a list or a map", ""),
        ("request.path + 1 == \"\"", "request.path + 1", "`+` does not join a string and an int", "string("),
        ("1.5 % 2.0 == 1.0", "1.5 % 2.0", "`%` does not join", ""),
        ("roles.all(r)", "roles.all(r)", "takes two arguments", "roles.all(role"),
        ("roles.all(\"r\", true)", "\"r\"", "a name for the element", ""),
        ("claims.all(c, true)", "claims", "goes over a list, and this is a map", ""),
        (
            "roles.all(a, roles.all(b, roles.all(c, true)))",
            "roles.all(c, true)",
            "loops nest at most 2 deep",
            "",
        ),
        ("{\"a\": 1} == null", "{\"a\": 1}", "only looked up in", "claims.tier"),
        ("{\"a\": true, \"a\": false}[consumer]", "\"a\"", "is there twice", ""),
        ("has(claims)", "has(claims)", "asks for a key", "has(claims.tier)"),
        ("a and b", "and", "not `and`", "write `&&`"),
        ("consumer = \"ada\"", "=", "nothing is assigned", "write `==`"),
    ] {
        let errors = Expression::condition(source).expect_err(source);
        let error = &errors[0];
        assert!(error.problem.contains(problem), "{source}: {}", error.problem);
        let shown = &source[error.place.clone()];
        assert!(shown == place || source.ends_with(&format!("{shown} == null")), "{source}: {shown:?}");
        assert!(error.help.as_deref().unwrap_or_default().contains(help), "{source}: {:?}", error.help);
    }
}

#[test]
fn every_mistake_is_told_at_once_in_the_order_of_the_text() {
    let errors = Expression::condition("request.pth == 1 && claims.x && nope").unwrap_err();
    let places: Vec<usize> = errors.iter().map(|error| error.place.start).collect();
    assert_eq!(places, [0, 32]);
}

#[test]
fn other_kinds_can_be_asked_for() {
    let expression = Expression::compile("claims.tier + \":\" + client.address", &Kind::Text).unwrap();
    let request = Request::default();
    assert_eq!(expression.evaluate(&request).unwrap().as_text(), Ok("gold:10.1.2.3"));
    assert!(Expression::compile("request.size", &Kind::Text).is_err());
    assert!(expression.asks_who_calls());
    assert!(!Expression::condition("request.size > 1").unwrap().asks_who_calls());
}

#[test]
fn nobody_is_told_apart_from_somebody() {
    let nobody = Request { consumer: String::new(), claims: Default::default(), ..Request::default() };
    assert_eq!(Expression::condition("authenticated").unwrap().holds(&nobody), Ok(false));
    assert!(Expression::condition("claims.tier == \"gold\"").unwrap().holds(&nobody).is_err());
}

#[test]
fn what_is_no_time_has_no_value() {
    for source in
        ["claims.tier", "claims.ratio", "claims.nothing", "claims.scopes", "request.path", "claims.huge"]
    {
        for operator in ["<", ">="] {
            let condition = Expression::condition(&format!("timestamp({source}) {operator} now")).unwrap();
            let mut request = Request::default();
            request
                .claims
                .insert("huge".into(), format!("2026-01-01T00:00:00.{}Z", "0".repeat(9_000)).into());
            assert!(condition.holds(&request).is_err(), "{source}");
        }
    }
    let long = format!("2026-01-01T00:00:00.{}Z", "0".repeat(200_000));
    let mut request = Request::default();
    request.claims.insert("huge".into(), long.into());
    let condition = Expression::condition("timestamp(claims.huge) < now").unwrap();
    assert_eq!(condition.holds(&request), Err(torana_expression::EvaluationError::OverBudget));
}

#[test]
fn work_is_bounded_whatever_a_caller_sends() {
    let many: Vec<serde_json::Value> = (0..2_000).map(Into::into).collect();
    let mut request = Request::default();
    request.claims.insert("many".into(), many.into());
    let expression = Expression::condition("claims.many.all(a, claims.many.all(b, a + b != -1))").unwrap();
    let start = std::time::Instant::now();
    assert!(expression.holds(&request).unwrap_err().to_string().contains("more steps"));
    assert!(start.elapsed().as_millis() < 1_000, "{:?}", start.elapsed());
    let outvoted =
        Expression::condition("claims.many.all(a, claims.many.all(b, a + b != -1)) || true").unwrap();
    assert!(outvoted.holds(&request).is_err(), "the end of the budget is final");
}
