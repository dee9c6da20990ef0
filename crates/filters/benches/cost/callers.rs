//! Callers that show tokens, keys, passwords and certificates.

use crate::case::{Case, NOW, Named, head};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::sync::Arc;
use torana_certificate::ClientCertificate;
use torana_credential::jose::{Algorithm, SigningKey};

const SECRET: &str = "a secret of at least thirty-two bytes";
/// More than a filter remembers, so that each comes as if for the first time.
const TOKENS: usize = 40_000;

fn certificate() -> ClientCertificate {
    ClientCertificate {
        subject: "CN=alice, O=Example".into(),
        common_name: Some("alice".into()),
        issuer: "CN=ca".into(),
        names: vec!["DNS:alice.test".into()],
        fingerprint: "0".repeat(64),
        not_after: i64::MAX,
        der: vec![1],
        between: Vec::new(),
    }
}

pub fn cases() -> impl Iterator<Item = Named> {
    let named: [Named; 10] = [
        ("jwt HS256, first seen", Box::new(|| tokens("jwt HS256, first seen", &hs256(), TOKENS).bar(1_500))),
        ("jwt HS256, known", Box::new(|| tokens("jwt HS256, known", &hs256(), 1).bar(300))),
        ("jwt RS256, first seen", Box::new(|| tokens("jwt RS256, first seen", &rs256(), 64).forgetful())),
        ("jwt ES256, first seen", Box::new(|| tokens("jwt ES256, first seen", &es256(), 64).forgetful())),
        ("jwt EdDSA, first seen", Box::new(|| tokens("jwt EdDSA, first seen", &eddsa(), 64).forgetful())),
        ("jwt RS256, known", Box::new(|| tokens("jwt RS256, known", &rs256(), 1).bar(300))),
        ("key_auth, one consumer", Box::new(key_auth)),
        ("basic_auth, known", Box::new(|| basic_auth("basic_auth, known", "password: secret"))),
        (
            "basic_auth, known, bcrypt",
            Box::new(|| {
                // The hash of `secret`.
                let hash = bcrypt_hash();
                basic_auth("basic_auth, known, bcrypt", &format!("hash: \"{hash}\""))
            }),
        ),
        ("mtls_auth", Box::new(mtls_auth)),
    ];
    named.into_iter()
}

struct Signer {
    /// `secret: …` or `public_key: …`, as the policy wants it.
    verifies: String,
    key: SigningKey,
}

fn hs256() -> Signer {
    let key = SigningKey::secret(SECRET.as_bytes(), Algorithm::Hs256).unwrap();
    Signer { verifies: format!("secret: {SECRET}"), key }
}

fn public(pkcs8: &[u8], algorithm: Algorithm, info: &[u8]) -> Signer {
    let pem = format!("-----BEGIN PUBLIC KEY-----\\n{}\\n-----END PUBLIC KEY-----\\n", STANDARD.encode(info));
    Signer {
        verifies: format!("public_key: \"{pem}\", algorithms: [{}]", algorithm.name()),
        key: SigningKey::pkcs8(pkcs8, algorithm).unwrap(),
    }
}

fn rs256() -> Signer {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let pkcs8 = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
    let info = AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap();
    public(pkcs8.as_ref(), Algorithm::Rs256, info.as_ref())
}

fn es256() -> Signer {
    let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(kind, &SystemRandom::new()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(kind, pkcs8.as_ref()).unwrap();
    let info = AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap();
    public(pkcs8.as_ref(), Algorithm::Es256, info.as_ref())
}

/// A key that signs, and the set that its issuer publishes.
pub fn es256_set() -> (SigningKey, Value) {
    let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(kind, &SystemRandom::new()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(kind, pkcs8.as_ref()).unwrap();
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    let set = json!({ "keys": [{ "kty": "EC", "crv": "P-256", "use": "sig", "x": x, "y": y }] });
    (SigningKey::pkcs8(pkcs8.as_ref(), Algorithm::Es256).unwrap(), set)
}

fn eddsa() -> Signer {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
    let info = AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap();
    public(pkcs8.as_ref(), Algorithm::EdDsa, info.as_ref())
}

/// So many tokens, one after the other and again.
fn tokens(name: &str, signer: &Signer, number: usize) -> Case {
    let token = |caller: usize| {
        let claims = json!({
            "sub": format!("caller-{caller}"), "roles": ["user", "editor"], "tier": "gold",
            "iss": "https://login.example.com", "aud": "orders", "iat": NOW - 60, "exp": NOW + 3600,
        });
        let Value::Object(claims) = claims else { panic!("an object") };
        format!("Authorization: Bearer {}", signer.key.token(&claims).unwrap())
    };
    let heads: Vec<String> = (0..number).map(|caller| head(&token(caller))).collect();
    let policy = format!(
        "jwt: {{ {}, audience: orders, issuer: \"https://login.example.com\", claims_to_headers: {{ sub: X-User-Id }} }}",
        signer.verifies
    );
    Case::new(name, &policy).heads(move |number| heads[number % heads.len()].clone())
}

fn with_alice(name: &str, credential: &str, policy: &str) -> Case {
    let text = format!(
        "consumers: [{{ username: alice, custom_id: c-1, groups: [gold], {credential} }}]\npolicies: {{ {policy} }}\n"
    );
    Case::from(name, &text, &torana_config::FixedResolver::default())
}

fn key_auth() -> Case {
    with_alice("key_auth, one consumer", "keys: [a-key-of-alice]", "key_auth: { headers: [apikey] }")
        .lines("apikey: a-key-of-alice")
}

fn bcrypt_hash() -> String {
    bcrypt::hash("secret", 4).unwrap()
}

fn basic_auth(name: &str, proof: &str) -> Case {
    with_alice(name, &format!("basic: [{{ username: alice, {proof} }}]"), "basic_auth: {}")
        .lines(&format!("Authorization: Basic {}", STANDARD.encode("alice:secret")))
}

fn mtls_auth() -> Case {
    let shown = Arc::new(certificate());
    with_alice("mtls_auth", "certificates: [{ name: alice }]", "mtls_auth: on")
        .known(move |exchange| exchange.client_certificate = Some(Arc::clone(&shown)))
}
