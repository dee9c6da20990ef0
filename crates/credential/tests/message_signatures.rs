//! The examples of RFC 9421 appendix B, and what must not be taken for one of them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use torana_credential::signature::{MessageSignature, Refusal, SignatureKey, SignedRequest, content_digest};

const DIGEST: &str =
    "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";
const RSA_PSS: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2
+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+
oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHq
gDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5W
Utzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4
aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI
2wIDAQAB
-----END PUBLIC KEY-----";
const RSA: &str = "-----BEGIN RSA PUBLIC KEY-----
MIIBCgKCAQEAhAKYdtoeoy8zcAcR874L8cnZxKzAGwd7v36APp7Pv6Q2jdsPBRrw
WEBnez6d0UDKDwGbc6nxfEXAy5mbhgajzrw3MOEt8uA5txSKobBpKDeBLOsdJKFq
MGmXCQvEG7YemcxDTRPxAleIAgYYRjTSd/QBwVW9OwNFhekro3RtlinV0a75jfZg
kne/YiktSvLG34lw2zqXBDTC5NHROUqGTlML4PlNZS5Ri2U4aCNx2rUPRcKIlE0P
uKxI4T+HIaFpv8+rdV6eUgOrB2xeI1dSFFn/nnv5OoZJEIB+VmuKn3DCUcCZSFlQ
PSXSfBDiUGhwOw76WuSSsf1D4b/vLoJ10wIDAQAB
-----END RSA PUBLIC KEY-----";
const P256: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf
w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==
-----END PUBLIC KEY-----";
const SECRET: &str =
    "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
const CLIENT_CERT: &str = ":MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgNVBAMMEkxBIEludGVybWVkaWF0ZSBDQTAeFw0yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU/IncWalRhebrXmckC8vdgJ1p5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIwADAfBgNVHSMEGDAWgBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1wbGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCOOB8TAiEAx/kHSB4urmiZ0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk=:";

/// The public key as RFC 8410 writes it.
fn ed25519() -> SignatureKey {
    let point = URL_SAFE_NO_PAD.decode("JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs").unwrap();
    let der = [&b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"[..], &point].concat();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", STANDARD.encode(der));
    SignatureKey::pem(&pem, Some("ed25519")).unwrap()
}

fn secret() -> SignatureKey {
    SignatureKey::secret(&STANDARD.decode(SECRET).unwrap()).unwrap()
}

/// The request of appendix B.2 with these two fields.
fn request<'r>(input: &'r str, signature: &'r str) -> SignedRequest<'r> {
    let field = |name: &'r str, value: &'r str| (name.as_bytes(), value.as_bytes());
    SignedRequest {
        method: b"POST",
        secure: true,
        host: b"example.com",
        path: b"/foo",
        query: Some(b"param=Value&Pet=dog"),
        version: "1.1",
        fields: vec![
            field("Date", "Tue, 20 Apr 2021 02:07:55 GMT"),
            field("Content-Type", "application/json"),
            field("Content-Digest", DIGEST),
            field("Content-Length", "18"),
            field("Signature-Input", input),
            field("Signature", signature),
        ],
    }
}

fn verifies(request: &SignedRequest<'_>, key: &SignatureKey) -> Result<bool, Refusal> {
    let found = MessageSignature::find(request, None, None)?.expect("a signature");
    Ok(key.verifies(&found.base(request)?, &found.signature))
}

/// Input, signature and key of B.2.1, B.2.2, B.2.3, B.2.5 and B.2.6.
fn examples() -> Vec<(&'static str, &'static str, SignatureKey)> {
    let pss = SignatureKey::pem(RSA_PSS, None).unwrap();
    vec![
        (
            "sig-b21=();created=1618884473;keyid=\"test-key-rsa-pss\";nonce=\"b3k2pp5k7z-50gnwp.yemd\"",
            "sig-b21=:d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckzXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==:",
            pss.clone(),
        ),
        (
            "sig-b22=(\"@authority\" \"content-digest\" \"@query-param\";name=\"Pet\");created=1618884473;keyid=\"test-key-rsa-pss\";tag=\"header-example\"",
            "sig-b22=:LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtjvuJyE5qH7KT8UCMkSowOB4+ECxCmT8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqpcAoFqWFQh62s7Cl+H2fjBSpqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0RoKUqiYY8Bh0aaUEb0rQl3/XaVe4bXTugEjHSw==:",
            pss.clone(),
        ),
        (
            "sig-b23=(\"date\" \"@method\" \"@path\" \"@query\" \"@authority\" \"content-type\" \"content-digest\" \"content-length\");created=1618884473;keyid=\"test-key-rsa-pss\"",
            "sig-b23=:bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==:",
            pss,
        ),
        (
            "sig-b25=(\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\"",
            "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:",
            secret(),
        ),
        (
            "sig-b26=(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\");created=1618884473;keyid=\"test-key-ed25519\"",
            "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
            ed25519(),
        ),
    ]
}

