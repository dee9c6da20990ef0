//! Certificates made for the test, and what is said about them.

use super::*;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::CertificateDer;
use std::fmt::Write;

/// 2026-01-01.
const NOW: i64 = 1_767_225_600;
const DAY: i64 = 24 * 60 * 60;

fn pem(label: &str, der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in der.chunks(48) {
        for group in line.chunks(3) {
            let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
                << (8 * (3 - group.len()));
            for place in 0..4 {
                let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
                text.push(if place <= group.len() { char::from(digit) } else { '=' });
            }
        }
        text.push('\n');
    }
    writeln!(text, "-----END {label}-----").unwrap();
    text
}

fn parameters(name: &str, names: &[&str], from: i64, until: i64) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut parameters = CertificateParams::new(names).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, name);
    let moment = |seconds: i64| {
        let date = date(seconds);
        let mut parts = date.split('-').map(|part| part.parse::<i32>().unwrap());
        let mut part = || parts.next().unwrap();
        rcgen::date_time_ymd(part(), u8::try_from(part()).unwrap(), u8::try_from(part()).unwrap())
    };
    (parameters.not_before, parameters.not_after) = (moment(from), moment(until));
    parameters
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

fn authority(name: &str) -> Authority {
    let mut parameters = parameters(name, &[], NOW - 100 * DAY, NOW + 1000 * DAY);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    Authority { pem: pem("CERTIFICATE", certificate.der()), issuer: Issuer::new(parameters, key) }
}

impl Authority {
    fn sign(&self, parameters: &CertificateParams) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        (pem("CERTIFICATE", certificate.der()), pem("PRIVATE KEY", &key.serialize_der()))
    }
}

fn codes(problems: &[Problem]) -> Vec<&'static str> {
    problems.iter().map(Problem::code).collect()
}

#[test]
fn a_good_pair_has_its_names_and_no_problems() {
    let authority = authority("root");
    let (certificate, key) =
        authority.sign(&parameters("leaf", &["A.test", "*.b.test", "10.0.0.1"], NOW - DAY, NOW + 90 * DAY));
    let text = format!("a remark\n{certificate}{}", authority.pem);
    let pair = CertifiedPair::from_pem(&text, &key).unwrap();
    assert_eq!(pair.names(), ["a.test".into(), "*.b.test".into()]);
    assert_eq!(pair.leaf().alternative_names().last().unwrap(), "IP:10.0.0.1");
    assert_eq!((pair.leaf().subject(), pair.leaf().issuer(), pair.leaf().line()), ("CN=leaf", "CN=root", 2));
    assert_eq!(codes(&pair.problems(Purpose::Server, NOW)), [""; 0]);
    assert_eq!(format!("{pair:?}").matches("***").count(), 1, "{pair:?}");
}

#[test]
fn times_are_compared_with_the_clock_that_is_passed_in() {
    let (certificate, key) =
        authority("root").sign(&parameters("leaf", &["a.test"], NOW - DAY, NOW + 40 * DAY));
    let pair = CertifiedPair::from_pem(&certificate, &key).unwrap();
    assert_eq!(codes(&pair.problems(Purpose::Server, NOW + 5 * DAY)), [""; 0]);
    let soon = pair.problems(Purpose::Server, NOW + 20 * DAY);
    assert_eq!(codes(&soon), ["certificate-expires-soon"]);
    assert!(soon[0].to_string().contains("expires in 20 days, on 2026-02-10"), "{}", soon[0]);
    assert_eq!(codes(&pair.problems(Purpose::Server, NOW + 41 * DAY)), ["certificate-expired"]);
    assert_eq!(codes(&pair.problems(Purpose::Server, NOW - 2 * DAY)), ["certificate-not-yet-valid"]);
}

#[test]
fn a_chain_out_of_order_is_told_with_its_line() {
    let (one, other) = (authority("one"), authority("other"));
    let (certificate, key) = one.sign(&parameters("leaf", &["a.test"], NOW - DAY, NOW + 90 * DAY));
    let text = [certificate.clone(), other.pem, one.pem.clone()].concat();
    let problems = CertifiedPair::from_pem(&text, &key).unwrap().problems(Purpose::Server, NOW);
    let line = certificate.lines().count() + 1;
    assert!(
        matches!(&problems[0], Problem::OutOfOrder { line: at, elsewhere: true, expected, .. } if *at == line && expected == "CN=one"),
        "{problems:?}"
    );
    assert!(problems[0].help().contains("put `CN=one` here"), "{}", problems[0].help());
}

