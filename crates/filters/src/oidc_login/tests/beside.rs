//! Logins beside tokens.

use super::*;

/// The ways of the page's own example, in their order or the other way round.
fn documented(reversed: bool) -> Vec<AuthenticationFilter> {
    let page = include_str!("../../../../../docs/filters/oidc_login.md");
    let mut blocks = page.split("```yaml\n").skip(1).map(|part| part.split("```").next().unwrap());
    let example = blocks.find(|block| block.contains("auth: any")).unwrap();
    let example = example.replace("client_id: shop", "client_id: shop\n    external_url: https://shop.test");
    let loaded = load("t.yaml", &example, &FixedResolver::default());
    let plan = loaded.plan.unwrap_or_else(|| panic!("{:?}", loaded.findings));
    let ways = plan.routes[0].policies.iter().filter_map(|planned| match &planned.policy {
        PolicyPlan::Authentication(way) => Some(way),
        _ => None,
    });
    let mut ways: Vec<_> = ways.collect();
    assert_eq!(ways.len(), 2);
    if reversed {
        ways.reverse();
    }
    let login = ways.iter().find_map(|way| match way {
        AuthenticationPlan::OidcLogin(plan) => Some(Arc::clone(plan)),
        _ => None,
    });
    let login = login.expect("a login");
    let keys = keys(&login, Some("https://login.example.com"), &pair().1);
    let count = ways.len();
    let filters = ways.into_iter().enumerate().map(|(index, way)| {
        let method = match way {
            AuthenticationPlan::Jwt(plan) => Method::Jwt(JwtFilter::prepare(plan, |_| Arc::clone(&keys))),
            AuthenticationPlan::OidcLogin(plan) => {
                let provider = Arc::new(Provider::new(&plan.provider, Arc::clone(&keys)));
                Method::OidcLogin(Box::new(OidcLoginFilter::prepare(plan, provider, Arc::default())))
            }
            other => panic!("{other:?}"),
        };
        let place = Place { last: index + 1 == count, ..Place::default() };
        AuthenticationFilter::new(Arc::new(method), place, None)
    });
    filters.collect()
}

#[tokio::test]
async fn beside_tokens_people_are_sent_to_log_in_and_programs_are_told() {
    for reversed in [false, true] {
        let filters = documented(reversed);
        for (fields, status) in [(&PAGE[..], 302), (&[], 401)] {
            let mut exchange = Browser::new().exchange("/cart", fields);
            let mut told = None;
            for filter in &filters {
                match filter.on_request(&mut exchange, &Scripted::default()).await {
                    Verdict::Fail(fault) => told = Some(fault),
                    verdict => assert!(matches!(verdict, Verdict::Continue)),
                }
            }
            let told = told.expect("a refusal");
            assert_eq!(told.status(), status, "{reversed}");
            let values: Vec<&str> = told.fields().iter().map(|(_, value)| &**value).collect();
            if status == 302 {
                assert!(
                    values.iter().any(|value| value.starts_with("https://login.test/auth?x=y&")),
                    "{values:?}"
                );
            } else {
                assert!(values.iter().any(|value| value.starts_with("Bearer")), "{values:?}");
                assert!(values.iter().any(|value| value.starts_with("Cookie")), "{values:?}");
            }
        }
    }
}

/// A token that is over must not keep its browser from logging in; nor is a program told half a login.
#[tokio::test]
async fn a_bad_token_keeps_no_browser_from_logging_in() {
    for reversed in [false, true] {
        let filters = documented(reversed);
        for (page, status) in [(true, 302), (false, 401)] {
            for token in ["not.a.token", "opaque"] {
                let fields = if page { &PAGE[..] } else { &[] };
                let mut exchange = Browser::new().exchange("/cart", fields);
                let shown = format!("Bearer {token}");
                exchange.request.fields.insert("Authorization", shown.as_bytes()).unwrap();
                let mut told = None;
                for filter in &filters {
                    if let Verdict::Fail(fault) = filter.on_request(&mut exchange, &Scripted::default()).await
                    {
                        told = Some(fault);
                    }
                }
                let told = told.expect("a refusal");
                assert_eq!(told.status(), status, "{reversed} {token}");
                let sends = told.fields().iter().any(|(name, _)| matches!(*name, "Location" | "Set-Cookie"));
                assert_eq!(sends, page, "{:?}", told.fields());
            }
        }
    }
}
