//! Ed448: the vectors of RFC 8032 section 7.4, tokens of another implementation (OpenSSL), and what must be refused.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use torana_credential::jose::{Algorithm, KeyError, KeySet, Select, SigningKey, Token, VerifyingKey};
use torana_credential::signature::SignatureKey;

/// Public key, message, signature.
const VECTORS: [(&str, &str, &str); 7] = [
    (
        "5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d80e96778edf124769b46c7061bd6783df1e50f6cd1fa1abeafe8256180",
        "",
        "533a37f6bbe457251f023c0d88f976ae2dfb504a843e34d2074fd823d41a591f2b233f034f628281f2fd7a22ddd47d7828c59bd0a21bfd3980ff0d2028d4b18a9df63e006c5d1c2d345b925d8dc00b4104852db99ac5c7cdda8530a113a0f4dbb61149f05a7363268c71d95808ff2e652600",
    ),
    (
        "43ba28f430cdff456ae531545f7ecd0ac834a55d9358c0372bfa0c6c6798c0866aea01eb00742802b8438ea4cb82169c235160627b4c3a9480",
        "03",
        "26b8f91727bd62897af15e41eb43c377efb9c610d48f2335cb0bd0087810f4352541b143c4b981b7e18f62de8ccdf633fc1bf037ab7cd779805e0dbcc0aae1cbcee1afb2e027df36bc04dcecbf154336c19f0af7e0a6472905e799f1953d2a0ff3348ab21aa4adafd1d234441cf807c03a00",
    ),
    (
        "dcea9e78f35a1bf3499a831b10b86c90aac01cd84b67a0109b55a36e9328b1e365fce161d71ce7131a543ea4cb5f7e9f1d8b00696447001400",
        "0c3e544074ec63b0265e0c",
        "1f0a8888ce25e8d458a21130879b840a9089d999aaba039eaf3e3afa090a09d389dba82c4ff2ae8ac5cdfb7c55e94d5d961a29fe0109941e00b8dbdeea6d3b051068df7254c0cdc129cbe62db2dc957dbb47b51fd3f213fb8698f064774250a5028961c9bf8ffd973fe5d5c206492b140e00",
    ),
    (
        "3ba16da0c6f2cc1f30187740756f5e798d6bc5fc015d7c63cc9510ee3fd44adc24d8e968b6e46e6f94d19b945361726bd75e149ef09817f580",
        "64a65f3cdedcdd66811e2915",
        "7eeeab7c4e50fb799b418ee5e3197ff6bf15d43a14c34389b59dd1a7b1b85b4ae90438aca634bea45e3a2695f1270f07fdcdf7c62b8efeaf00b45c2c96ba457eb1a8bf075a3db28e5c24f6b923ed4ad747c3c9e03c7079efb87cb110d3a99861e72003cbae6d6b8b827e4e6c143064ff3c00",
    ),
    (
        "b3da079b0aa493a5772029f0467baebee5a8112d9d3a22532361da294f7bb3815c5dc59e176b4d9f381ca0938e13c6c07b174be65dfa578e80",
        "64a65f3cdedcdd66811e2915e7",
        "6a12066f55331b6c22acd5d5bfc5d71228fbda80ae8dec26bdd306743c5027cb4890810c162c027468675ecf645a83176c0d7323a2ccde2d80efe5a1268e8aca1d6fbc194d3f77c44986eb4ab4177919ad8bec33eb47bbb5fc6e28196fd1caf56b4e7e0ba5519234d047155ac727a1053100",
    ),
    (
        "df9705f58edbab802c7f8363cfe5560ab1c6132c20a9f1dd163483a26f8ac53a39d6808bf4a1dfbd261b099bb03b3fb50906cb28bd8a081f00",
        "bd0f6a3747cd561bdddf4640a332461a4a30a12a434cd0bf40d766d9c6d458e5512204a30c17d1f50b5079631f64eb3112182da3005835461113718d1a5ef944",
        "554bc2480860b49eab8532d2a533b7d578ef473eeb58c98bb2d0e1ce488a98b18dfde9b9b90775e67f47d4a1c3482058efc9f40d2ca033a0801b63d45b3b722ef552bad3b4ccb667da350192b61c508cf7b6b5adadc2c8d9a446ef003fb05cba5f30e88e36ec2703b349ca229c2670833900",
    ),
    (
        "79756f014dcfe2079f5dd9e718be4171e2ef2486a08f25186f6bff43a9936b9bfe12402b08ae65798a3d81e22e9ec80e7690862ef3d4ed3a00",
        "15777532b0bdd0d1389f636c5f6b9ba734c90af572877e2d272dd078aa1e567cfa80e12928bb542330e8409f3174504107ecd5efac61ae7504dabe2a602ede89e5cca6257a7c77e27a702b3ae39fc769fc54f2395ae6a1178cab4738e543072fc1c177fe71e92e25bf03e4ecb72f47b64d0465aaea4c7fad372536c8ba516a6039c3c2a39f0e4d832be432dfa9a706a6e5c7e19f397964ca4258002f7c0541b590316dbc5622b6b2a6fe7a4abffd96105eca76ea7b98816af0748c10df048ce012d901015a51f189f3888145c03650aa23ce894c3bd889e030d565071c59f409a9981b51878fd6fc110624dcbcde0bf7a69ccce38fabdf86f3bef6044819de11",
        "c650ddbb0601c19ca11439e1640dd931f43c518ea5bea70d3dcde5f4191fe53f00cf966546b72bcc7d58be2b9badef28743954e3a44a23f880e8d4f1cfce2d7a61452d26da05896f0a50da66a239a8a188b6d825b3305ad77b73fbac0836ecc60987fd08527c1a8e80d5823e65cafe2a3d00",
    ),
];
/// The signature of the second message in the context `foo`.
const IN_CONTEXT: &str = "d4f8f6131770dd46f40867d6fd5d5055de43541f8c5e35abbcd001b32a89f7d2151f7647f11d8ca2ae279fb842d607217fce6e042f6815ea000c85741de5c8da1144a6a1aba7f96de42505d7a7298524fda538fccbbb754f578c1cad10d54d0d5428407e85dcbc98a49155c13764e66c3c00";