#[test]
fn a_key_of_another_certificate_is_refused_and_its_own_is_named() {
    let authority = authority("root");
    let (first, _) = authority.sign(&parameters("first", &["a.test"], NOW, NOW + 90 * DAY));
    let (second, key) = authority.sign(&parameters("second", &["b.test"], NOW, NOW + 90 * DAY));
    let chain = certificates(&[first.clone(), second].concat()).unwrap();
    let problem = CertifiedPair::new(chain, private_key(&key).unwrap()).unwrap_err();
    assert_eq!(problem.code(), "key-mismatch");
    let line = first.lines().count() + 1;
    assert!(problem.help().contains(&format!("line {line}")), "{}", problem.help());
}

#[test]
fn text_that_is_no_certificate_or_key_says_what_it_is() {
    let (certificate, key) = authority("root").sign(&parameters("leaf", &["a.test"], NOW, NOW + 90 * DAY));
    assert_eq!(certificates("").unwrap_err(), PemError::Empty);
    assert_eq!(certificates("hello").unwrap_err(), PemError::NotPem);
    assert_eq!(certificates(&key).unwrap_err(), PemError::NoCertificate("`PRIVATE KEY`".into()));
    assert_eq!(private_key(&certificate).unwrap_err(), PemError::NoKey("`CERTIFICATE`".into()));
    assert_eq!(
        private_key(&[key.clone(), key.clone()].concat()).unwrap_err(),
        PemError::SecondKey { line: 6 }
    );
    let encrypted = pem("ENCRYPTED PRIVATE KEY", b"xx");
    assert_eq!(private_key(&encrypted).unwrap_err(), PemError::EncryptedKey { line: 1 });
    let cut = &certificate[..certificate.len() / 2];
    assert_eq!(certificates(cut).unwrap_err(), PemError::Broken { line: 1 });
    let wrong = pem("CERTIFICATE", b"not a certificate at all");
    assert!(matches!(certificates(&wrong), Err(PemError::Invalid { line: 1, .. })));
    let wrong = pem("PRIVATE KEY", b"not a key at all");
    assert!(matches!(private_key(&wrong), Err(PemError::Invalid { line: 1, .. })));
}

#[test]
fn a_certificate_without_names_or_authority_is_told() {
    let (certificate, key) = authority("root").sign(&parameters("leaf", &[], NOW, NOW + 90 * DAY));
    let pair = CertifiedPair::from_pem(&certificate, &key).unwrap();
    assert_eq!(codes(&pair.problems(Purpose::Server, NOW)), ["certificate-without-names"]);
    assert_eq!(codes(&authorities(&certificate, NOW).unwrap().1), ["no-authority"]);
    let key = KeyPair::generate().unwrap();
    let own = parameters("own", &["a.test"], NOW, NOW + 90 * DAY).self_signed(&key).unwrap();
    let pair =
        CertifiedPair::from_pem(&pem("CERTIFICATE", own.der()), &pem("PRIVATE KEY", &key.serialize_der()));
    assert_eq!(codes(&pair.unwrap().problems(Purpose::Server, NOW)), ["self-signed"]);
}

#[test]
fn a_certificate_is_for_what_its_extension_names() {
    use ExtendedKeyUsagePurpose::{Any, ClientAuth, CodeSigning, ServerAuth};
    let root = authority("root");
    let said = |usages: &[ExtendedKeyUsagePurpose]| {
        let mut parameters = parameters("leaf", &["a.test"], NOW - DAY, NOW + 90 * DAY);
        parameters.extended_key_usages = usages.to_vec();
        let (certificate, key) = root.sign(&parameters);
        let pair = CertifiedPair::from_pem(&certificate, &key).unwrap();
        [Purpose::Server, Purpose::Client].map(|purpose| codes(&pair.problems(purpose, NOW)))
    };
    let other = || vec!["certificate-of-another-purpose"];
    for (usages, expected) in [
        (&[][..], [vec![], vec![]]),
        (&[Any], [vec![], vec![]]),
        (&[CodeSigning, Any], [vec![], vec![]]),
        (&[ServerAuth, ClientAuth], [vec![], vec![]]),
        (&[ServerAuth], [vec![], other()]),
        (&[ClientAuth], [other(), vec![]]),
        (&[CodeSigning], [other(), other()]),
    ] {
        assert_eq!(said(usages), expected, "{usages:?}");
    }
    // One that signs is looked at by clients too.
    let mut middle = parameters("middle", &[], NOW - DAY, NOW + 90 * DAY);
    middle.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    middle.extended_key_usages = vec![ClientAuth];
    let key = KeyPair::generate().unwrap();
    let signed = pem("CERTIFICATE", middle.signed_by(&key, &root.issuer).unwrap().der());
    let middle = Authority { pem: signed, issuer: Issuer::new(middle, key) };
    let (certificate, key) = middle.sign(&parameters("leaf", &["a.test"], NOW - DAY, NOW + 90 * DAY));
    let pair = CertifiedPair::from_pem(&[certificate, middle.pem].concat(), &key).unwrap();
    let problems = pair.problems(Purpose::Server, NOW);
    assert!(
        matches!(&problems[..], [Problem::WrongPurpose { subject, .. }] if subject == "CN=middle"),
        "{problems:?}"
    );
    assert!(problems[0].help().contains("`serverAuth`"), "{}", problems[0].help());
}

