//! Requests that are signed: Kong's scheme, HTTP Message Signatures, and AWS's.

use super::{Case, case, now};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use std::time::{Duration, UNIX_EPOCH};

pub(super) const ROUTES: &[&str] = &[
    "- { path: /signed/*, service: api, policies: { hmac_auth: on } }",
    "- { path: /signed-once/*, service: api, policies: { hmac_auth: { replay: refuse } } }",
    "- { path: /aws/*, service: api, policies: { sigv4: { regions: [eu-west-1], services: [execute-api] } } }",
    "- { path: /aws-once/*, service: api, policies: { sigv4: { replay: refuse } } }",
];

const ALICE: &[u8] = b"secret-of-alice";
const BOB: &[u8] = b"secret-of-bob";
/// SHA-256 of nothing.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn date(seconds: u64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// Fields of a GET that is signed by Kong's scheme.
fn kong(path: &str, seconds: u64, user: &str, secret: &[u8]) -> String {
    let date = date(seconds);
    let text = format!("date: {date}\nGET {path} HTTP/1.1\nhost: a.test");
    let signature = STANDARD.encode(mac(secret, text.as_bytes()));
    format!(
        "Date: {date}\nAuthorization: hmac username=\"{user}\", algorithm=\"hmac-sha256\", headers=\"date request-line host\", signature=\"{signature}\""
    )
}

