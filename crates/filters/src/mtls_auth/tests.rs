use super::*;
use crate::asking::scripted::alone;
use crate::authentication::{AuthenticationFilter, Method};
use torana_credential::directory::{Builder, Consumers};
use torana_filter::{Moment, Offline, OnRequest, Verdict};
use torana_plan::AuthenticationPlan;

fn filter(policy: &str) -> AuthenticationFilter {
    alone(policy, |plan| match plan {
        AuthenticationPlan::MtlsAuth(plan) => Method::MtlsAuth(MtlsAuthFilter::prepare(plan)),
        other => panic!("{other:?}"),
    })
}

/// With what its consumers are exchanged by.
fn exchangeable(policy: &str) -> (AuthenticationFilter, Arc<Consumers>) {
    let mut consumers = None;
    let filter = alone(policy, |plan| match plan {
        AuthenticationPlan::MtlsAuth(plan) => {
            consumers = Some(Arc::clone(&plan.consumers));
            Method::MtlsAuth(MtlsAuthFilter::prepare(plan))
        }
        other => panic!("{other:?}"),
    });
    (filter, consumers.unwrap())
}

fn certificate(name: &str, not_after: i64) -> ClientCertificate {
    ClientCertificate {
        subject: format!("CN={name}"),
        common_name: Some(name.into()),
        issuer: "CN=ca".into(),
        names: vec!["DNS:other.test".into(), "IP:::1".into(), "odd".into()],
        fingerprint: format!("{:0>64}", name.len()),
        not_after,
        der: vec![1],
        between: Vec::new(),
    }
}

async fn at(
    filter: &AuthenticationFilter,
    shown: Option<ClientCertificate>,
    second: u64,
) -> Result<String, Reason> {
    let moment = Moment { unix_seconds: second, ..Moment::default() };
    let client_certificate = shown.map(Arc::new);
    let mut exchange = Exchange { moment, client_certificate, ..Exchange::default() };
    match filter.on_request(&mut exchange, &Offline).await {
        Verdict::Continue => Ok(exchange.identity.unwrap().consumer.clone()),
        Verdict::Fail(fault) => Err(fault.reason),
        Verdict::Respond(_) => panic!("certificates are not answered"),
    }
}

#[tokio::test]
async fn a_connection_that_outlives_its_certificate_has_none() {
    let filter = filter("mtls_auth: on");
    let alice = || Some(certificate("alice", 200));
    for (second, expected) in [
        (100, Ok("alice".to_owned())),
        (200, Ok("alice".to_owned())),
        (201, Err(Reason::CredentialsExpired)),
        (202, Err(Reason::CredentialsExpired)),
    ] {
        assert_eq!(at(&filter, alice(), second).await, expected, "{second}");
    }
    assert_eq!(at(&filter, Some(certificate("alice", -1)), 0).await, Err(Reason::CredentialsExpired));
    assert_eq!(at(&filter, Some(certificate("nobody", 200)), 1).await, Err(Reason::CredentialsInvalid));
    assert_eq!(at(&filter, None, 1).await, Err(Reason::CredentialsMissing));
}

/// Whoever writes a consumer down reads in the log what to write, up to a bound.
#[tokio::test]
async fn the_log_says_whose_certificate_is_nobodys() {
    let filter = filter("mtls_auth: on");
    let long = "ö".repeat(LONGEST_TOLD);
    let cut = format!("CN={}", "ö".repeat(LONGEST_TOLD - 3));
    for (name, told) in [("O\\, nobody", "CN=O\\, nobody"), (&long, &cut)] {
        let moment = Moment { unix_seconds: 1, ..Moment::default() };
        let client_certificate = Some(Arc::new(certificate(name, 200)));
        let mut exchange = Exchange { moment, client_certificate, ..Exchange::default() };
        let Verdict::Fail(fault) = filter.on_request(&mut exchange, &Offline).await else {
            panic!("{name} is somebody")
        };
        let expected = format!("the certificate of `{told}` is nobody's");
        assert!(fault.detail().is_some_and(|detail| detail.contains(&expected)), "{fault:?}");
    }
}

