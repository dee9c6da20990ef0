//! Nothing that is written or sent panics, and what was checked does not fail for its kinds.

#[path = "support/request.rs"]
mod request;

use proptest::prelude::*;
use request::Request;
use torana_expression::Expression;

/// Pieces that expressions are made of, and some that they are not.
const PIECES: [&str; 58] = [
    "request",
    ".",
    "path",
    "headers",
    "claims",
    "roles",
    "now",
    "client.address",
    "consumer",
    "tier",
    "x",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "?",
    "&&",
    "||",
    "!",
    "-",
    "+",
    "*",
    "/",
    "%",
    "==",
    "!=",
    "<",
    "<=",
    " in ",
    "1",
    "0x7f",
    "1.5",
    "9223372036854775807",
    "1e999",
    "\"a\"",
    "'b'",
    "r\"\\d\"",
    "\"\\x\"",
    "true",
    "null",
    "has(",
    "size(",
    "all(",
    "exists(",
    "map(",
    "matches(",
    "startsWith(",
    "cidr(",
    "timestamp(",
    "duration(",
    "\u{e4}",
    "//",
    "\n",
    "\"",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn any_text_is_read_or_refused_with_a_place_in_it(source in ".{0,200}") {
        if let Err(errors) = Expression::condition(&source) {
            prop_assert!(!errors.is_empty());
            for error in errors {
                prop_assert!(source.get(error.place.clone()).is_some(), "{:?} in {source:?}", error.place);
            }
        }
    }

    #[test]
    fn any_pieces_are_read_or_refused(pieces in prop::collection::vec(0..PIECES.len(), 0..60)) {
        let source: String = pieces.iter().map(|piece| PIECES[*piece]).collect();
        match Expression::condition(&source) {
            Ok(expression) => {
                let _ = expression.holds(&Request::default());
            }
            Err(errors) => {
                prop_assert!(errors.iter().all(|error| source.get(error.place.clone()).is_some()));
            }
        }
    }

    #[test]
    fn what_is_well_made_is_taken_and_has_a_value(condition in condition()) {
        let expression = Expression::condition(&condition);
        prop_assert!(expression.is_ok(), "{condition}: {expression:?}");
        // What is not there is an error; a kind that was known before is never wrong.
        if let Err(error) = expression.unwrap().holds(&Request::default()) {
            let told = error.to_string();
            prop_assert!(!told.contains("was needed"), "{condition}: {told}");
        }
    }

    #[test]
    fn any_facts_are_borne(
        path in ".{0,100}", address in ".{0,40}", value in ".{0,40}", roles in prop::collection::vec(".{0,9}", 0..9)
    ) {
        let request = Request { path, address, roles, headers: vec![("x-tenant", value)], ..Request::default() };
        for source in [
            "cidr(\"10.0.0.0/8\").containsIP(client.address)",
            "request.path.split(\"/\").all(part, part.matches(\"^[a-z]*$\") || part.size() > 2)",
            "int(request.headers[\"x-tenant\"]) > 1",
            "double(request.headers[\"x-tenant\"]) > 1.0",
            "roles.map(role, role.trim().upperAscii() + request.path).exists(role, role == request.path)",
        ] {
            let _ = Expression::condition(source).unwrap().holds(&request);
        }
    }
}

/// Conditions that are well made.
fn condition() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        Just("request.path".to_owned()),
        Just("consumer".to_owned()),
        Just("client.address".to_owned()),
        Just("\"a\\\"b\"".to_owned()),
        Just("request.headers[\"x-tenant\"]".to_owned()),
        Just("request.parameters.a".to_owned()),
        Just("string(request.size)".to_owned()),
        Just("roles[0]".to_owned()),
    ];
    let number = prop_oneof![
        (0..100_i64).prop_map(|number| number.to_string()),
        Just("request.size".to_owned()),
        Just("size(roles)".to_owned()),
        Just("now.getHours()".to_owned()),
        Just("(1 + 2 * 3)".to_owned()),
    ];
    let leaf = prop_oneof![
        (text.clone(), text.clone()).prop_map(|(one, other)| format!("{one} == {other}")),
        (text.clone(), text.clone()).prop_map(|(one, other)| format!("{one}.startsWith({other})")),
        (text.clone(), text.clone()).prop_map(|(one, other)| format!("{one} in [{other}, \"x\"]")),
        (number.clone(), number).prop_map(|(one, other)| format!("{one} <= {other}")),
        text.prop_map(|one| format!("roles.exists(r, r != {one})")),
        Just("authenticated".to_owned()),
        Just("has(claims.tier)".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|all| format!("({})", all.join(" && "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|all| format!("({})", all.join(" || "))),
            inner.clone().prop_map(|one| format!("!({one})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
        ]
    })
}
