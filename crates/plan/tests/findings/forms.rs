//! What is written in a form that it does not have.

use super::{JWT, SECRET, findings, with};
use torana_config::{FixedResolver, has_errors, plain};
use torana_plan::load;

#[test]
fn nothing_can_break_a_line_of_a_message() {
    let respond = |keys: &str| {
        with(&format!("routes:\n- {{ path: /x, service: a }}\n- {{ path: /y, respond: {{ {keys} }} }}"))
    };
    assert_eq!(respond("headers: { X-A: \"a\\r\\nb\" }"), ["4:42 error[bad-value]"]);
    assert_eq!(respond("headers: { Content-Length: 5 }").len(), 1);
    assert_eq!(respond("status: 204, body: x"), ["4:15 error[body-not-allowed]"]);
    let claims = JWT.replace("\" }", "\", claims_to_headers: { sub: Host } }");
    assert_eq!(with(&format!("{claims}\nroutes: [{{ service: a }}]")), ["2:68 error[reserved-field]"]);
}

#[test]
fn wrong_forms_do_not_hide_what_else_is_wrong() {
    let found = findings(
        "listn: 1
services:
  a: { endpoints: [http://a], pool: { max_connections: 0 }, host: \"x y\" }
  b: { endpoints: http://b }
routes:
- { path: x, service: a, retries: 3 }
- { path: /y, service: b, methods: [get] }
- { path: /z, service: a, headers: { \"a b\": c } }
timeouts: { head: 0s, body: 5 }
",
    );
    let expected = [
        "1:1 error[unknown-key]",
        "3:56 error[out-of-range]",
        "3:67 error[bad-host]",
        "4:19 error[wrong-type]",
        "6:11 error[bad-path]",
        "6:26 error[unknown-key]",
        "7:37 error[bad-method]",
        "8:38 error[bad-name]",
        "9:19 error[zero-deadline]",
        "9:29 error[bad-format]",
    ];
    assert_eq!(found, expected);
}

#[test]
fn one_wrong_key_raises_no_alarm_elsewhere() {
    let good = [
        include_str!("../../../../examples/seed.yaml"),
        include_str!("../../../../examples/minimal.yaml"),
        include_str!("../../../../examples/hosts.yaml"),
    ];
    let resolver = FixedResolver::default().with_environment("JWT_SECRET", SECRET);
    let mut tried = 0;
    for text in good {
        let keys = text.match_indices(':').map(|(at, _)| at).filter(|at| {
            let before = text[..*at].chars().next_back();
            before.is_some_and(|character| character.is_ascii_lowercase())
                && text[at + 1..].starts_with([' ', '\n'])
        });
        for at in keys {
            let broken = format!("{}x{}", &text[..at], &text[at..]);
            let line = text[..at].lines().count();
            let loaded = load("t.yaml", &broken, &resolver);
            if !has_errors(&loaded.findings) {
                continue; // A name that people choose, or a comment.
            }
            tried += 1;
            for finding in loaded.findings.iter().filter(|finding| has_errors(std::slice::from_ref(finding)))
            {
                let place = finding.span.as_ref().map_or(0, |span| span.line);
                let blamed = place == line || matches!(finding.code, "missing-key" | "unknown-service");
                assert!(blamed, "line {line}: {}\n{broken}", plain(finding));
            }
        }
    }
    assert!(tried > 60, "{tried}");
}
