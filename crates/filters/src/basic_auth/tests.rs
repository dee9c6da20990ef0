use super::*;
use crate::authentication::{AuthenticationFilter, Method, Place};
use torana_config::FixedResolver;
use torana_filter::{Moment, Offline, OnRequest, Verdict};
use torana_plan::{AuthenticationPlan, PolicyPlan, load};

/// Three consumers: with a costly hash, with a quick one, and with a password as it is.
fn method() -> Arc<Method> {
    let hash = |cost| bcrypt::hash("secret", cost).unwrap();
    let text = format!(
        "consumers:
  - {{ username: costly, basic: [{{ username: costly, hash: \"{}\" }}] }}
  - {{ username: quick, basic: [{{ username: quick, hash: \"{}\" }}] }}
  - {{ username: plain, basic: [{{ username: plain, password: secret }}] }}
policies: {{ basic_auth: {{}} }}
routes: [{{ respond: {{ status: 204 }} }}]\n",
        hash(6),
        hash(4)
    );
    let loaded = load("t.yaml", &text, &FixedResolver::default());
    let plan = loaded.plan.unwrap_or_else(|| panic!("{:?}", loaded.findings));
    match &plan.routes[0].policies[0].policy {
        PolicyPlan::Authentication(AuthenticationPlan::BasicAuth(plan)) => {
            Arc::new(Method::BasicAuth(BasicAuthFilter::prepare(plan)))
        }
        other => panic!("{other:?}"),
    }
}

/// A user name that nobody has costs what a wrong password costs; counted are computations, since times tell little
/// on a machine that has other work.
#[tokio::test]
async fn a_user_name_that_nobody_has_costs_the_hash_of_a_wrong_password() {
    let method = method();
    let Method::BasicAuth(basic) = &*method else { panic!("basic_auth was prepared") };
    let place = Place { all: true, last: true, ..Place::default() };
    let filter = AuthenticationFilter::new(Arc::clone(&method), place, None);
    let costs = |cost| Password::hash(&bcrypt::hash("x", cost).unwrap()).unwrap().cost();
    let (costly, quick) = (costs(6), costs(4));
    assert!(costly > 2 * quick);
    for (shown, known, computed) in [
        ("nobody:secret", false, &[costly][..]),
        ("nobody:", false, &[costly]),
        ("costly:wrong", false, &[costly]),
        ("quick:wrong", false, &[quick, costly]),
        ("plain:wrong", false, &[costly]),
        ("plain:secret", true, &[]),
        ("costly:secret", true, &[costly]),
        ("costly:secret", true, &[]),
        ("quick:secret", true, &[quick]),
    ] {
        let moment = Moment { unix_seconds: 9, ..Moment::default() };
        let mut exchange = Exchange { moment, ..Exchange::default() };
        let value = format!("Basic {}", STANDARD.encode(shown));
        exchange.request.fields.append(Known::Authorization, value.as_bytes()).unwrap();
        let passed = matches!(filter.on_request(&mut exchange, &Offline).await, Verdict::Continue);
        let found = std::mem::take(&mut *basic.computed.lock().unwrap());
        assert_eq!((passed, &*found), (known, computed), "{shown}");
    }
}

#[tokio::test]
async fn the_charset_of_the_challenge_can_be_left_out() {
    let method = method();
    let Method::BasicAuth(basic) = &*method else { panic!("basic_auth was prepared") };
    for (charset, challenge) in
        [(true, "Basic realm=\"torana\", charset=\"UTF-8\""), (false, "Basic realm=\"torana\"")]
    {
        let mut plan = (*basic.plan).clone();
        plan.config.charset = charset;
        let fault = BasicAuthFilter::prepare(&Arc::new(plan)).fault(Reason::CredentialsMissing, "x");
        assert_eq!(fault.fields(), [("WWW-Authenticate", challenge.to_owned())]);
    }
}
