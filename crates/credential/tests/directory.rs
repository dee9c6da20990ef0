//! Consumers are found by what they show, whatever their number, and nobody else is.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use helper::identity;
use torana_credential::directory::{Builder, KeyPrint, Password, PasswordError};
use torana_credential::signature::SignatureKey;

mod helper {
    use torana_identity::Consumer;

    pub(crate) fn identity(id: &str) -> Consumer {
        Consumer { id: id.into(), username: Some(format!("u-{id}").into()), ..Consumer::default() }
    }
}

#[test]
fn a_key_finds_its_consumer_until_it_expires_and_no_other_key_finds_anybody() {
    let mut builder = Builder::default();
    for number in 0..1_000 {
        let id = number.to_string();
        builder.consumer(identity(&id), &id).unwrap();
        let name = (number % 2 == 0).then(|| format!("k-{id}"));
        builder
            .key(format!("key-{id}").as_bytes(), if number == 7 { 100 } else { u64::MAX }, name.as_deref())
            .unwrap();
    }
    let refused = builder.key(b"key-7", 1, None).unwrap_err();
    assert_eq!(refused.to_string(), "the consumer `u-7` has this key already");
    let refused = builder.consumer(identity("7"), &1).unwrap_err();
    assert_eq!(refused.to_string(), "the consumer `u-7` has this username already");
    let other = torana_identity::Consumer { id: "7".into(), ..Default::default() };
    let refused = builder.consumer(other, &1).unwrap_err();
    assert_eq!(refused.to_string(), "the consumer `u-7` has this id already");
    let directory = builder.build();
    let by_key = |key: &str, now| directory.by_print(&KeyPrint::of(key.as_bytes()), now);
    for number in 0..1_000 {
        let found = by_key(&format!("key-{number}"), 99).unwrap();
        assert_eq!(found.consumer, format!("u-{number}"));
        let credential = found.credential.as_ref().unwrap();
        assert_eq!(*credential.id == *format!("k-{number}"), number % 2 == 0);
        assert!(!credential.id.contains("key-"), "the key itself is no name");
        let again = by_key(&format!("key-{number}"), 99).unwrap();
        assert!(std::sync::Arc::ptr_eq(found, again), "made once");
    }
    assert!(by_key("key-7", 100).is_none());
    for wrong in ["", "key-1000", "KEY-1", "key-1 "] {
        assert!(by_key(wrong, 0).is_none());
    }
    assert_eq!(directory.consumer("u-3").unwrap().id, directory.consumer("3").unwrap().id);
    assert!(directory.consumer("u-1000").is_none() && directory.len() == 1_000);
    assert!(!format!("{directory:?}").contains("key-"));
}

#[test]
fn a_directory_with_another_secret_is_another_one() {
    let build = |print: &str| {
        let mut builder = Builder::default();
        builder.consumer(identity("a"), &print).unwrap();
        builder.build()
    };
    assert!(build("x") == build("x"));
    assert!(build("x") != build("y"));
}

#[test]
fn names_that_nobody_has_cost_what_the_costliest_hash_costs() {
    let hash = |text: &str| Password::hash(text).unwrap();
    let bcrypt =
        |cost: u32| hash(&format!("$2b${cost:02}$......................LAtw7/ohmmBAhnXqmkuIz83Rl5Qdjhm"));
    let argon = |m: u32| hash(&format!("$argon2id$v=19$m={m},t=2,p=1$MTIzNDU2Nzg$2RjPPgyiHwsTRM6hfs9VHQ"));
    let plain = || Password::plain("open sesame").unwrap();
    let decoy = |passwords: Vec<Password>| {
        let mut builder = Builder::default();
        for (number, password) in passwords.into_iter().enumerate() {
            builder.consumer(identity(&number.to_string()), &number).unwrap();
            builder.basic(&number.to_string(), password).unwrap();
        }
        builder.build().decoy().cloned()
    };
    assert!(decoy(vec![plain(), plain()]).is_none());
    for (passwords, expected) in [
        (vec![plain(), bcrypt(4), plain()], bcrypt(4)),
        (vec![bcrypt(12), bcrypt(4), bcrypt(10)], bcrypt(12)),
        (vec![bcrypt(4), argon(65536), argon(19456)], argon(65536)),
        (vec![argon(16), bcrypt(10)], bcrypt(10)),
    ] {
        assert!(decoy(passwords) == Some(expected));
    }
}

