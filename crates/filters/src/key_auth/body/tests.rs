use super::*;

fn form(content_type: &str) -> Result<Option<BodyForm>, Unreadable> {
    let mut fields = Fields::default();
    fields.append(Known::ContentType, content_type.as_bytes()).unwrap();
    BodyForm::of(&fields)
}

fn names() -> [String; 1] {
    ["apikey".to_owned()]
}

fn shown(content_type: &str, body: &str) -> Result<Vec<(bool, String)>, Unreadable> {
    let (form, names) = (form(content_type).unwrap().unwrap(), names());
    let values = form.values(body.as_bytes(), &names)?;
    Ok(values.iter().map(|shown| (shown.is_own, String::from_utf8_lossy(&shown.value).into())).collect())
}

/// What is looked for.
fn found(content_type: &str, body: &str) -> Result<Vec<String>, Unreadable> {
    let shown = shown(content_type, body)?.into_iter();
    Ok(shown.filter(|(is_own, _)| *is_own).map(|(_, value)| value).collect())
}

/// And what may be taken for it, once each.
fn all(content_type: &str, body: &str) -> Result<Vec<String>, Unreadable> {
    let mut all: Vec<_> = shown(content_type, body)?.into_iter().map(|(_, value)| value).collect();
    all.sort();
    all.dedup();
    Ok(all)
}

fn hidden(content_type: &str, body: &str) -> Option<String> {
    let form = form(content_type).unwrap().unwrap();
    let rest = form.without(body.as_bytes(), &names()).unwrap();
    rest.map(|body| String::from_utf8(body).unwrap())
}

fn texts(all: &[&str]) -> Result<Vec<String>, Unreadable> {
    Ok(all.iter().map(|&text| text.to_owned()).collect())
}

const PAIRS: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json; charset=utf-8";
const PARTS: &str = "multipart/form-data; boundary=\"a b\"";

#[test]
fn the_form_is_what_the_type_says() {
    assert_eq!(form(PAIRS), Ok(Some(BodyForm::Pairs)));
    assert_eq!(form(JSON), Ok(Some(BodyForm::Json)));
    assert_eq!(form(PARTS), Ok(Some(BodyForm::Parts(b"a b".to_vec()))));
    let quoted = form("Multipart/Form-Data; x=\"y;boundary=z\"; Boundary=q");
    assert_eq!(quoted, Ok(Some(BodyForm::Parts(b"q".to_vec()))));
    for other in ["text/plain", "application/jsonp", "multipart/mixed; boundary=a"] {
        assert_eq!(form(other), Ok(None), "{other}");
    }
    for twofold in
        ["", "; boundary=", "; x; boundary=b", "; boundary=a; boundary=b", "; boundary*=b", "; boundary=\"b"]
    {
        assert_eq!(form(&format!("multipart/form-data{twofold}")), Err(Unreadable), "{twofold}");
    }
    let mut fields = Fields::default();
    fields.append(Known::ContentType, PAIRS.as_bytes()).unwrap();
    fields.append(Known::ContentEncoding, b"identity").unwrap();
    assert_eq!(BodyForm::of(&fields), Ok(Some(BodyForm::Pairs)));
    fields.append(Known::ContentEncoding, b"gzip").unwrap();
    assert_eq!(BodyForm::of(&fields), Ok(None));
    let mut two = Fields::default();
    two.append(Known::ContentType, b"text/plain").unwrap();
    two.append(Known::ContentType, PAIRS.as_bytes()).unwrap();
    assert_eq!(BodyForm::of(&two), Err(Unreadable));
}