/// Fields of a GET that is signed by RFC 9421.
fn message(path: &str, created: u64, key: &str, secret: &[u8]) -> String {
    let input = format!("(\"@method\" \"@authority\" \"@path\");created={created};keyid=\"{key}\"");
    let base = format!(
        "\"@method\": GET\n\"@authority\": a.test\n\"@path\": {path}\n\"@signature-params\": {input}"
    );
    let signature = STANDARD.encode(mac(secret, base.as_bytes()));
    format!("Signature-Input: sig={input}\nSignature: sig=:{signature}:")
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Fields of a GET that is signed as AWS clients do, in this region.
fn aws(path: &str, seconds: u64, key: &str, secret: &str, region: &str) -> String {
    let moment = humane(seconds);
    let scope = format!("{}/{region}/execute-api/aws4_request", &moment[..8]);
    let names = "host;x-amz-content-sha256;x-amz-date";
    let canonical = format!(
        "GET\n{path}\n\nhost:a.test\nx-amz-content-sha256:{EMPTY}\nx-amz-date:{moment}\n\n{names}\n{EMPTY}"
    );
    let hash = hexadecimal(&Sha256::digest(canonical));
    let mut derived = format!("AWS4{secret}").into_bytes();
    for part in scope.split('/') {
        derived = mac(&derived, part.as_bytes());
    }
    let text = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hash}");
    let signature = hexadecimal(&mac(&derived, text.as_bytes()));
    format!(
        "X-Amz-Date: {moment}\nX-Amz-Content-Sha256: {EMPTY}\nAuthorization: AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
}

/// `20210420T020755Z`, from a date of HTTP (`Tue, 20 Apr 2021 02:07:55 GMT`).
fn humane(seconds: u64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let date = date(seconds);
    let parts: Vec<&str> = date.split([' ', ':']).collect();
    let month = MONTHS.iter().position(|month| *month == parts[2]).unwrap() + 1;
    format!("{}{month:02}{}T{}{}{}Z", parts[3], parts[1], parts[4], parts[5], parts[6])
}

/// One thing of the fields in place of another.
fn swapped(fields: &str, from: &str, to: &str) -> String {
    let changed = fields.replacen(from, to, 1);
    assert_ne!(changed, fields, "nothing has changed");
    changed
}

pub(super) fn cases() -> Vec<Case> {
    [kongs(), messages(), awss()].into_iter().flatten().collect()
}

fn kongs() -> Vec<Case> {
    let good = kong("/signed/x", now(), "alice", ALICE);
    let at = |what, fields: String, status| case(what, "GET /signed/x", fields, status);
    let once = kong("/signed-once/x", now(), "alice", ALICE);
    let unsigned = kong("/signed/x", now() - 400, "alice", ALICE);
    vec![
        at("a signature", good.clone(), 200),
        at("the same again", good.clone(), 200),
        at("the scheme in capitals", swapped(&good, ": hmac", ": HMAC"), 200),
        at("for a proxy", swapped(&good, "Authorization", "Proxy-Authorization"), 200),
        at("another key", kong("/signed/x", now(), "alice", BOB), 401),
        at("in the name of another", swapped(&good, "alice", "bob"), 401),
        at("in nobody's name", swapped(&good, "alice", "carol"), 401),
        at("long ago", kong("/signed/x", now() - 400, "alice", ALICE), 401),
        at("from the future", kong("/signed/x", now() + 400, "alice", ALICE), 401),
        at("another date beside", format!("{unsigned}\nX-Date: {}", date(now())), 401),
        at("another date in place", swapped(&unsigned, &date(now() - 400), &date(now() - 1)), 401),
        at("of another path", kong("/signed/y", now(), "alice", ALICE), 401),
        at("of another algorithm", swapped(&good, "sha256", "sha512"), 401),
        at("of a weak algorithm", swapped(&good, "sha256", "sha1"), 401),
        at("without the target", swapped(&good, "date request-line host", "date host"), 401),
        at("cut", swapped(&good, "=\"", "=\"A"), 401),
        at("malformed", swapped(&good, "username=", "user="), 401),
        at("twice", format!("{good}\n{}", good.lines().nth(1).unwrap()), 401),
        at("of another host", swapped(&good, "request-line host", "request-line"), 401),
        case("of another method", "DELETE /signed/x", good.clone(), 401),
        case("of another query", "GET /signed/x?admin=1", good.clone(), 401),
        at("nothing", String::new(), 401),
        at("another scheme", "Authorization: Bearer x".into(), 401),
        case("once", "GET /signed-once/x", once.clone(), 200),
        case("once more", "GET /signed-once/x", once.clone(), 401),
        case("once more, for a proxy", "GET /signed-once/x", swapped(&once, "Auth", "Proxy-Auth"), 401),
    ]
}

fn messages() -> Vec<Case> {
    let good = message("/signed/m", now(), "alice", ALICE);
    let once = message("/signed-once/m", now(), "bob", BOB);
    let at = |what, fields: String, status| case(what, "GET /signed/m", fields, status);
    vec![
        at("a message", good.clone(), 200),
        at("a message by another key", message("/signed/m", now(), "alice", BOB), 401),
        at("a message in the name of another", swapped(&good, "alice", "bob"), 401),
        at("a message of long ago", message("/signed/m", now() - 400, "alice", ALICE), 401),
        at("a message of the future", message("/signed/m", now() + 400, "alice", ALICE), 401),
        at("a message of another path", message("/signed/x", now(), "alice", ALICE), 401),
        at("a message without a part", swapped(&good, " \"@path\"", ""), 401),
        at("a message without its input", good.lines().nth(1).unwrap().into(), 401),
        at("a message without its signature", good.lines().next().unwrap().into(), 401),
        at(
            "a message and Kong's scheme",
            format!("{good}\n{}", kong("/signed/m", now(), "alice", ALICE)),
            401,
        ),
        case("a message of another method", "DELETE /signed/m", good, 401),
        case("a message once", "GET /signed-once/m", once.clone(), 200),
        case("a message once more", "GET /signed-once/m", once, 401),
    ]
}

fn awss() -> Vec<Case> {
    let (key, secret, region) = ("AKIDALICE", "secret-of-alice", "eu-west-1");
    let good = aws("/aws/x", now(), key, secret, region);
    let once = aws("/aws-once/x", now(), key, secret, region);
    let at = |what, fields: String, status| case(what, "GET /aws/x", fields, status);
    vec![
        at("AWS: a signature", good.clone(), 200),
        at("AWS: another secret", aws("/aws/x", now(), key, "secret-of-bob", region), 401),
        at("AWS: nobody's key", aws("/aws/x", now(), "AKIDCAROL", secret, region), 401),
        at("AWS: a key of another case", aws("/aws/x", now(), "akidalice", secret, region), 401),
        at("AWS: another region", aws("/aws/x", now(), key, secret, "us-east-1"), 401),
        at("AWS: another region, it is said", swapped(&good, "eu-west-1", "eu-west-2"), 401),
        at("AWS: long ago", aws("/aws/x", now() - 400, key, secret, region), 401),
        at("AWS: from the future", aws("/aws/x", now() + 400, key, secret, region), 401),
        at("AWS: another path", aws("/aws/y", now(), key, secret, region), 401),
        at("AWS: another body, it is said", swapped(&good, EMPTY, "UNSIGNED-PAYLOAD"), 401),
        at("AWS: without the host", swapped(&good, "SignedHeaders=host;", "SignedHeaders="), 401),
        at("AWS: another algorithm", swapped(&good, "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"), 401),
        at("AWS: cut", good[..good.len() - 2].to_owned(), 401),
        at("AWS: twice", format!("{good}\n{}", good.lines().nth(2).unwrap()), 401),
        at("AWS: nothing", String::new(), 401),
        case("AWS: another method", "DELETE /aws/x", good.clone(), 401),
        case("AWS: another query", "GET /aws/x?admin=1", good, 401),
        case("AWS: once", "GET /aws-once/x", once.clone(), 200),
        case("AWS: once more", "GET /aws-once/x", once, 401),
    ]
}
