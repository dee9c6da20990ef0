//! Logging in with a browser, at a certified provider of OpenID Connect.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use torana_testkit::{Client, HeldPort, Origin, Reply, Response, eventually, tool};
use yaml::Running;

const SITE: &str = "https://shop.test";
const PATIENCE: Duration = Duration::from_secs(60);

/// The provider's process and what it said.
struct Provider {
    process: Child,
    issuer: String,
    said: Arc<Mutex<Vec<String>>>,
}

impl Provider {
    fn start() -> Self {
        let library = tool("oidc");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/login_provider.mjs");
        let mut process = Command::new("node")
            .arg(script)
            .arg(&library)
            .arg(SITE)
            .stdout(Stdio::piped())
            .spawn()
            .expect("node runs");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        // The library warns of what it is not set up for before anything else.
        let issuer = lines.find(|line| line.starts_with("http://")).expect("the provider starts");
        let said = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&said);
        std::thread::spawn(move || lines.for_each(|line| told.lock().unwrap().push(line)));
        Self { process, issuer, said }
    }

    fn address(&self) -> SocketAddr {
        self.issuer.strip_prefix("http://").unwrap().parse().unwrap()
    }

    fn granted(&self, kind: &str) -> usize {
        let line = format!("grant.success {kind}");
        self.said.lock().unwrap().iter().filter(|said| said.trim() == line).count()
    }

    fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A browser: it keeps cookies by host and goes where it is sent.
struct Browser {
    provider: SocketAddr,
    gateway: SocketAddr,
    jars: BTreeMap<String, BTreeMap<String, String>>,
}

impl Browser {
    fn new(provider: &Provider, gateway: &Running) -> Self {
        Self { provider: provider.address(), gateway: gateway.address, jars: BTreeMap::new() }
    }

