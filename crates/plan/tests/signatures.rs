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

/// RFC 8410 and the first key of RFC 8032 section 7.4.
#[test]
fn keys_of_ed448_verify_tokens_and_nothing_else_and_that_is_said() {
    let public = "-----BEGIN PUBLIC KEY-----\\nMEMwBQYDK2VxAzoAX9dEm1m0Yf0s54fsYWrUah2hNCSFpw4fig6nXYDpZ3jt8SR2m0bHBhvWeD3x5Q9s0foavq/oJWGA\\n-----END PUBLIC KEY-----";
    let private = "-----BEGIN PRIVATE KEY-----\\nMEcCAQAwBQYDK2VxBDsEOWyCpWLLgI0Q1jK+ichRPr9skp803fqMn2PJlg7240ijUoyKP8wvBE45o/xblEkvjwMudUmiAJj5Ww==\\n-----END PRIVATE KEY-----";
    let jwk = r#"'{"kty":"OKP","crv":"Ed448","x":"X9dEm1m0Yf0s54fsYWrUah2hNCSFpw4fig6nXYDpZ3jt8SR2m0bHBhvWeD3x5Q9s0foavq_oJWGA"}'"#;
    let told = |credential: &str, policy: &str| {
        let found = findings(&file(credential, &format!("{{ {policy} }}")));
        let errors = found.iter().filter(|one| one.severity == torana_config::Severity::Error);
        errors.map(|one| one.message.clone()).collect::<Vec<_>>()
    };
    for fine in [
        format!("jwt: {{ public_key: \"{public}\" }}"),
        format!("jwt: {{ public_key: \"{public}\", algorithms: EdDSA }}"),
        format!("jwt: {{ keys: [{{ id: g, jwk: {jwk} }}] }}"),
        format!("jwt: {{ keys: [{{ id: g, algorithm: EdDSA, jwk: {jwk} }}] }}"),
    ] {
        assert_eq!(told(ALICE, &fine), Vec::<String>::new(), "{fine}");
    }
    let own = format!("jwt: [{{ key: a, algorithm: EdDSA, public_key: \"{public}\" }}]");
    assert_eq!(told(&own, "jwt: { consumers: on }"), Vec::<String>::new());

    let says = |credential: &str, policy: &str, why: &str| {
        let told = told(credential, policy);
        assert!(told.iter().any(|message| message.contains(why)), "{policy}: {told:?}");
    };
    let misfit = format!("jwt: {{ public_key: \"{public}\", algorithms: ES256 }}");
    says(ALICE, &misfit, "none of the accepted algorithms fits the key");
    let signer = format!("hmac: [{{ username: a, public_key: \"{public}\" }}]");
    says(&signer, "hmac_auth: {}", "none of the accepted algorithms fits the key");
    let minted = format!(
        "jwt: {{ secret: \"${{env:KEY}}\", upstream_token: {{ private_key: \"{private}\", algorithm: EdDSA, issuer: g }} }}"
    );
    says(
        ALICE,
        &minted,
        "it is a private key of the curve Ed448: tokens of it are verified, and none is signed",
    );
}

#[test]
fn a_key_that_cannot_sign_is_called_what_it_is() {
    let told = |label: &str, content: &str, more: &str| {
        let key = format!("-----BEGIN {label}-----\\n{content}\\n-----END {label}-----");
        let policy = format!(
            "{{ jwt: {{ secret: \"${{env:KEY}}\", upstream_token: {{ private_key: \"{key}\"{more} }} }} }}"
        );
        let found = findings(&file(ALICE, &policy));
        let errors = found.iter().filter(|one| one.severity == torana_config::Severity::Error);
        errors.map(|one| one.message.clone()).collect::<Vec<_>>()
    };
    // RFC 8410 section 10.3.
    let edwards = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC";
    for more in ["", ", algorithm: EdDSA"] {
        assert_eq!(told("PRIVATE KEY", edwards, more), Vec::<String>::new(), "{more}");
    }
    for (label, content, more, message) in [
        (
            "PRIVATE KEY",
            edwards,
            ", algorithm: ES256",
            "the key cannot sign with ES256: it is a key for EdDSA",
        ),
        ("EC PRIVATE KEY", "AAAA", "", "the key cannot sign: it is a private key in SEC1, not in PKCS#8"),
        (
            "RSA PRIVATE KEY",
            "AAAA",
            ", algorithm: RS256",
            "the key cannot sign with RS256: it is a private key in PKCS#1, not in PKCS#8",
        ),
        (
            "PUBLIC KEY",
            "AAAA",
            "",
            "the key cannot sign: it is a public key or certificate; the private key signs",
        ),
        ("PRIVATE KEY", "AAAA", "", "the key cannot sign: it is a key of a kind that is not supported"),
    ] {
        assert_eq!(told(label, content, more), [message], "{label}{more}");
    }
}