#[test]
fn a_pair_is_found_and_taken_out_alone() {
    assert_eq!(found(PAIRS, "a=%2f&api%6bey=one+two&b"), texts(&["one two"]));
    assert_eq!(hidden(PAIRS, "a=%2f&api%6bey=one+two&b").as_deref(), Some("a=%2f&b"));
    assert_eq!(hidden(PAIRS, "apikey=1").as_deref(), Some(""));
    assert_eq!(hidden(PAIRS, "a=1&key=2"), None);
    assert_eq!(found(PAIRS, "apikey=1&APIKEY=2&apikey[]=3"), texts(&["1"]));
    assert_eq!(all(PAIRS, "apikey=1&APIKEY=2&apikey[]=3"), texts(&["1", "2", "3"]));
    assert_eq!(hidden(PAIRS, "apikey=1&a=1&%20ApiKey=2").as_deref(), Some("a=1"));
}

#[test]
fn a_member_is_found_and_the_values_beside_it_stay() {
    let body = r#" {"n":1.50e400, "api\u006bey" : "k\u0031","o":{"apikey":"inner"}} "#;
    assert_eq!(found(JSON, body), texts(&["k1"]));
    assert_eq!(hidden(JSON, body).as_deref(), Some(r#"{"n":1.50e400,"o":{"apikey":"inner"}}"#));
    assert_eq!(found(JSON, r#"{"apikey":"a","apikey":"b"}"#), texts(&["a", "b"]));
    assert_eq!(hidden(JSON, r#"{"apikey":"a","apikey":7}"#).as_deref(), Some("{}"));
    let cased = "{\"apikey\":\"a\",\"APIKEY\":\"b\",\"api\u{212a}ey\":\"c\"}";
    assert_eq!(found(JSON, cased), texts(&["a"]));
    assert_eq!(all(JSON, cased), texts(&["a", "b", "c"]));
    assert_eq!(
        hidden(JSON, r#"{"apikey":"a","ApiKey":"b","api.key":"c"}"#).as_deref(),
        Some(r#"{"api.key":"c"}"#)
    );
    for other in ["null", "5", "true", "[\"b\"]", r#"{"x":1}"#] {
        let body = format!(r#"{{"apikey":"a","ApiKey":{other}}}"#);
        assert_eq!(all(JSON, &body), texts(&["a"]), "{body}");
        assert_eq!(hidden(JSON, &body).as_deref(), Some("{}"), "{body}");
    }
    assert_eq!(all(JSON, r#"{"ApiKey":"\ud800"}"#), Err(Unreadable));
    for (key, is_alike) in [
        ("apikey", true),
        ("aPIkEY", true),
        ("api\u{212a}ey", true),
        ("apikey\u{e9}", false),
        ("apikeys", false),
    ] {
        assert_eq!(is_member(key, &names()), is_alike, "{key}");
        assert_eq!(is_member("apikey", &[key.to_owned()]), is_alike, "{key}");
    }
    assert!(
        members(br#"{"a":1,"b\u0063":2}"#)
            .unwrap()
            .iter()
            .map(|(key, _)| matches!(key, Cow::Borrowed(_)))
            .eq([true, false])
    );
    for none in ["", " ", "[1]", "7", "\"apikey\"", "{}", r#"{"other":"a"}"#] {
        assert_eq!(found(JSON, none), texts(&[]), "{none}");
        assert_eq!(hidden(JSON, none), None, "{none}");
    }
    let bom = "\u{feff}{\"apikey\":\"a\"}";
    for twofold in [
        bom,
        r#"{"apikey":7}"#,
        r#"{"apikey":"right","apikey":["other"]}"#,
        r#"{"apikey":"a"} x"#,
        r#"{"apikey":"a""#,
        r#"{"apikey":"a","n":NaN}"#,
        r#"{"apikey":"a","\ud800":1}"#,
    ] {
        assert_eq!(found(JSON, twofold), Err(Unreadable), "{twofold}");
        assert_eq!(all(JSON, twofold), Err(Unreadable), "{twofold}");
    }
}

#[test]
fn a_part_is_found_and_taken_out_with_its_delimiter() {
    let file = "--a b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"k\"\r\nContent-Type: text/plain\r\n\r\nfile\r\n";
    let own = "--a b\r\nX: y\r\ncontent-disposition: FORM-DATA; Name=apikey\r\n\r\nse--a bcret\r\n";
    let other = "--a b\r\nContent-Disposition: form-data; name=\"say \\\"apikey\\\"\"\r\n\r\n\r\n";
    let end = "--a b--\r\n";
    let body = format!("{file}{own}{other}{end}");
    assert_eq!(found(PARTS, &body), texts(&["se--a bcret"]));
    assert_eq!(hidden(PARTS, &body), Some(format!("{file}{other}{end}")));
    assert_eq!(hidden(PARTS, &format!("{file}{other}{end}")), None);
    let alike = own.replace("Name=apikey", "name=\"ApiKey[]\"");
    assert_eq!(hidden(PARTS, &format!("{own}{alike}{other}{end}")), Some(format!("{other}{end}")));
    assert_eq!(found(PARTS, "--a b--"), texts(&[]));
    let part = |head: &str| format!("--a b\r\n{head}\r\n\r\nx\r\n{end}");
    for twofold in [
        String::new(),
        "--a b".into(),
        format!("{file}{own}"),
        format!("before\r\n{own}{end}"),
        format!("{own}{end}after"),
        format!("{own}{end}{own}{end}"),
        format!("{own}--a b--X"),
        own.replace("\r\n\r\n", "\r\n") + end,
        format!("{}{end}", own.replace("\r\n", "\n")),
        format!("{own}\n--a b\r\n{end}"),
        format!("{own}--a b \r\n{}{end}", &other[7..]),
        format!("{own}--a bc\r\n{end}"),
        part("Content-Disposition : form-data; name=apikey"),
        part("Content-Disposition: form-data;\r\n name=apikey"),
        part("Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=apikey"),
        part("Content-Disposition: form-data; x; name=\"apikey\""),
        part("Content-Disposition: form-data; name=a; name=apikey"),
        part("Content-Disposition: form-data; name=a; name*=utf-8''apikey"),
        part("Content-Disposition: form-data; name=\"api\\key\""),
        part("Content-Disposition: form-data; name=\"apikey\" x"),
        part("Content-Disposition: form-data"),
        part("Content-Disposition: attachment; name=apikey"),
        part("Content-Disposition: form-data; name=apikey; filename=\"\""),
        part("Content-Disposition: form-data; name=apikey\r\nContent-Transfer-Encoding: base64"),
        part("X: y"),
    ] {
        assert_eq!(found(PARTS, &twofold), Err(Unreadable), "{twofold}");
    }
}

proptest::proptest! {
    #[test]
    fn no_body_is_too_strange(
        body in "(--a b(--)?|\r\n|[a-z:;=\"{}\\\\]|Content-Disposition: form-data; name=apikey){0,40}",
    ) {
        for content_type in [PAIRS, JSON, PARTS] {
            let (form, names) = (form(content_type).unwrap().unwrap(), names());
            match form.without(body.as_bytes(), &names) {
                Ok(Some(rest)) => proptest::prop_assert_eq!(form.values(&rest, &names), Ok(Vec::new())),
                Ok(None) => proptest::prop_assert_eq!(form.values(body.as_bytes(), &names), Ok(Vec::new())),
                Err(Unreadable) => {}
            }
        }
    }

    #[test]
    fn whoever_sends_a_form_properly_is_understood(
        before in proptest::collection::vec("[a-z]{0,9}", 0..3),
        key in "[ -~]{0,40}",
    ) {
        let part = |name: &str, value: &str| {
            format!("--a b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let others: String = before.iter().map(|value| part("other", value)).collect();
        let body = format!("{others}{}--a b--\r\n", part("apikey", &key));
        proptest::prop_assert_eq!(found(PARTS, &body), texts(&[&key]));
        proptest::prop_assert_eq!(hidden(PARTS, &body), Some(format!("{others}--a b--\r\n")));
    }
}