#[test]
fn a_client_needs_no_name_that_clients_look_at() {
    let (certificate, key) = authority("root").sign(&parameters("leaf", &[], NOW, NOW + 90 * DAY));
    let pair = CertifiedPair::from_pem(&certificate, &key).unwrap();
    assert_eq!(codes(&pair.problems(Purpose::Client, NOW)), [""; 0]);
}

#[test]
fn what_a_client_shows_is_put_into_words() {
    let parameters = parameters("client\r\n7", &["a.test"], NOW, NOW + 90 * DAY);
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let der: &CertificateDer<'_> = certificate.der();
    let client = ClientCertificate::read(der).unwrap();
    assert!(client.subject.chars().all(|character| !character.is_control()), "{:?}", client.subject);
    assert_eq!(client.names, ["DNS:a.test"]);
    assert_eq!(client.fingerprint.len(), 64);
    assert!(ClientCertificate::read(b"nothing").is_err());
}

#[test]
fn a_subject_as_openssl_shows_it_is_that_of_the_certificate() {
    let mut parameters = parameters("tpp", &[], NOW, NOW + 90 * DAY);
    let attributes: [&[u64]; 3] =
        [&[2, 5, 4, 97], &[1, 3, 6, 1, 4, 1, 311, 60, 2, 1, 3], &[0, 9, 2342, 19_200_300, 100, 1, 3]];
    for number in attributes {
        parameters.distinguished_name.push(DnType::from_oid(number), "x");
    }
    let certificate = parameters.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let client = ClientCertificate::read(certificate.der()).unwrap();
    let shown = "CN = tpp, organizationIdentifier = x, jurisdictionC = x, mail = x";
    assert_eq!(distinguished_name(shown).as_ref(), Ok(&client.subject));
}

#[test]
fn one_attribute_never_looks_like_two() {
    let subject = |name: &str| {
        let parameters = parameters(name, &[], NOW, NOW + 90 * DAY);
        let certificate = parameters.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let client = ClientCertificate::read(certificate.der()).unwrap();
        assert_eq!(client.common_name.as_deref(), Some(name));
        client.subject
    };
    assert_eq!(subject("client-7"), "CN=client-7");
    assert_eq!(subject("Jörg Müller"), "CN=Jörg Müller");
    assert_eq!(subject("a, O=Example"), "CN=a\\, O=Example");
    assert_eq!(subject("a + OU=b"), "CN=a \\+ OU=b");
    assert_eq!(subject("a\\, O=b"), "CN=a\\\\\\, O=b");
    assert_eq!(subject("#a;b"), "CN=\\#a\\;b");
    assert_eq!(subject(" a "), "CN=\\ a\\ ");
    assert_eq!(subject(" "), "CN=\\ ");
    for name in ["a, O=Example", "a\\, O=b", " a ", "#a;b<c>\"=", "Jörg + X"] {
        let described = subject(name);
        assert_eq!(distinguished_name(&described).as_ref(), Ok(&described), "{name}");
    }
}

#[test]
fn authorities_vouch_for_what_leads_to_them_and_is_good() {
    let (root, other, impostor) = (authority("root"), authority("other"), authority("root"));
    let trusted = |authority: &Authority| {
        let (read, _) = authorities(&authority.pem, NOW).unwrap();
        Authorities::new(&read).unwrap()
    };
    let mut middle = parameters("middle", &[], NOW - DAY, NOW + 90 * DAY);
    middle.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let middle_der = middle.signed_by(&key, &root.issuer).unwrap().der().to_vec();
    let mut leaf = parameters("client", &[], NOW - DAY, NOW + 30 * DAY);
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let signed = leaf.signed_by(&KeyPair::generate().unwrap(), &Issuer::new(middle, key)).unwrap();
    let bare = ClientCertificate::read(signed.der()).unwrap();
    let whole = bare.clone().with_between([middle_der.as_slice()]);
    let (now, later) = (u64::try_from(NOW).unwrap(), u64::try_from(NOW + 31 * DAY).unwrap());
    assert!(trusted(&root).vouch_for(&whole, now));
    assert!(!trusted(&root).vouch_for(&bare, now), "nothing leads from it to the root");
    assert!(!trusted(&root).vouch_for(&whole, later), "it has expired");
    for stranger in [&other, &impostor] {
        assert!(!trusted(stranger).vouch_for(&whole, now));
    }
    assert!(Authorities::new(&[]).is_none());
}