#[test]
fn a_wrong_signature_costs_one_computation_of_each_algorithm_whoever_is_named() {
    let pem = |prefix: &[u8], point: &[u8]| {
        let der = STANDARD.encode([prefix, point].concat());
        let text = format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n");
        SignatureKey::pem(&text, None).unwrap()
    };
    let edwards = || {
        let pair = Ed25519KeyPair::generate().unwrap();
        pem(b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00", pair.public_key().as_ref())
    };
    let curve = || {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let prefix = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";
        pem(prefix, pair.public_key().as_ref())
    };
    let secret = |text: &str| SignatureKey::secret(text.as_bytes()).unwrap();
    let mut builder = Builder::default();
    for (number, key) in [edwards(), secret("a"), curve(), edwards(), secret("b")].into_iter().enumerate() {
        builder.consumer(identity(&number.to_string()), &number).unwrap();
        builder.hmac(&number.to_string(), key).unwrap();
    }
    let directory = builder.build();
    for name in ["nobody", "0", "1", "2", "3", "4"] {
        let known = directory.signature_key(name).map(|known| &known.proof);
        let computed = known.into_iter().chain(directory.signature_decoys(known));
        let mut algorithms: Vec<_> = computed.map(SignatureKey::algorithm).collect();
        algorithms.sort_unstable();
        assert_eq!(algorithms, ["ecdsa-p256-sha256", "ed25519", "hmac-sha256"], "{name}");
    }
    assert_eq!(Builder::default().build().signature_decoys(None).count(), 0);
}

#[test]
fn passwords_verify_by_every_kind_of_hash() {
    let argon = "$argon2id$v=19$m=16,t=2,p=1$MTIzNDU2Nzg$2RjPPgyiHwsTRM6hfs9VHQ";
    let made = Password::hash(argon);
    assert!(made.is_ok_and(|hash| hash.is_costly() && !hash.verifies(b"wrong")));
    let kong = Password::kong("c1a5298f939e87e8f962a5edfc206918b5a5a5a5", "id").unwrap();
    assert!(!kong.verifies(b"x"));
    // SHA-1 of `abc`, as the password `ab` of the consumer `c` gives it (FIPS 180-2 appendix A.1).
    let kong = Password::kong("a9993e364706816aba3e25717850c26c9cd0d89d", "c").unwrap();
    assert!(kong.verifies(b"ab") && !kong.verifies(b"abc") && !kong.is_costly());
    let bcrypt = Password::hash("$2b$04$......................LAtw7/ohmmBAhnXqmkuIz83Rl5Qdjhm").unwrap();
    assert!(bcrypt.is_costly());
    let plain = Password::plain("open sesame").unwrap();
    assert!(plain.verifies(b"open sesame") && !plain.verifies(b"open") && !plain.verifies(b""));
    for (text, why) in [
        ("", PasswordError::Form),
        ("hunter2", PasswordError::Form),
        ("$2b$31$short", PasswordError::Form),
        ("$2b$15$......................LAtw7/ohmmBAhnXqmkuIz83Rl5Qdjhm", PasswordError::TooCostly),
        ("$argon2id$v=19$m=4194304,t=2,p=1$MTIzNDU2Nzg$2RjPPgyiHwsTRM6hfs9VHQ", PasswordError::TooCostly),
    ] {
        assert_eq!(Password::hash(text).err(), Some(why), "{text}");
    }
    assert_eq!(Password::plain("").err(), Some(PasswordError::Empty));
    assert_eq!(Password::kong("zz", "c").err(), Some(PasswordError::Sha1));
    assert_eq!(format!("{plain:?}"), "Password(***)");
}
