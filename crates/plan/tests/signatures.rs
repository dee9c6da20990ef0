//! What is found wrong with policies about signed requests, and with the keys of those who sign.

mod common;

use common::{codes, findings};
use torana_config::has_errors;

const ALICE: &str = "hmac: [{ username: a, secret: '${env:KEY}' }]";

fn file(credential: &str, policies: &str) -> String {
    format!(
        "consumers: [{{ username: alice, {credential} }}]\nroutes:\n- {{ path: /*, respond: {{}}, policies: {policies} }}\n"
    )
}

#[test]
fn policies_are_read_strictly() {
    for policy in [
        "hmac_auth: {}",
        "sigv4: {}",
        "hmac_auth: { replay: refuse, schemes: [messages] }",
        "hmac_auth: { replay: refuse, schemes: [messages], signed_date: false }",
        "hmac_auth: { signed_date: false }",
    ] {
        let text = file(ALICE, &format!("{{ {policy} }}"));
        assert!(!has_errors(&findings(&text)), "{policy}: {:?}", findings(&text));
    }
    for (policy, code) in [
        ("hmac_auth: { schemes: [] }", "no-scheme"),
        ("hmac_auth: { algorithms: [] }", "no-algorithm"),
        ("hmac_auth: { algorithms: [hmac-sha1] }", "weak-signatures"),
        ("hmac_auth: { clock_skew: 0s }", "no-time"),
        ("hmac_auth: { messages: { components: ['@status'] } }", "unknown-component"),
        ("hmac_auth: { messages: { components: [Date] } }", "unknown-component"),
        ("hmac_auth: { replay: refuse, remember: 0 }", "no-memory"),
        ("hmac_auth: { replay: refuse, signed_date: false }", "replay-of-unsigned-date"),
        ("hmac_auth: { realm: 'a\"b' }", "bad-value"),
        ("sigv4: { replay: refuse, remember: 0 }", "no-memory"),
        ("sigv4: { max_expires: 1ms }", "no-time"),
    ] {
        assert_eq!(codes(&file(ALICE, &format!("{{ {policy} }}")), code), 1, "{policy}");
    }
    let nobody = "routes:\n- { path: /*, respond: {}, policies: { hmac_auth: {}, sigv4: {} } }\n";
    assert_eq!(codes(nobody, "no-consumers"), 2);
}

#[test]
fn keys_of_signers_are_read_strictly() {
    for wrong in [
        "hmac: [{ username: a }]",
        "hmac: [{ username: '', secret: x }]",
        "hmac: [{ username: 'a\"', secret: x }]",
        "hmac: [{ username: a, secret: '' }]",
        "hmac: [{ username: a, secret: '?', secret_base64: true }]",
        "hmac: [{ username: a, secret: x, algorithm: ed25519 }]",
        "hmac: [{ username: a, secret: x, public_key: y }]",
        "hmac: [{ username: a, public_key: y }]",
        "hmac: [{ username: a, secret: x }, { username: a, secret: y }]",
        "sigv4: [{ access_key_id: a, secret_access_key: '' }]",
        "sigv4: [{ access_key_id: a, secret_access_key: x }, { access_key_id: a, secret_access_key: y }]",
    ] {
        assert_eq!(codes(&file(wrong, "{ hmac_auth: {} }"), "bad-consumer"), 1, "{wrong}");
    }
}