    /// One request, followed nowhere.
    fn send(&mut self, url: &str, form: Option<&str>, fields: &str) -> Response {
        let rest = url.split_once("://").unwrap().1;
        let (host, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let target = if target.is_empty() { "/" } else { target };
        let address = if url.starts_with(SITE) { self.gateway } else { self.provider };
        let jar = self.jars.entry(host.to_owned()).or_default();
        let cookies: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies =
            if cookies.is_empty() { String::new() } else { format!("Cookie: {}\r\n", cookies.join("; ")) };
        let (method, body) = form.map_or(("GET", ""), |form| ("POST", form));
        let about = form.map_or_else(String::new, |form| {
            format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n", form.len())
        });
        let request =
            format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{fields}{about}{cookies}\r\n{body}");
        let response = Client::connect(address).exchange(request);
        for line in response.header_all("Set-Cookie") {
            let (name, rest) = line.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            let over = rest.to_ascii_lowercase().contains("max-age=0") || rest.contains("01 Jan 1970");
            if over || value.is_empty() {
                jar.remove(name);
            } else {
                jar.insert(name.into(), value.into());
            }
        }
        response
    }

    fn open(&mut self, url: &str) -> Response {
        self.send(url, None, "Sec-Fetch-Mode: navigate\r\nAccept: text/html\r\n")
    }

    /// Follows redirections until a page; gives its URL too.
    fn follow(&mut self, mut url: String, mut response: Response) -> (String, Response) {
        for _ in 0..12 {
            let Some(location) =
                response.header("Location").filter(|_| (300..400).contains(&response.status))
            else {
                return (url, response);
            };
            url = if location.starts_with('/') {
                let origin = url.split('/').take(3).collect::<Vec<_>>().join("/");
                format!("{origin}{location}")
            } else {
                location.to_owned()
            };
            response = self.open(&url);
        }
        panic!("sent in circles, to {url}");
    }

    fn go(&mut self, url: &str) -> (String, Response) {
        let response = self.open(url);
        self.follow(url.to_owned(), response)
    }

    /// Opens a page, says who it is and agrees, until the provider is done: gives where it sends the browser.
    fn log_in(&mut self, url: &str) -> (String, Response) {
        let (mut at, mut page) = self.go(url);
        for form in ["prompt=login&login=alice&password=any", "prompt=consent"] {
            if at.starts_with(SITE) {
                break;
            }
            assert!(page.text().contains("form"), "{at}: {}", page.text());
            let sent = self.send(&at, Some(form), "");
            (at, page) = self.follow(at.clone(), sent);
        }
        (at, page)
    }

    fn session(&self) -> Option<&String> {
        self.jars.get("shop.test")?.get("__Host-torana_session")
    }
}

fn gateway(provider: &Provider, origin: &Origin, client: &str) -> Running {
    let secret = match client {
        "public" => String::new(),
        _ => format!("client_secret: \"a secret that: both know\", client_authentication: {client},"),
    };
    Running::start(&format!(
        "access_log: off
limits: {{ failed_credentials: off }}
services: {{ a: {{ endpoints: [\"{}\"] }} }}
policies:
  oidc_login: {{ issuer: \"{}\", client_id: {client}, {secret} session_keys: \"${{env:KEY}}\", external_url: \"{SITE}\", post_logout_redirect: /bye, scopes: [openid, email, offline_access], parameters: {{ prompt: consent }}, claims_to_headers: {{ sub: X-User, email: X-Email }} }}
routes:
- {{ path: /*, service: a }}
- {{ path: /edit, service: a, policies: {{ roles: [editor] }} }}
- {{ path: /admin, service: a, policies: {{ roles: [admin] }} }}
- {{ path: /staff, service: a, policies: {{ roles: {{ any: [staff], from: groups }}, allow_if: 'claims.email == \"alice@shop.test\"' }} }}
- {{ path: /bye, service: a, policies: {{ access: public }} }}
",
        origin.url(),
        provider.issuer
    ))
}

#[test]
fn a_browser_logs_in_works_is_renewed_and_logs_out() {
    let mut provider = Provider::start();
    let origin = Origin::always(Reply::ok("in"));
    let gateway = gateway(&provider, &origin, "basic");
    let mut browser = Browser::new(&provider, &gateway);
    let api = browser.send(&format!("{SITE}/edit"), None, "Accept: application/json\r\n");
    assert_eq!((api.status, api.header("WWW-Authenticate")), (401, Some("Cookie realm=\"torana\"")));
    let (at, page) = browser.log_in(&format!("{SITE}/page?x=%2F1"));
    assert_eq!((&*at, page.status, &*page.text()), ("https://shop.test/page?x=%2F1", 200, "in"));
    let seen = origin.requests().pop().unwrap();
    assert_eq!((seen.header("X-User"), seen.header("X-Email")), (Some("alice"), Some("alice@shop.test")));
    assert_eq!(seen.header("Cookie"), None);
    for (path, status) in [("/edit", 200), ("/admin", 403), ("/staff", 200)] {
        assert_eq!(
            browser.send(&format!("{SITE}{path}"), None, "X-User: admin\r\n").status,
            status,
            "{path}"
        );
    }
    // A public route gets no session either.
    assert_eq!(browser.open(&format!("{SITE}/bye")).status, 200);
    assert_eq!(origin.requests().pop().unwrap().header("Cookie"), None);
    // The access token is good for three seconds.
    let first = browser.session().cloned().unwrap();
    eventually(PATIENCE, || {
        assert_eq!(browser.send(&format!("{SITE}/edit"), None, "").status, 200);
        provider.granted("refresh_token") >= 2
    });
    assert_ne!(browser.session(), Some(&first));
    let (at, question) = browser.go(&format!("{SITE}/oauth2/logout"));
    assert!(browser.session().is_none() && at.contains("/session/end?id_token_hint="), "{at}");
    let text = question.text();
    let secret = text.split("name=\"xsrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let confirm = format!("{}/session/end/confirm", provider.issuer);
    let sent = browser.send(&confirm, Some(&format!("xsrf={secret}&logout=yes")), "");
    let (at, page) = browser.follow(confirm, sent);
    assert_eq!((&*at, page.status), ("https://shop.test/bye", 200), "{}", page.text());
    assert_eq!(browser.send(&format!("{SITE}/edit"), None, "").status, 401);
    let (at, _) = browser.go(&format!("{SITE}/page"));
    assert!(at.contains("/interaction/"), "the provider asks again who it is: {at}");
    // What was begun cannot be finished while the provider is away, and that is not the caller's fault.
    let sent = browser.open(&format!("{SITE}/page"));
    let location = sent.header("Location").unwrap();
    let state = location.split("state=").nth(1).unwrap().split('&').next().unwrap();
    provider.stop();
    let issuer = provider.issuer.replace(':', "%3A").replace('/', "%2F");
    let back = browser.open(&format!("{SITE}/oauth2/callback?code=c&state={state}&iss={issuer}"));
    assert_eq!(back.status, 503, "{}", back.text());
    assert!(back.text().contains("login_unavailable"), "{}", back.text());
    eventually(PATIENCE, || gateway.metrics.render().contains("reason=\"login_unavailable\""));
}

#[test]
fn a_logout_holds_in_every_policy_of_the_login_and_over_a_reload() {
    let provider = Provider::start();
    let origin = Origin::always(Reply::ok("in"));
    let text = |header: &str| {
        let login = |more: &str| {
            format!(
                "{{ oidc_login: {{ issuer: \"{}\", client_id: public, session_keys: \"${{env:KEY}}\", external_url: \"{SITE}\", refresh: false, claims_to_headers: {{ sub: {header} }}{more} }} }}",
                provider.issuer
            )
        };
        format!(
            "access_log: off
limits: {{ failed_credentials: off }}
services: {{ a: {{ endpoints: [\"{}\"] }} }}
policies: {}
routes:
- {{ path: /*, service: a }}
- {{ path: /other/*, service: a, policies: {} }}
",
            origin.url(),
            login(""),
            login(", callback_path: /other/callback, logout_path: /other/logout"),
        )
    };
    let mut gateway = Running::start(&text("X-User"));
    let mut browser = Browser::new(&provider, &gateway);
    assert_eq!(browser.log_in(&format!("{SITE}/page")).1.status, 200);
    let kept = browser.jars["shop.test"].clone();
    let statuses = |browser: &mut Browser| {
        ["/page", "/other/page"].map(|path| {
            browser.jars.insert("shop.test".into(), kept.clone());
            browser.send(&format!("{SITE}{path}"), None, "").status
        })
    };
    assert_eq!(statuses(&mut browser), [200, 200]);
    gateway.reload(&text("X-Sub"));
    assert_eq!(statuses(&mut browser), [200, 200]);
    assert_eq!(browser.open(&format!("{SITE}/other/logout")).status, 303);
    assert_eq!(statuses(&mut browser), [401, 401]);
    gateway.reload(&text("X-User"));
    assert_eq!(statuses(&mut browser), [401, 401]);
}

#[test]
fn the_provider_knows_the_gateway_by_a_form_and_without_a_secret() {
    let provider = Provider::start();
    let origin = Origin::always(Reply::ok("in"));
    for client in ["post", "public"] {
        let gateway = gateway(&provider, &origin, client);
        let mut browser = Browser::new(&provider, &gateway);
        let (at, page) = browser.log_in(&format!("{SITE}/edit"));
        assert_eq!((&*at, page.status), ("https://shop.test/edit", 200), "{client}: {}", page.text());
        let forged = browser.session().unwrap().replacen("1.A", "1.B", 1);
        browser.jars.get_mut("shop.test").unwrap().insert("__Host-torana_session".into(), forged);
        assert_eq!(browser.send(&format!("{SITE}/edit"), None, "").status, 401, "{client}");
    }
}

/// A session says nothing of a password beside it, although services find the access token where that was.
#[test]
fn whoever_is_logged_in_may_not_guess_passwords_without_end() {
    let provider = Provider::start();
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&format!(
        "access_log: off
limits: {{ failed_credentials: 3/hour }}
services: {{ a: {{ endpoints: [\"{}\"] }} }}
consumers: [{{ username: victim, basic: [{{ username: victim, password: secret }}] }}]
policies:
  auth: any
  basic_auth: {{}}
  oidc_login: {{ issuer: \"{}\", client_id: public, session_keys: \"${{env:KEY}}\", external_url: \"{SITE}\", pass_access_token: true }}
routes: [{{ path: /*, service: a }}]
",
        origin.url(),
        provider.issuer
    ));
    let mut browser = Browser::new(&provider, &gateway);
    assert_eq!(browser.log_in(&format!("{SITE}/page")).1.status, 200);
    let mut send = |fields: &str| browser.send(&format!("{SITE}/page"), None, fields).status;
    // victim:guess, and victim:secret after that.
    let (guess, right) =
        ("Authorization: Basic dmljdGltOmd1ZXNz", "Authorization: Basic dmljdGltOnNlY3JldA==");
    for number in 0..4 {
        assert_eq!(send(&format!("{guess}\r\n")), 200, "{number}");
    }
    let alone = format!("GET /page HTTP/1.1\r\nHost: shop.test\r\n{right}\r\n\r\n");
    assert_eq!(Client::connect(gateway.address).exchange(alone).status, 429);
    assert_eq!(send(""), 200);
}

#[test]
fn where_the_provider_never_was_pages_are_answered_503_and_programs_401() {
    let closed = HeldPort::free();
    let address = closed.addr();
    let gateway = Running::start(&format!(
        "access_log: off\npolicies: {{ oidc_login: {{ issuer: \"http://{address}\", client_id: a, session_keys: \"${{env:KEY}}\" }} }}\nroutes: [{{ path: /*, respond: {{ body: in }} }}]\n"
    ));
    let ask = |fields: &str| gateway.ask(&format!("GET / HTTP/1.1\nHost: a\n{fields}"));
    let page = ask("Accept: text/html");
    assert_eq!(page.status, 503);
    assert!(page.text().contains("login_unavailable") && !page.text().contains(&address.port().to_string()));
    assert_eq!(ask("Accept: application/json").status, 401);
}