#[tokio::test]
async fn a_certificate_without_a_name_is_nobodys() {
    let filter = filter("mtls_auth: { consumers: optional }");
    let mut nameless = certificate("", 200);
    (nameless.subject, nameless.common_name) = (String::new(), None);
    assert_eq!(at(&filter, Some(nameless), 1).await, Err(Reason::CredentialsInvalid));
    assert_eq!(at(&filter, Some(certificate("x", 200)), 1).await, Ok("x".into()));
}

#[test]
fn names_are_looked_up_as_what_they_are() {
    let certificate = certificate("alice", 1);
    let names = names(&certificate);
    assert!(names.contains(&(NameKind::Subject, "CN=alice")) && names.contains(&(NameKind::Any, "alice")));
    assert!(names.contains(&(NameKind::Dns, "other.test")) && names.contains(&(NameKind::Any, "::1")));
    assert!(!names.iter().any(|(_, name)| *name == "odd"));
    assert_eq!(digest("zz"), None);
    assert_eq!(digest(&"0f".repeat(32)), Some([15; 32]));
    assert_eq!(digest(&"0f".repeat(33)), None);
}

#[tokio::test]
async fn a_removed_consumer_is_known_no_longer() {
    let (filter, consumers) = exchangeable("mtls_auth: on");
    let alice = || Some(certificate("alice", 200));
    for _ in 0..2 {
        assert_eq!(at(&filter, alice(), 100).await, Ok("alice".into()));
    }
    consumers.replace(Arc::new(Builder::default().build()));
    assert_eq!(at(&filter, alice(), 100).await, Err(Reason::CredentialsInvalid));
}

fn prepared() -> MtlsAuthFilter {
    let loaded = torana_plan::load(
        "t.yaml",
        "policies: { mtls_auth: { consumers: optional } }\nroutes: [{ path: /*, respond: {} }]\n",
        &torana_config::FixedResolver::default(),
    );
    let plan = loaded.plan.unwrap_or_else(|| panic!("{:?}", loaded.findings));
    match &plan.routes[0].policies[0].policy {
        torana_plan::PolicyPlan::Authentication(AuthenticationPlan::MtlsAuth(plan)) => {
            MtlsAuthFilter::prepare(plan)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_remembered_of_a_chain_says_nothing_of_another() {
    let mut filter = prepared();
    let bare = certificate("alice", 200);
    let whole = bare.clone().with_between([&b"middle"[..]]);
    assert_eq!(filter.print(&bare), filter.print(&whole), "no authority is asked for");
    filter.authorities = Some(None);
    assert_ne!(filter.print(&bare), filter.print(&whole));
}

#[test]
fn a_chain_is_looked_at_anew_when_the_first_of_it_ends() {
    const DAY: i64 = 24 * 60 * 60;
    let mut filter = prepared();
    let authority = torana_testkit::Authority::default();
    let (expired, short) = (authority.issue_expired(&["a"]), authority.issue_for_days(&["b"], 3));
    let end = ClientCertificate::read(short.der()).unwrap().not_after;
    let now = u64::try_from(end - DAY).unwrap();
    let alice = certificate("alice", end + DAY);
    let (own, first) = (u64::try_from(end + DAY + 1).unwrap(), u64::try_from(end + 1).unwrap());
    let whole = alice.clone().with_between([expired.der(), short.der(), b"no certificate"]);
    assert_eq!(filter.holds_until(&whole, now), own, "the listener has judged the chain");
    filter.authorities = Some(None);
    assert_eq!(filter.holds_until(&alice, now), own);
    assert_eq!(filter.holds_until(&whole, now), first);
    assert_eq!(filter.holds_until(&whole, first), own, "what has ended leads nowhere");
}
