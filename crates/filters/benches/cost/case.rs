//! A filter as people write it, and the requests that meet it.

use std::sync::Arc;
use torana_config::Resolver;
use torana_filter::{Exchange, Identity, Moment, Offline, Outside};
use torana_filters::{
    AuthenticationFilter, BasicAuthFilter, EchoPlace, FailureLimit, Filter, ForwardAuthFilter,
    HmacAuthFilter, JwtFilter, KeyAuthFilter, Method, MtlsAuthFilter, OAuth2IntrospectionFilter,
    OidcLoginFilter, Place, Provider, RemoteKeys, SigV4Filter, Stateful, TerminateFilter,
};
use torana_http::h1::{HeadLimits, parse_request};
use torana_plan::{AuthenticationPlan, KeysPlan, OidcLoginPlan, Plan, PolicyPlan, load};

/// The second at which everything happens, since 1970-01-01 UTC.
pub const NOW: u64 = 1_800_000_000;

/// A name, and what makes the case once it is wanted.
pub type Named = (&'static str, Box<dyn Fn() -> Case>);

pub struct Case {
    pub name: String,
    /// The most that it may add, in nanoseconds.
    pub bar: Option<u64>,
    pub plan: Plan,
    /// Whether each round meets a filter that remembers nobody.
    pub forgetful: bool,
    /// Whether it is the response that counts.
    pub on_response: bool,
    /// Whether it is the gate for callers whom nothing else asks for.
    pub gate: bool,
    /// The heads of requests, one after the other.
    pub heads: Box<dyn Fn(usize) -> String>,
    /// What else is known of a request.
    pub known: Box<dyn Fn(&mut Exchange)>,
    /// Who is asked.
    pub outside: Box<dyn Outside>,
}

impl Case {
    /// A policy on a route without anything else.
    pub fn new(name: &str, policies: &str) -> Self {
        Self::from(name, &format!("policies: {{ {policies} }}\n"), &torana_config::FixedResolver::default())
    }

    /// A file without its routes.
    pub fn from(name: &str, text: &str, resolver: &dyn Resolver) -> Self {
        let text = format!("{text}routes: [{{ path: \"/*\", respond: {{ status: 204 }} }}]\n");
        let loaded = load("cost.yaml", &text, resolver);
        let plan = loaded.plan.unwrap_or_else(|| panic!("{name}: {:?}", loaded.findings));
        Self {
            name: name.to_owned(),
            bar: None,
            plan,
            forgetful: false,
            on_response: false,
            gate: false,
            heads: Box::new(|_| head("")),
            known: Box::new(|_| {}),
            outside: Box::new(Offline),
        }
    }

    pub fn bar(mut self, nanoseconds: u64) -> Self {
        self.bar = Some(nanoseconds);
        self
    }

    /// Lines that every request has besides the usual ones.
    pub fn lines(self, lines: &str) -> Self {
        let whole = head(lines);
        self.heads(move |_| whole.clone())
    }

    pub fn heads(mut self, heads: impl Fn(usize) -> String + 'static) -> Self {
        self.heads = Box::new(heads);
        self
    }

    pub fn known(mut self, known: impl Fn(&mut Exchange) + 'static) -> Self {
        self.known = Box::new(known);
        self
    }

    pub fn outside(mut self, outside: impl Outside + 'static) -> Self {
        self.outside = Box::new(outside);
        self
    }

    pub fn caller(self, identity: Identity) -> Self {
        let identity = Arc::new(identity);
        self.known(move |exchange| exchange.identity = Some(Arc::clone(&identity)))
    }

    /// Forgets who called after each round.
    pub fn forgetful(mut self) -> Self {
        self.forgetful = true;
        self
    }

    pub fn on_response(mut self) -> Self {
        self.on_response = true;
        self
    }

    pub fn gate(mut self) -> Self {
        self.gate = true;
        self
    }

    /// Brings a request before the filter.
    pub fn receive(&self, number: usize, exchange: &mut Exchange) {
        exchange.clear();
        read(&(self.heads)(number), exchange);
        (self.known)(exchange);
    }

    /// The filter under measurement: the last one of the route that is of a kind that is measured.
    pub fn filter(&self) -> Filter {
        let policies = self.plan.routes[0].policies.iter().map(|planned| &planned.policy);
        let failures = self.plan.settings.limits.failed_credentials.on();
        let failures = failures.map(|rate| Arc::new(FailureLimit::new(rate)));
        let filters: Vec<Filter> = policies.map(|policy| filter(policy, failures.as_ref())).collect();
        let wanted = |filter: &&Filter| matches!(filter, Filter::Access(_)) == self.gate;
        filters.iter().rfind(wanted).cloned().expect("a policy")
    }
}

/// Reads a head that comes now.
pub fn read(head: &str, exchange: &mut Exchange) {
    parse_request(head.as_bytes(), 0, &HeadLimits::default(), &mut exchange.request).unwrap().unwrap();
    exchange.moment = Moment { unix_seconds: NOW, ..Moment::default() };
    exchange.client_address = "10.1.2.3".parse().unwrap();
}

/// A head such as programs send, with these lines in it.
pub fn head(lines: &str) -> String {
    request("GET /api/orders/17?page=2", lines)
}

pub fn request(line: &str, lines: &str) -> String {
    let lines: String = lines.lines().map(|line| format!("{line}\r\n")).collect();
    format!(
        "{line} HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: orders/3.1 (linux)\r\nAccept: application/json\r\nAccept-Encoding: gzip\r\n{lines}\r\n"
    )
}

fn filter(policy: &PolicyPlan, failures: Option<&Arc<FailureLimit>>) -> Filter {
    let policy = match Filter::stateless(policy) {
        Ok(filter) => return filter,
        Err(policy) => policy,
    };
    match policy {
        Stateful::Authentication(plan) => alone(method(plan), failures.map(Arc::clone)),
        Stateful::Terminate(plan) => {
            let path = torana_route::PathPattern::parse("/*").unwrap();
            let place = EchoPlace { route: "r".into(), path, service: None };
            Filter::Terminate(TerminateFilter::prepare(plan, place))
        }
        Stateful::RateLimit(_) => panic!("limits have a bench of their own"),
    }
}

fn method(plan: &AuthenticationPlan) -> Method {
    match plan {
        AuthenticationPlan::KeyAuth(plan) => Method::KeyAuth(KeyAuthFilter::prepare(plan)),
        AuthenticationPlan::BasicAuth(plan) => Method::BasicAuth(BasicAuthFilter::prepare(plan)),
        AuthenticationPlan::HmacAuth(plan) => Method::HmacAuth(HmacAuthFilter::prepare(plan)),
        AuthenticationPlan::SigV4(plan) => Method::SigV4(SigV4Filter::prepare(plan)),
        AuthenticationPlan::MtlsAuth(plan) => Method::MtlsAuth(MtlsAuthFilter::prepare(plan)),
        AuthenticationPlan::Jwt(plan) => {
            Method::Jwt(JwtFilter::prepare(plan, |plan| Arc::new(RemoteKeys::new(plan))))
        }
        AuthenticationPlan::ForwardAuth(plan) => Method::ForwardAuth(ForwardAuthFilter::prepare(plan)),
        AuthenticationPlan::OAuth2Introspection(plan) => {
            Method::OAuth2Introspection(OAuth2IntrospectionFilter::prepare(plan))
        }
        AuthenticationPlan::OidcLogin(plan) => {
            let provider = Arc::new(Provider::new(&plan.provider, remote_keys(plan)));
            Method::OidcLogin(Box::new(OidcLoginFilter::prepare(plan, provider, Arc::default())))
        }
    }
}

/// Keys of a provider that were not fetched.
pub fn remote_keys(plan: &OidcLoginPlan) -> Arc<RemoteKeys> {
    let KeysPlan::Remote(keys) = &plan.id_token.issuers[0].keys else { panic!("keys are fetched") };
    Arc::new(RemoteKeys::new(keys))
}

/// The filter of a login with a provider that is asked.
pub fn login(plan: &Arc<OidcLoginPlan>, provider: Arc<Provider>) -> Filter {
    alone(Method::OidcLogin(Box::new(OidcLoginFilter::prepare(plan, provider, Arc::default()))), None)
}

fn alone(method: Method, failures: Option<Arc<FailureLimit>>) -> Filter {
    let place = Place { all: true, last: true, ..Place::default() };
    Filter::Authentication(AuthenticationFilter::new(Arc::new(method), place, failures))
}
