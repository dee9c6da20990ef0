use super::*;
use serde_json::json;

fn read(text: &str) -> Option<Claims> {
    Claims::read(text.as_bytes().to_vec())
}

#[test]
fn claims_are_found_by_name_before_path() {
    let claims =
        json!({"https://a.test/x": 1, "realm": {"roles": ["a"]}, "realm.roles": 2, "t": {"u": {"v": 3}}});
    let claims = read(&claims.to_string()).unwrap();
    let number = |path: &str| claims.find(path).and_then(Json::as_u64);
    assert_eq!(number("https://a.test/x"), Some(1));
    assert_eq!(number("realm.roles"), Some(2));
    assert_eq!(number("t.u.v"), Some(3));
    let odd = read(r#"{"x":0,"":1,"\u0061b":2,"ac":3}"#).unwrap();
    let number = |name: &str| odd.get(name).and_then(Json::as_u64);
    assert_eq!(["", "ab", "ac", "x", "a"].map(number), [Some(1), Some(2), Some(3), Some(0), None]);
    for missing in ["t.u.w", "t.u.v.x", "", ".", "t..u", "v", "roles"] {
        assert!(claims.find(missing).is_none(), "{missing}");
    }
}

#[test]
fn what_is_looked_at_is_what_was_written() {
    let text = r#"{"text":"a\u00e9\n\"","n":-7,"f":1.50e1,"t":true,"x":null,"list":[1,[2],{"a":"b"}],"o":{},"big":18446744073709551615}"#;
    let claims = read(text).unwrap();
    assert_eq!(claims.get("text").and_then(Json::as_str), Some("a\u{e9}\n\""));
    assert!(matches!(claims.get("f"), Some(Json::Number("1.50e1"))));
    assert_eq!(claims.get("n").and_then(Json::as_u64), None);
    assert_eq!(claims.get("big").and_then(Json::as_u64), Some(u64::MAX));
    assert!(matches!(claims.get("t"), Some(Json::Bool(true))) && matches!(claims.get("x"), Some(Json::Null)));
    let Some(Json::List(list)) = claims.get("list") else { panic!("a list") };
    let items: Vec<Value> = list.values().map(Json::to_value).collect();
    assert_eq!(Value::Array(items), json!([1, [2], { "a": "b" }]));
    assert_eq!(*claims.map(), *serde_json::from_str::<Value>(text).unwrap().as_object().unwrap());
    assert_eq!(Claims::from(claims.map().clone()), claims);
}

#[test]
fn names_are_distinct_at_every_depth_however_they_are_written_and_however_many() {
    let many = |count: usize| {
        let members: Vec<String> =
            (0..count).map(|number| format!("\"a claim {number}\":{number}")).collect();
        members.join(",")
    };
    for good in
        [r#"{"a":1,"b":{"a":[{"a":1},{"a":2}]}}"#, &format!("{{{}}}", many(1000)), r#"{"":1,"\u0000":2}"#]
    {
        assert!(read(good).is_some(), "{good}");
    }
    let late = format!("{{{},\"a claim 7\":1}}", many(1000));
    let early = format!("{{{},\"a claim 7\":1}}", many(9));
    for bad in [
        r#"{"a":1,"a":1}"#,
        r#"{"x":{"a":1,"a":2}}"#,
        r#"{"x":[{"a":1,"\u0061":2}]}"#,
        r#"{"a long name of a claim":1,"a long name of \u0061 claim":2}"#,
        r#"{"":1,"":2}"#,
        &late,
        &early,
    ] {
        assert!(read(bad).is_none(), "{bad}");
    }
}

#[test]
fn what_is_not_json_of_an_object_is_refused() {
    let deep = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    assert!(read(&deep(127)).is_some());
    assert!(read(&deep(128)).is_none());
    for bad in [
        "[]",
        "1",
        "",
        "{",
        "}",
        "{}x",
        "{}{}",
        "{,}",
        r#"{"a":1,}"#,
        r#"{"a" 1}"#,
        r#"{"a":}"#,
        r#"{a:1}"#,
        r#"{"a":[1,]}"#,
        r#"{"a":01}"#,
        r#"{"a":-}"#,
        r#"{"a":1.}"#,
        r#"{"a":.5}"#,
        r#"{"a":1e}"#,
        r#"{"a":+1}"#,
        r#"{"a":1e999}"#,
        r#"{"a":tru}"#,
        r#"{"a":NaN}"#,
        r#"{"a":"\ud800"}"#,
        r#"{"a":"\x"}"#,
        r#"{"a":"\"}"#,
        r#"{"a":"b}"#,
        "{\"a\":\"\n\"}",
        "{\"a\":\"\u{1}\"}",
        "\u{feff}{}",
        "{\u{a0}}",
        "{}\0",
    ] {
        assert!(read(bad).is_none(), "{bad}");
    }
    assert!(Claims::read(b"{\"a\":\"\xff\"}".to_vec()).is_none());
}

#[test]
fn what_was_set_aside_is_found_again() {
    let text = r#"{"a":"\u0062","list":[{"c":"d"},"e"],"f":{"g":1}}"#;
    let mut claims = read(text).unwrap();
    let weight = claims.weight();
    claims.set_aside();
    // The next ones have the list now.
    let others = read(r#"{"a":"other"}"#).unwrap();
    assert_eq!(claims.find("f.g").and_then(Json::as_u64), Some(1));
    assert_eq!(claims.get("a").and_then(Json::as_str), Some("b"));
    assert_eq!(others.get("a").and_then(Json::as_str), Some("other"));
    assert_eq!((claims.weight(), &claims), (weight, &read(text).unwrap()));
}
