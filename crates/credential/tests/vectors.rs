//! The examples of RFC 7515, RFC 7520 and RFC 8037, and vectors of our own: what must never be accepted.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

use aws_lc_rs::signature::{self as library, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use torana_credential::jose::{
    Algorithm, KeyError, KeySet, KeySetError, Malformed, Select, SigningKey, Token, VerifyingKey,
};

const PAYLOAD: &str =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn object(value: &str) -> Map<String, Value> {
    serde_json::from_str(value).unwrap()
}

/// Verifies with the key alone, accepting all algorithms that fit it.
fn accepts(jwk: &str, token: &str) -> bool {
    let key = VerifyingKey::jwk(&object(jwk), &Algorithm::ALL).unwrap();
    Token::parse(token.as_bytes()).is_ok_and(|token| key.verifies(&token) && token.payload().is_ok())
}

/// Flips one bit of the signature's first byte.
fn tampered(token: &str) -> String {
    let (head, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    bytes[0] ^= 1;
    format!("{head}.{}", URL_SAFE_NO_PAD.encode(bytes))
}

#[test]
fn the_examples_of_rfc_7515_verify() {
    let cases = [
        (
            r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#,
            format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{PAYLOAD}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        ),
        (
            r#"{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}"#,
            format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"),
        ),
        (
            r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
            format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"),
        ),
        (
            r#"{"kty":"EC","crv":"P-521","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk","y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}"#,
            "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn".to_owned(),
        ),
    ];
    for (jwk, token) in cases {
        assert!(accepts(jwk, &token), "{jwk}");
        assert!(!accepts(jwk, &tampered(&token)), "{jwk}");
    }
}

#[test]
fn the_examples_of_rfc_7520_verify() {
    let cases = [
        (
            r#"{"kty":"RSA","kid":"bilbo.baggins@hobbiton.example","n":"n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw","e":"AQAB"}"#,
            "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg",
        ),
        (
            r#"{"kty":"RSA","kid":"bilbo.baggins@hobbiton.example","n":"n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw","e":"AQAB"}"#,
            "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw",
        ),
        (
            r#"{"kty":"EC","kid":"bilbo.baggins@hobbiton.example","crv":"P-521","x":"AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt","y":"AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1"}"#,
            "eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_u_sDDyYjnAMDxXPn7XrT0lw-kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2",
        ),
        (
            r#"{"kty":"oct","kid":"018c0ae5-4d9b-471b-bfd6-eef314bc7037","k":"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg"}"#,
            "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9.SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0",
        ),
    ];
    for (jwk, token) in cases {
        assert!(accepts(jwk, token), "{jwk}");
        assert!(!accepts(jwk, &tampered(token)), "{jwk}");
    }
}

#[test]
fn the_example_of_rfc_8037_verifies() {
    let jwk = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert!(accepts(jwk, token));
    assert!(!accepts(jwk, &tampered(token)));
}

const SECRET: &[u8] = b"a secret of sixty-four bytes and more, long enough for every one of HS256 to HS512";

fn signed(header: &str, payload: &str) -> String {
    let head = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let key = SigningKey::secret(SECRET, Algorithm::Hs256).unwrap();
    format!("{head}.{}", URL_SAFE_NO_PAD.encode(key.sign(head.as_bytes()).unwrap()))
}

#[test]
fn a_token_is_read_strictly() {
    let ours = VerifyingKey::secret(SECRET, &[]).unwrap();
    let good = signed(r#"{"alg":"HS256"}"#, "{}");
    assert!(ours.verifies(&Token::parse(good.as_bytes()).unwrap()));
    let cases = [
        (signed(r#"{"alg":"none"}"#, "{}"), Malformed::Algorithm),
        (signed(r#"{"alg":"hs256"}"#, "{}"), Malformed::Algorithm),
        (signed(r#"{"alg":["HS256"]}"#, "{}"), Malformed::Algorithm),
        (signed(r#"{"typ":"JWT"}"#, "{}"), Malformed::Algorithm),
        (signed(r#"{"alg":"HS256","alg":"none"}"#, "{}"), Malformed::Json("header")),
        (signed(r#"{"alg":"HS256","x":{"a":1,"a":1}}"#, "{}"), Malformed::Json("header")),
        (signed(r#"{"alg":"HS256"} x"#, "{}"), Malformed::Json("header")),
        (signed(r#"["alg","HS256"]"#, "{}"), Malformed::Json("header")),
        (signed(r#"{"alg":"HS256","crit":["exp"]}"#, "{}"), Malformed::Extension),
        (signed(r#"{"alg":"HS256","crit":[]}"#, "{}"), Malformed::Extension),
        (signed(r#"{"alg":"HS256","b64":true}"#, "{}"), Malformed::Extension),
        (signed(r#"{"alg":"HS256","b64":false,"crit":["b64"]}"#, "{}"), Malformed::Extension),
        (signed(r#"{"alg":"HS256","kid":1}"#, "{}"), Malformed::Parameter("kid")),
        (signed(r#"{"alg":"HS256","typ":null}"#, "{}"), Malformed::Parameter("typ")),
        (format!("{good}="), Malformed::Encoding("signature")),
        (format!("{good} "), Malformed::Encoding("signature")),
        (good.replace('.', ". "), Malformed::Encoding("signature")),
        (good.replacen('.', "=.", 1), Malformed::Encoding("header")),
        (good.replace('.', ""), Malformed::Shape),
        (format!("{good}."), Malformed::Shape),
        (format!(".{good}"), Malformed::Shape),
        (format!("{good}.x.y"), Malformed::Shape),
        (String::new(), Malformed::Shape),
        ("x".repeat(20_000), Malformed::TooLong),
        (
            format!("{}.e30.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#), "A".repeat(4_000)),
            Malformed::Encoding("signature"),
        ),
    ];
    for (token, why) in cases {
        assert_eq!(Token::parse(token.as_bytes()).err(), Some(why), "{token}");
    }
    let nested = signed(r#"{"alg":"HS256"}"#, r#"{"a":{"b":1,"b":2}}"#);
    assert_eq!(Token::parse(nested.as_bytes()).unwrap().claims().err(), Some(Malformed::Json("payload")));
    // `e31` has bits that are left over; `e30` is the canonical `{}`.
    let head = format!("{}.e31", URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#));
    let mac = SigningKey::secret(SECRET, Algorithm::Hs256).unwrap().sign(head.as_bytes()).unwrap();
    let loose = format!("{head}.{}", URL_SAFE_NO_PAD.encode(mac));
    assert_eq!(Token::parse(loose.as_bytes()).unwrap().claims().err(), Some(Malformed::Encoding("payload")));
}

#[test]
fn the_algorithm_is_that_of_the_key() {
    let token = signed(r#"{"alg":"HS256"}"#, "{}");
    let token = Token::parse(token.as_bytes()).unwrap();
    assert!(VerifyingKey::secret(SECRET, &[Algorithm::Hs256]).unwrap().verifies(&token));
    assert!(!VerifyingKey::secret(SECRET, &[Algorithm::Hs384, Algorithm::Hs512]).unwrap().verifies(&token));
    assert_eq!(VerifyingKey::secret(SECRET, &[Algorithm::Rs256]).err(), Some(KeyError::NoAlgorithm));
    assert_eq!(VerifyingKey::secret(b"", &[]).err(), Some(KeyError::EmptySecret));
    // A public key, as everybody knows it, used as a secret.
    let jwk = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    let public = VerifyingKey::jwk(&object(jwk), &Algorithm::ALL).unwrap();
    assert!(!public.verifies(&token) && !public.is_symmetric());
    assert_eq!(public.algorithms().collect::<Vec<_>>(), [Algorithm::Es256]);
}

/// A new key of a curve, whose public half is a JWK.
fn curve_pair(
    algorithm: Algorithm,
    curve: &str,
    kind: &'static library::EcdsaSigningAlgorithm,
) -> (SigningKey, VerifyingKey) {
    let random = aws_lc_rs::rand::SystemRandom::new();
    let private = library::EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
    let pair = library::EcdsaKeyPair::from_pkcs8(kind, private.as_ref()).unwrap();
    let point = pair.public_key().as_ref();
    let (x, y) = point[1..].split_at((point.len() - 1) / 2);
    let jwk =
        json!({"kty": "EC", "crv": curve, "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)});
    (
        SigningKey::pkcs8(private.as_ref(), algorithm).unwrap(),
        VerifyingKey::jwk(jwk.as_object().unwrap(), &[]).unwrap(),
    )
}

#[test]
fn every_algorithm_signs_and_verifies_and_no_other_does() {
    use aws_lc_rs::rsa::KeySize;
    let mut made: Vec<(SigningKey, VerifyingKey)> = Vec::new();
    for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
        made.push((
            SigningKey::secret(SECRET, algorithm).unwrap(),
            VerifyingKey::secret(SECRET, &[algorithm]).unwrap(),
        ));
    }
    let random = aws_lc_rs::rand::SystemRandom::new();
    for (algorithm, curve, kind) in [
        (Algorithm::Es256, "P-256", &library::ECDSA_P256_SHA256_FIXED_SIGNING),
        (Algorithm::Es384, "P-384", &library::ECDSA_P384_SHA384_FIXED_SIGNING),
        (Algorithm::Es512, "P-521", &library::ECDSA_P521_SHA512_FIXED_SIGNING),
    ] {
        made.push(curve_pair(algorithm, curve, kind));
    }
    let pair = library::Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    let public = library::Ed25519KeyPair::from_pkcs8_maybe_unchecked(pair.as_ref()).unwrap();
    let jwk =
        json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(public.public_key().as_ref())});
    made.push((
        SigningKey::pkcs8(pair.as_ref(), Algorithm::EdDsa).unwrap(),
        VerifyingKey::jwk(jwk.as_object().unwrap(), &[]).unwrap(),
    ));
    let pair = library::RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let private = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
    let public =
        aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(pair.public_key())
            .unwrap();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        base64::engine::general_purpose::STANDARD.encode(public.as_ref())
    );
    for algorithm in [
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
    ] {
        made.push((
            SigningKey::pkcs8(private.as_ref(), algorithm).unwrap(),
            VerifyingKey::pem(&pem, &[algorithm]).unwrap(),
        ));
    }
    // `Ed25519` is `EdDSA` by another name, and nothing is signed with Ed448.
    assert_eq!(made.len(), Algorithm::ALL.len() - 2);
    let claims = json!({"sub": "a"});
    for (place, (signing, _)) in made.iter().enumerate() {
        let text = signing.token(claims.as_object().unwrap()).unwrap();
        let token = Token::parse(text.as_bytes()).unwrap();
        assert_eq!(token.media_type(), Some("JWT"));
        for (other, (_, verifying)) in made.iter().enumerate() {
            assert_eq!(verifying.verifies(&token), place == other, "{place} {other}");
        }
        let changed = tampered(&text);
        assert!(!made[place].1.verifies(&Token::parse(changed.as_bytes()).unwrap()));
    }
}

#[test]
fn keys_that_cannot_be_trusted_are_refused() {
    let jwk = |value: Value| VerifyingKey::jwk(value.as_object().unwrap(), &[]).err();
    let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    let y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
    assert_eq!(jwk(json!({"kty": "EC", "crv": "P-256", "x": x, "y": x})), Some(KeyError::Invalid));
    assert_eq!(jwk(json!({"kty": "EC", "crv": "P-384", "x": x, "y": y})), Some(KeyError::Member("x")));
    assert_eq!(jwk(json!({"kty": "EC", "crv": "secp256k1", "x": x, "y": y})), Some(KeyError::Unsupported));
    assert_eq!(jwk(json!({"kty": "EC", "crv": "P-256", "x": x})), Some(KeyError::Member("y")));
    assert_eq!(jwk(json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "enc"})), Some(KeyError::Use));
    assert_eq!(
        jwk(json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "key_ops": ["encrypt"]})),
        Some(KeyError::Use)
    );
    assert_eq!(
        jwk(json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "alg": "HS256"})),
        Some(KeyError::NoAlgorithm)
    );
    assert_eq!(jwk(json!({"kty": "oct", "k": "AAAA", "alg": "HS256"})), Some(KeyError::ShortSecret));
    assert_eq!(jwk(json!({"kty": "oct", "k": ""})), Some(KeyError::EmptySecret));
    assert_eq!(jwk(json!({"kty": "OKP", "crv": "Ed448", "x": x})), Some(KeyError::Member("x")));
    assert_eq!(jwk(json!({"kty": "OKP", "crv": "X25519", "x": x})), Some(KeyError::Unsupported));
    assert_eq!(jwk(json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"})), Some(KeyError::Member("x")));
    let modulus = |bytes: usize| URL_SAFE_NO_PAD.encode(vec![0xff; bytes]);
    assert_eq!(jwk(json!({"kty": "RSA", "n": modulus(128), "e": "AQAB"})), Some(KeyError::RsaSize));
    assert_eq!(jwk(json!({"kty": "RSA", "n": modulus(1025), "e": "AQAB"})), Some(KeyError::RsaSize));
    for exponent in ["AQ", "Ag", "AQAA"] {
        assert_eq!(jwk(json!({"kty": "RSA", "n": modulus(256), "e": exponent})), Some(KeyError::RsaExponent));
    }
    assert_eq!(jwk(json!({"kty": "dir"})), Some(KeyError::Unsupported));
    for text in ["", "-----BEGIN PUBLIC KEY-----", "-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----"]
    {
        assert_eq!(VerifyingKey::pem(text, &[]).err(), Some(KeyError::Pem));
    }
    let private = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----";
    assert_eq!(VerifyingKey::pem(private, &[]).err(), Some(KeyError::Private));
}

#[test]
fn a_set_is_searched_by_name_and_says_when_it_knows_no_key() {
    let k = |byte: u8| URL_SAFE_NO_PAD.encode([byte; 32]);
    let set = |keys: Value| KeySet::parse(json!({ "keys": keys }).to_string().as_bytes(), &[], false);
    let two = set(json!([{"kty": "oct", "k": k(1), "kid": "one"}, {"kty": "oct", "k": k(2), "kid": "two"}]))
        .unwrap();
    let token = |byte: u8, id: Option<&str>| {
        SigningKey::secret(&[byte; 32], Algorithm::Hs256).unwrap().with_id(id).token(&Map::new()).unwrap()
    };
    let select = |set: &KeySet, text: String| set.verify(&Token::parse(text.as_bytes()).unwrap());
    assert_eq!(select(&two, token(1, Some("one"))), Select::Verified);
    assert_eq!(select(&two, token(2, None)), Select::Verified);
    assert_eq!(select(&two, token(1, Some("two"))), Select::WrongSignature);
    assert_eq!(select(&two, token(1, Some("three"))), Select::UnknownKey);
    assert_eq!(select(&two, token(3, None)), Select::NoneVerifies);
    let public = json!({"kty": "EC", "crv": "P-256", "kid": "p", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"});
    let secret = json!({"kty": "oct", "k": k(1), "kid": "s"});
    assert_eq!(set(json!([public, secret])).err(), Some(KeySetError::Mixed));
    assert_eq!(set(json!([secret, secret])).err(), Some(KeySetError::DuplicateId));
    assert_eq!(set(json!([])).err(), Some(KeySetError::Empty(None)));
    assert_eq!(set(json!([1])).err(), Some(KeySetError::Form));
    assert_eq!(set(json!([{"kty": "new"}])).err(), Some(KeySetError::Empty(Some(KeyError::Unsupported))));
    assert_eq!(set(json!([{"kty": "new"}, public])).unwrap().keys().len(), 1);
    for secret in [
        secret,
        json!({"kty": "oct", "k": "AAAA"}),
        json!({"kty": "oct"}),
        json!({"kty": "oct", "k": k(1), "alg": "ES256"}),
        json!({"kty": "oct", "k": k(1), "use": "enc"}),
    ] {
        let fetched = json!({"keys": [public, secret]}).to_string();
        for accepted in [&[][..], &[Algorithm::Es256]] {
            let read = KeySet::parse(fetched.as_bytes(), accepted, true);
            assert_eq!(read.err(), Some(KeySetError::Secret), "{secret}");
        }
    }
    let odd = json!([
        public,
        {"kty": "RSA", "kid": "weak", "n": URL_SAFE_NO_PAD.encode([0xff; 128]), "e": "AQAB"},
        {"kty": "OKP", "crv": "Ed448", "x": "AAAA"},
        {"kty": "RSA", "kid": "for encryption", "use": "enc", "n": "AQAB", "e": "AQAB"},
        {"kty": "RSA", "kid": "of others", "alg": "RSA-OAEP", "n": "AQAB", "e": "AQAB"},
    ]);
    let odd = set(odd).unwrap();
    let left_out: Vec<_> = odd.left_out().iter().map(|key| (key.id.as_deref(), key.why)).collect();
    assert_eq!(left_out, [(Some("weak"), KeyError::RsaSize), (None, KeyError::Member("x"))]);
    assert_eq!(odd.keys().len(), 1);
    let many: Vec<_> = (0..300).map(|_| json!({"kty": "oct", "k": k(1)})).collect();
    assert_eq!(set(json!(many)).err(), Some(KeySetError::TooMany));
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
        assert_eq!(KeySet::parse(text.as_bytes(), &[], false).err(), Some(KeySetError::Form), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_are_ever_accepted_or_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        let key = VerifyingKey::secret(SECRET, &Algorithm::ALL[..3]).unwrap();
        prop_assert!(!Token::parse(&text).is_ok_and(|token| key.verifies(&token)));
        let _ = KeySet::parse(&text, &[], false);
        let _ = VerifyingKey::spki(&text, &Algorithm::ALL);
        let _ = torana_credential::jose::public_key_of_certificate(&text);
        let _ = VerifyingKey::pem(&String::from_utf8_lossy(&text), &[]);
    }

    #[test]
    fn no_change_of_a_good_token_is_accepted(place in 0_usize..150, byte in any::<u8>(), cut in any::<bool>()) {
        let good = signed(r#"{"alg":"HS256","kid":"k"}"#, r#"{"sub":"u","exp":9999999999}"#);
        let mut changed = good.clone().into_bytes();
        let place = place % changed.len();
        if cut { changed.truncate(place); } else { changed[place] = byte; }
        let key = VerifyingKey::secret(SECRET, &Algorithm::ALL[..3]).unwrap();
        let accepted = Token::parse(&changed).is_ok_and(|token| key.verifies(&token));
        prop_assert_eq!(accepted, changed == good.as_bytes());
    }
}