#[test]
fn the_examples_of_the_rfc_verify() {
    for (input, signature, key) in examples() {
        assert_eq!(verifies(&request(input, signature), &key), Ok(true), "{input}");
    }
    assert_eq!(content_digest(&request("", ""), b"{\"hello\": \"world\"}"), Ok(true));
}

#[test]
fn nothing_that_is_covered_can_be_changed() {
    let (input, signature, key) = examples().swap_remove(2);
    type Change = fn(&mut SignedRequest<'_>);
    let changes: [(&str, Change); 8] = [
        ("method", |request| request.method = b"PUT"),
        ("path", |request| request.path = b"/Foo"),
        ("query", |request| request.query = Some(b"param=value&Pet=dog")),
        ("no query", |request| request.query = None),
        ("host", |request| request.host = b"example.org"),
        ("date", |request| request.fields[0].1 = b"Tue, 20 Apr 2021 02:07:56 GMT"),
        ("digest", |request| request.fields[2].1 = b"sha-512=:AAAA:"),
        ("another value", |request| request.fields.push((b"content-type", b"text/html"))),
    ];
    for (name, change) in changes {
        let mut request = request(input, signature);
        change(&mut request);
        assert_eq!(verifies(&request, &key), Ok(false), "{name}");
    }
    for (other_input, other_signature, other_key) in examples() {
        if other_input != input {
            let same_key = other_key.algorithm() == key.algorithm();
            assert_eq!(verifies(&request(input, signature), &other_key), Ok(same_key), "{other_input}");
            let mixed = other_signature.replace(&other_signature[..7], &signature[..7]);
            assert_eq!(verifies(&request(input, &mixed), &key), Ok(false));
        }
    }
}

#[test]
fn a_proxy_signs_with_a_curve_and_another_over_its_signature() {
    // Appendix B.3, and the example of section 4.3 (as B.1.1 has its key).
    let mut proxied = request(
        "ttrp=(\"@path\" \"@query\" \"@method\" \"@authority\" \"client-cert\");created=1618884473;keyid=\"test-key-ecc-p256\"",
        "ttrp=:xVMHVpawaAC/0SbHrKRs9i8I3eOs5RtTMGCWXm/9nvZzoHsIg6Mce9315T6xoklyy0yzhD9ah4JHRwMLOgmizw==:",
    );
    proxied.host = b"service.internal.example";
    proxied.fields.push((b"client-cert", CLIENT_CERT.as_bytes()));
    assert_eq!(verifies(&proxied, &SignatureKey::pem(P256, None).unwrap()), Ok(true));
    let first = "sig1=:LAH8BjcfcOcLojiuOBFWn0P5keD3xAOuJRGziCLuD8r5MW9S0RoXXLzLSRfGY/3SF8kVIkHjE13SEFdTo4Af/fJ/Pu9wheqoLVdwXyY/UkBIS1M8Brc8IODsn5DFIrG0IrburbLi0uCc+E2ZIIb6HbUJ+o+jP58JelMTe0QE3IpWINTEzpxjqDf5/Df+InHCAkQCTuKsamjWXUpyOT1Wkxi7YPVNOjW4MfNuTZ9HdbD2Tr65+BXeTG9ZS/9SWuXAc+BZ8WyPz0QRz//ec3uWXd7bYYODSjRAxHqX+S1ag3LZElYyUKaAIjZ8MGOt4gXEwCSLDv/zqxZeWLj/PDkn6w==:";
    let second = "proxy_sig=:ExHrNxgtUCrDoUrHIOxVIZkTf8XOzg9dhFtvN27X40o8Bn+cUTHT618rqj0omkTCgaWyy1/w2Jh35yLyP8pu4XpAP3IfER5rDqaGLA1yF2Y8+5XHJFdMzouQGUo7EItKMQT3YhgUGA/qjje6EAbtGoYM/fVgB40mlx8QPztZH3mw/3qEt9zdWpjCUWJ/ClNPM/gmTfWGztT2TbF3v0/z4UfD+AexgK3fTfHlehx6M6zQvBvIWsg9l0OkHxWqGxXSnLziEi2LDEweXQG6Xgj29sqFH5rAsJVZWhXS77CthSvHaRbNFSybcVw/SCHD1Kvw9q6feJquj08pezf5tmoL2g==:";
    let both = format!("{first}, {second}");
    let input = "proxy_sig=(\"signature\";key=\"sig1\" \"forwarded\");created=1618884480;expires=2145809960;keyid=\"test-key-rsa\";alg=\"rsa-v1_5-sha256\"";
    let mut twice = request(input, &both);
    twice.fields.push((b"Forwarded", b"for=192.0.2.123"));
    assert_eq!(verifies(&twice, &SignatureKey::pem(RSA, Some("rsa-v1_5-sha256")).unwrap()), Ok(true));
    twice.fields.last_mut().unwrap().1 = b"for=192.0.2.124";
    assert_eq!(verifies(&twice, &SignatureKey::pem(RSA, Some("rsa-v1_5-sha256")).unwrap()), Ok(false));
}

#[test]
fn a_key_is_used_with_its_own_algorithm_only() {
    assert_eq!(SignatureKey::pem(RSA_PSS, None).unwrap().algorithm(), "rsa-pss-sha512");
    assert_eq!(SignatureKey::pem(RSA, Some("rsa-v1_5-sha256")).unwrap().algorithm(), "rsa-v1_5-sha256");
    assert_eq!(SignatureKey::pem(P256, None).unwrap().algorithm(), "ecdsa-p256-sha256");
    assert_eq!((secret().algorithm(), ed25519().algorithm()), ("hmac-sha256", "ed25519"));
    for wrong in [Some("ed25519"), Some("hmac-sha256"), Some("none"), Some("")] {
        assert!(SignatureKey::pem(P256, wrong).is_err(), "{wrong:?}");
    }
    assert!(SignatureKey::secret(b"").is_err());
}

#[test]
fn components_are_derived_as_section_2_says() {
    let input = "s=(\"@target-uri\" \"@request-target\" \"@scheme\" \"@query-param\";name=\"a%20b\" \"x\" \"x\";bs \"d\";key=\"b\");keyid=\"k\"";
    let mut request = request(input, "s=:AAAA:");
    request.host = b"EXAMPLE.com:443";
    request.query = Some(b"a+b=c%0Ad");
    request.fields.extend([(&b"X"[..], &b" 1 "[..]), (b"x", b"2, 3"), (b"D", b"a=1,b=(2  3);c, e=?0")]);
    let found = MessageSignature::find(&request, None, None).unwrap().unwrap();
    let wanted = "\"@target-uri\": https://example.com/foo?a+b=c%0Ad\n\
        \"@request-target\": /foo?a+b=c%0Ad\n\
        \"@scheme\": https\n\
        \"@query-param\";name=\"a%20b\": c%0Ad\n\
        \"x\": 1, 2, 3\n\
        \"x\";bs: :MQ==:, :MiwgMw==:\n\
        \"d\";key=\"b\": (2 3);c\n\
        \"@signature-params\": (\"@target-uri\" \"@request-target\" \"@scheme\" \"@query-param\";name=\"a%20b\" \"x\" \"x\";bs \"d\";key=\"b\");keyid=\"k\"";
    assert_eq!(String::from_utf8(found.base(&request).unwrap()).unwrap(), wanted);
    for covered in ["@authority", "@path", "@query", "@scheme", "x"] {
        assert!(found.covers(covered), "{covered}");
    }
    assert!(!found.covers("@method") && !found.covers("d") && !found.covers("@query-param"));
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let good = "s=(\"@method\");created=1;keyid=\"k\"";
    let parsed = format!("s=({});keyid=\"k\"", "\"date\";bs ".repeat(9).trim());
    let many = format!("s=({});keyid=\"k\"", "\"date\" ".repeat(33).trim());
    for (input, signature) in [
        ("", "s=:AAAA:"),
        (good, ""),
        (good, "t=:AAAA:"),
        (good, "s=\"AAAA\""),
        (good, "s=(:AAAA:)"),
        (good, "s=:AAAA:, s=:BBBB:"),
        ("s=(\"@method\");keyid=\"k\", s=();keyid=\"k\"", "s=:AAAA:"),
        ("s=(\"@method\");keyid=\"k\", t=();keyid=\"k\"", "s=:AAAA:, t=:AAAA:"),
        ("s=\"@method\";keyid=\"k\"", "s=:AAAA:"),
        ("s=(\"@method\");created=1", "s=:AAAA:"),
        ("s=(\"@method\");keyid=k", "s=:AAAA:"),
        ("s=(\"@method\");keyid=\"k\";created=-1", "s=:AAAA:"),
        ("s=(\"@method\");keyid=\"k\";created=1.5", "s=:AAAA:"),
        ("s=(\"@method\");keyid=\"k\";created=\"1\"", "s=:AAAA:"),
        ("s=(\"@method\");keyid=\"k\";other=1", "s=:AAAA:"),
        ("s=(\"@method\";keyid=\"k\"", "s=:AAAA:"),
        ("s=(@method);keyid=\"k\"", "s=:AAAA:"),
        (&many, "s=:AAAA:"),
        (&parsed, "s=:AAAA:"),
    ] {
        let request = request(input, signature);
        assert!(MessageSignature::find(&request, None, None).is_err(), "{input} {signature}");
    }
    for covered in [
        "\"@method\" \"@method\"",
        "method",
        "1",
        "\"Date\"",
        "\"missing\"",
        "\"@status\"",
        "\"@unknown\"",
        "\"@method\";req",
        "\"date\";tr",
        "\"date\";sf",
        "\"date\";bs;key=\"a\"",
        "\"date\";bs=?0",
        "\"date\";key=\"a\"",
        "\"content-digest\";key=\"sha-256\"",
        "\"@query-param\"",
        "\"@query-param\";name=\"none\"",
        "\"@query-param\";name=\"pet\"",
        "\"a b\"",
        "\"a\\\"b\"",
    ] {
        let input = format!("s=({covered});keyid=\"k\"");
        let request = request(&input, "s=:AAAA:");
        let found = MessageSignature::find(&request, None, None);
        let base = found.map(|found| found.expect("a signature").base(&request));
        assert!(!matches!(base, Ok(Ok(_))), "{covered}");
    }
    let mut repeated = request("s=(\"@query-param\";name=\"a\");keyid=\"k\"", "s=:AAAA:");
    repeated.query = Some(b"a=1&%61=2");
    let found = MessageSignature::find(&repeated, None, None).unwrap().unwrap();
    assert!(found.base(&repeated).is_err());
}

#[test]
fn a_label_or_a_tag_chooses() {
    let both = request("a=();keyid=\"one\", b=();keyid=\"two\";tag=\"mine\"", "a=:AAAA:, b=:AAAA:");
    let find = |label, tag| MessageSignature::find(&both, label, tag);
    assert_eq!(find(Some("a"), None).unwrap().unwrap().key_id, "one");
    assert_eq!(find(None, Some("mine")).unwrap().unwrap().key_id, "two");
    assert!(find(None, None).is_err() && find(Some("a"), Some("mine")).is_err());
    let mut none = request("", "");
    none.fields.truncate(4);
    assert_eq!(MessageSignature::find(&none, None, None), Ok(None));
}

#[test]
fn time_is_held() {
    let of = |params: &str| {
        let input = format!("s=();keyid=\"k\"{params}");
        let request = request(&input, "s=:AAAA:");
        MessageSignature::find(&request, None, None).unwrap().unwrap()
    };
    let made = of(";created=1000");
    assert_eq!(made.is_current(1_300, 300, 30), Ok(1_301));
    assert!(matches!(made.is_current(1_301, 300, 30), Err(Refusal::Expired(_))));
    assert_eq!(made.is_current(970, 300, 30), Ok(1_301));
    assert!(matches!(made.is_current(969, 300, 30), Err(Refusal::Invalid(_))));
    let ends = of(";created=1000;expires=1010");
    assert_eq!(ends.is_current(1_009, 300, 30), Ok(1_010));
    assert!(matches!(ends.is_current(1_010, 300, 30), Err(Refusal::Expired(_))));
    assert!(matches!(of("").is_current(1, 300, 30), Err(Refusal::Invalid(_))));
}
