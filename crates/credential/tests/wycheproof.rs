//! Every verdict of the Wycheproof vectors for JSON Web Signatures and Keys, where a checkout beside the
//! project has them: `../shared/wycheproof`, or where `TORANA_WYCHEPROOF` says. Where it has not, the vectors in `vectors.rs` speak alone.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use torana_credential::jose::{KeySet, Select, Token};

/// Vectors of signatures that contradict other vectors or the RFC, each with the verdict that is right.
const CONTRADICTIONS: [(u64, bool, &str); 6] = [
    (346, false, "a token with PS384 and a key for PS256; vectors 331 to 340 demand the key's algorithm"),
    (350, false, "a token with PS384 and a key for PS256; vectors 331 to 340 demand the key's algorithm"),
    (367, true, "byte for byte the token of vector 357, which is labelled valid"),
    (370, true, "byte for byte the token of vector 357, which is labelled valid"),
    (372, false, "`?` in the header is not base64url (RFC 7515 section 2)"),
    (373, false, "`?` in the payload is not base64url (RFC 7515 section 2)"),
];

fn accepts(group: &Value, jws: &str) -> bool {
    let key = group.get("public").unwrap_or(&group["private"]);
    let set = if key.get("keys").is_some() { key.clone() } else { json!({ "keys": [key] }) };
    let Ok(set) = KeySet::parse(set.to_string().as_bytes(), &[], false) else { return false };
    let Ok(token) = Token::parse(jws.as_bytes()) else { return false };
    set.verify(&token) == Select::Verified && token.payload().is_ok()
}

fn run(file: &Path, contradictions: &[(u64, bool, &str)]) -> usize {
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut wrong = Vec::new();
    let mut count = 0;
    for group in vectors["testGroups"].as_array().unwrap() {
        if group["comment"].as_str().unwrap_or_default().starts_with("jwe") {
            continue;
        }
        for test in group["tests"].as_array().unwrap() {
            // Encryption is not what a gateway verifies; its vectors have no `jws`.
            let Some(jws) = test.get("jws").and_then(Value::as_str) else { continue };
            count += 1;
            let number = test["tcId"].as_u64().unwrap();
            let contradiction = contradictions.iter().find(|(known, ..)| *known == number);
            let expected = contradiction.map_or(test["result"] == "valid", |(_, verdict, _)| *verdict);
            if accepts(group, jws) != expected {
                wrong.push(format!("{number} {} should be {expected}", test["comment"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}: {wrong:#?}", file.display());
    count
}

#[test]
fn every_verdict_is_right() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/wycheproof");
    let folder = std::env::var_os("TORANA_WYCHEPROOF").map_or_else(|| beside.into(), PathBuf::from);
    if !folder.is_dir() {
        eprintln!("no vectors at {}: only the project's own were tried", folder.display());
        return;
    }
    let signatures = run(&folder.join("json_web_signature_test.json"), &CONTRADICTIONS);
    let keys = run(&folder.join("json_web_key_test.json"), &[]);
    let crypto = run(&folder.join("json_web_crypto_test.json"), &[]);
    eprintln!("Wycheproof: {signatures} signatures, {keys} keys, {crypto} of both");
    assert!(signatures > 300 && keys > 20, "{signatures} {keys} {crypto}");
}