/// The same claims, signed with the private key of the first vector, by the name of the algorithm.
const EDDSA: &str = "eyJhbGciOiJFZERTQSIsImtpZCI6ImcifQ.eyJzdWIiOiJnb2xkaWxvY2tzIn0.mR6mnM3oqRxwI4t8OMorvNja0NRBpNmTlnn6HcMCJeKTUeakeMHz3NGFQlvUnKWPIt7AfPQqD0MAA9ToK9Sts7DbTWBrZWhNT56ub2uRJXlLe5L9DilrSuOBdfwqrSl--igp6kftyddK1azvrpue0T4A";
const ED448: &str = "eyJhbGciOiJFZDQ0OCIsImtpZCI6ImcifQ.eyJzdWIiOiJnb2xkaWxvY2tzIn0.iQaWbghIp9KSflRtVtJVpndjHjpvuEWMqH3CJqT7BtgBfJciqZ1UX902rY9q0a5BOGoJn7PHsnSAbnctZ8eGRpD5DP4PC0GQjRsiOLuzhZwFOrLWEq37ZJnmG5o0FhP2UyP9r3zLmPbqF6c5jrW_5TUA";
const ED25519: &str = "eyJhbGciOiJFZDI1NTE5Iiwia2lkIjoiZyJ9.eyJzdWIiOiJnb2xkaWxvY2tzIn0.GnCKvIy2KHdA2lASZQJWK_MNOmGQTZmGONuw-KjTc3XrYS7e7WCbHOQSuMZrbhZtpi27yFai764ApEI7d_szMrF9eKMCgVbKyEhMMtv495hCF-vO9neYIer8X0syFDYrg85JiYmXduElvX16lBcZezwA";
/// The private key of the first vector.
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MEcCAQAwBQYDK2VxBDsEOWyCpWLLgI0Q1jK+ichRPr9skp803fqMn2PJlg7240ij
UoyKP8wvBE45o/xblEkvjwMudUmiAJj5Ww==
-----END PRIVATE KEY-----";
/// The key of the example of RFC 8037.
const OF_25519: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

/// The order of the group, in the order of a signature's scalar.
const ORDER: &str = "f34458ab92c27823558fc58d72c26c219036d6ae49db4ec4e923ca7cffffffffffffffffffffffffffffffffffffffffffffffffffffff3f";

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn jwk(point: &[u8], more: &Value) -> Result<VerifyingKey, KeyError> {
    let mut key = json!({"kty": "OKP", "crv": "Ed448", "x": URL_SAFE_NO_PAD.encode(point)});
    more.as_object().unwrap().iter().for_each(|(name, value)| key[name] = value.clone());
    VerifyingKey::jwk(key.as_object().unwrap(), &[])
}

/// As RFC 8410 writes a public key.
fn pem(point: &[u8]) -> String {
    let der = [&b"\x30\x43\x30\x05\x06\x03\x2b\x65\x71\x03\x3a\x00"[..], point].concat();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
}

fn ours() -> VerifyingKey {
    jwk(&bytes(VECTORS[0].0), &json!({})).unwrap()
}

fn accepts(key: &VerifyingKey, token: &str) -> bool {
    key.verifies(&Token::parse(token.as_bytes()).unwrap())
}

#[test]
fn the_vectors_of_rfc_8032_verify_and_no_change_of_them_does() {
    for (point, message, signature) in VECTORS {
        let (point, message, signature) = (bytes(point), bytes(message), bytes(signature));
        for key in [jwk(&point, &json!({})).unwrap(), VerifyingKey::pem(&pem(&point), &[]).unwrap()] {
            assert!(key.verifies_bytes(Algorithm::EdDsa, &message, &signature));
            assert!(key.verifies_bytes(Algorithm::Ed448, &message, &signature));
            for other in
                Algorithm::ALL.into_iter().filter(|one| *one != Algorithm::EdDsa && *one != Algorithm::Ed448)
            {
                assert!(!key.verifies_bytes(other, &message, &signature), "{other}");
            }
            let longer = [&message[..], b"x"].concat();
            assert!(!key.verifies_bytes(Algorithm::EdDsa, &longer, &signature));
            for at in 0..signature.len() {
                let mut changed = signature.clone();
                changed[at] ^= 1;
                assert!(!key.verifies_bytes(Algorithm::EdDsa, &message, &changed), "{at}");
            }
            for length in [0, 57, 64, 113] {
                assert!(!key.verifies_bytes(Algorithm::EdDsa, &message, &signature[..length]), "{length}");
            }
            let longer = [&signature[..], &[0]].concat();
            assert!(!key.verifies_bytes(Algorithm::EdDsa, &message, &longer));
        }
    }
    let (point, message, _) = VECTORS[1];
    let key = jwk(&bytes(point), &json!({})).unwrap();
    assert!(!key.verifies_bytes(Algorithm::EdDsa, &bytes(message), &bytes(IN_CONTEXT)));
}

#[test]
fn a_scalar_has_one_encoding() {
    for (point, message, signature) in VECTORS {
        let key = jwk(&bytes(point), &json!({})).unwrap();
        let mut other = bytes(signature);
        // The same scalar to the curve: the order of the group more.
        let mut carry = 0;
        for (at, of_order) in bytes(ORDER).into_iter().enumerate() {
            let sum = u16::from(other[57 + at]) + u16::from(of_order) + carry;
            other[57 + at] = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        assert_eq!(carry, 0);
        assert!(!key.verifies_bytes(Algorithm::EdDsa, &bytes(message), &other));
        let mut other = bytes(signature);
        other[113] = 0x80;
        assert!(!key.verifies_bytes(Algorithm::EdDsa, &bytes(message), &other));
    }
}

#[test]
fn points_that_anybody_can_sign_for_or_that_are_written_otherwise_are_no_keys() {
    let point = |first: u8, middle: u8, last: u8| {
        let mut point = [middle; 57];
        (point[0], point[56]) = (first, last);
        point
    };
    // 2^448 - 2^224 - 1, and numbers beside it.
    let prime = |less: i16, last: u8| {
        let mut point = point(0xff, 0xff, last);
        point[28] = 0xfe;
        if less > 0 {
            point[0] -= u8::try_from(less).unwrap();
        } else if less < 0 {
            point[0] = u8::try_from(-less - 1).unwrap();
            point[1..28].fill(0);
            point[28] = 0xff;
        }
        point
    };
    let refused = [
        ("of order 1", point(1, 0, 0)),
        ("of order 2", prime(1, 0)),
        ("of order 4", point(0, 0, 0)),
        ("the other of order 4", point(0, 0, 0x80)),
        ("zero with a sign", point(1, 0, 0x80)),
        ("the prime", prime(0, 0)),
        ("one more than the prime", prime(-1, 0)),
        ("all ones", point(0xff, 0xff, 0)),
        ("a bit between number and sign", point(5, 0, 0x40)),
        ("not on the curve", point(2, 0, 0)),
    ];
    for (what, point) in refused {
        assert_eq!(jwk(&point, &json!({})).err(), Some(KeyError::Invalid), "{what}");
        assert_eq!(VerifyingKey::pem(&pem(&point), &[]).err(), Some(KeyError::Invalid), "{what}");
    }
    assert_eq!(jwk(&[7; 32], &json!({})).err(), Some(KeyError::Member("x")));
    assert_eq!(jwk(&[7; 58], &json!({})).err(), Some(KeyError::Member("x")));
    assert_eq!(VerifyingKey::pem(&pem(&[7; 32]), &[]).err(), Some(KeyError::Invalid));
}

#[test]
fn the_key_says_which_curve_is_meant() {
    let eight = ours();
    assert!(accepts(&eight, EDDSA) && accepts(&eight, ED448) && !accepts(&eight, ED25519));
    let two = VerifyingKey::jwk(
        json!({"kty": "OKP", "crv": "Ed25519", "x": OF_25519}).as_object().unwrap(),
        &[Algorithm::EdDsa],
    );
    let two = two.unwrap();
    for token in [EDDSA, ED448, ED25519] {
        assert!(!accepts(&two, token), "{token}");
    }
    assert_eq!(two.algorithms().collect::<Vec<_>>(), [Algorithm::EdDsa, Algorithm::Ed25519]);
    assert_eq!(eight.algorithms().collect::<Vec<_>>(), [Algorithm::EdDsa, Algorithm::Ed448]);

    let point = bytes(VECTORS[0].0);
    for named in [json!({"alg": "EdDSA"}), json!({"alg": "Ed448"}), json!({"use": "sig"})] {
        let key = jwk(&point, &named).unwrap();
        assert!(accepts(&key, EDDSA) && accepts(&key, ED448), "{named}");
    }
    for named in [json!({"alg": "Ed25519"}), json!({"alg": "ES512"})] {
        assert_eq!(jwk(&point, &named).err(), Some(KeyError::NoAlgorithm), "{named}");
    }
    let pem = pem(&point);
    assert!(accepts(&VerifyingKey::pem(&pem, &[Algorithm::Ed448]).unwrap(), EDDSA));
    for other in [Algorithm::Ed25519, Algorithm::Es512, Algorithm::Rs256, Algorithm::Hs256] {
        assert_eq!(VerifyingKey::pem(&pem, &[other]).err(), Some(KeyError::NoAlgorithm), "{other}");
    }
}

#[test]
fn a_set_of_keys_has_both_curves() {
    let set = json!({"keys": [
        {"kty": "OKP", "crv": "Ed25519", "kid": "two", "x": OF_25519},
        {"kty": "OKP", "crv": "Ed448", "kid": "g", "x": URL_SAFE_NO_PAD.encode(bytes(VECTORS[0].0))},
    ]});
    let set = KeySet::parse(set.to_string().as_bytes(), &[Algorithm::EdDsa], true).unwrap();
    assert!(set.left_out().is_empty());
    let select = |token: &str| set.verify(&Token::parse(token.as_bytes()).unwrap());
    assert_eq!((select(EDDSA), select(ED448)), (Select::Verified, Select::Verified));
    assert_eq!(select(ED25519), Select::UnknownKey);
}

#[test]
fn nothing_is_signed_with_it_and_no_message_signature_verified() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Ed448] {
        assert_eq!(SigningKey::pem(PRIVATE, algorithm).err(), Some(KeyError::Ed448));
    }
    assert_eq!(VerifyingKey::pem(PRIVATE, &[]).err(), Some(KeyError::Private));
    // RFC 9421 has Ed25519 alone.
    for algorithm in [None, Some("ed25519")] {
        let made = SignatureKey::pem(&pem(&bytes(VECTORS[0].0)), algorithm);
        assert_eq!(made.err(), Some(KeyError::NoAlgorithm));
    }
}
