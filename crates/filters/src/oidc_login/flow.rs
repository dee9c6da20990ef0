//! The way to the provider and back (OpenID Connect Core 1.0 section 3.1, RFC 7636, RFC 9207), and out again.

use super::provider::{Refusal, Tokens, unavailable};
use super::session::{Opened, Session};
use super::{OidcLoginFilter, browser, cookies, text};
use crate::authentication::Guard;
use crate::authentication::locations::parameters;
use crate::jwt::{Places, Verified};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use torana_fault::{Fault, Reason};
use torana_filter::{Exchange, Json, Outside, Response, SetCookie};
use torana_http::{Known, Method, RequestHead, ResponseHead};

/// Logins that one browser has under way, in as many tabs; the oldest are given up.
const LOGINS: usize = 8;
/// The length of a state: 16 bytes in base64url.
const STATE: usize = 22;

/// A login under way, sealed in the browser under its state.
#[derive(Serialize, Deserialize)]
struct Login {
    nonce: String,
    verifier: String,
    /// Where to go on, behind the gateway's own origin.
    to: String,
    /// When it began, in seconds since 1970-01-01 UTC.
    at: u64,
}

impl OidcLoginFilter {
    /// Sends a browser that opens a page to log in; tells everybody else to. Where nothing is asked, as in an
    /// explanation, it stays open where exactly.
    pub(super) async fn send_to_login(
        &self,
        exchange: &mut Exchange,
        outside: &dyn Outside,
        why: Fault,
    ) -> Fault {
        if !browser::opens_a_page(&exchange.request) {
            return why;
        }
        if !outside.is_there() && self.provider.keys().places().is_none() {
            let detail = why.detail().unwrap_or_default();
            let detail =
                format!("{detail}; the browser is sent to log in at {}", self.plan.provider.keys.url);
            return why.because(detail).with_status(302);
        }
        match self.login(exchange).await {
            Ok((location, cookie)) => Fault::new(why.reason)
                .because(why.detail().unwrap_or_default().to_owned())
                .with_status(302)
                .with_field("Location", location)
                .with_field("Set-Cookie", cookie),
            Err(fault) => fault,
        }
    }

    /// Where the browser goes, and the cookie that binds what comes back to it.
    async fn login(&self, exchange: &mut Exchange) -> Result<(String, String), Fault> {
        let places = self.provider.places().await?;
        let state = text::random::<16>()?;
        let mut login = Login {
            nonce: text::random::<16>()?,
            verifier: text::random::<32>()?,
            to: browser::place(&exchange.request),
            at: exchange.moment.unix_seconds,
        };
        let callback = self.callback_url(exchange)?;
        let challenge = text::challenge(&login.verifier);
        let plan = &self.plan;
        let own = [
            ("response_type", "code"),
            ("client_id", &plan.provider.client_id),
            ("redirect_uri", &callback),
            ("scope", &plan.scope),
            ("state", &state),
            ("nonce", &login.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let more = plan.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let location = text::with_query(&places.authorization, &text::form(own.into_iter().chain(more)));
        let cookie = self.login_cookie(&state);
        let known = cookies::names_after(&exchange.request.fields, self.logins.name());
        let too_many = known.len().saturating_sub(LOGINS.saturating_sub(1));
        for old in known.iter().filter(|name| name.len() == STATE).take(too_many) {
            let lines = self.login_cookie(old).clear(&exchange.request.fields);
            exchange.set_cookies.extend(lines.into_iter().map(SetCookie::from));
        }
        let line = match self.login_line(&cookie, &login)? {
            Some(line) => line,
            None => {
                login.to = "/".into();
                let line = self.login_line(&cookie, &login)?;
                line.ok_or_else(|| Fault::new(Reason::Internal).because("a login is too long"))?
            }
        };
        Ok((location, line))
    }

    /// The line that has the browser keep a login; nothing where it does not fit one cookie.
    fn login_line(&self, cookie: &cookies::SealedCookie, login: &Login) -> Result<Option<String>, Fault> {
        let sealed = self.seal(cookie.name(), login)?;
        let seconds = self.plan.login_timeout.as_duration().as_secs();
        let lines = cookie.write(&sealed, seconds, &torana_http::Fields::default()).unwrap_or_default();
        Ok(<[String; 1]>::try_from(lines).ok().map(|[line]| line))
    }

    /// Takes a browser that comes back with a code.
    ///
    /// # Errors
    /// It brings nothing that this gateway and the provider have given it.
    pub(super) async fn come_back(
        &self,
        exchange: &mut Exchange,
        outside: &dyn Outside,
        guard: Guard<'_>,
    ) -> Result<Response, Fault> {
        if exchange.request.method() != Method::Get {
            return Err(Fault::new(Reason::MethodNotAllowed).with_field("Allow", "GET".into()));
        }
        guard.may_try()?;
        let now = exchange.moment.unix_seconds;
        let state = one(&exchange.request, "state")?.filter(|state| state.len() == STATE);
        let state = state.ok_or_else(|| invalid("no state that this gateway gives"))?;
        let (login, clear) = self.taken_up(exchange, &state, now)?;
        let places = self.provider.places().await?;
        check_issuer(&exchange.request, &places)?;
        if one(&exchange.request, "error")?.is_some() {
            exchange.set_cookies.extend(clear.into_iter().map(SetCookie::from));
            return Err(invalid("the provider let nobody in"));
        }
        let code = one(&exchange.request, "code")?.ok_or_else(|| invalid("no code"))?;
        if !outside.is_there() {
            return Err(unavailable("the provider is not asked here"));
        }
        let begun = guard.begin_asking(None, self.plan.provider.timeout).await;
        begun.map_err(|unbegun| {
            unbegun.or(|| unavailable("others from the same address wait for the provider"))
        })?;
        let until = login.at.saturating_add(self.plan.login_timeout.as_duration().as_secs());
        if !self.memory.finished.take(&state, until.saturating_add(1), now) {
            return Err(invalid("this login was finished before"));
        }
        let callback = self.callback_url(exchange)?;
        let grant = [
            ("grant_type", "authorization_code"),
            ("code", &*code),
            ("redirect_uri", &callback),
            ("code_verifier", &login.verifier),
        ];
        let answer = self.provider.answer(self.provider.ask(&places, &grant)).await;
        let tokens = match &*answer {
            Ok(tokens) => tokens,
            Err(Refusal::Grant) => {
                guard.note_wrong_too();
                return Err(invalid("the provider does not accept the code"));
            }
            Err(Refusal::Unavailable(why)) => {
                // The code may still be good: the page can be loaded again.
                self.memory.finished.give_back(&state);
                guard.note_unanswered();
                return Err(unavailable(why));
            }
        };
        let id = tokens.id.as_deref().ok_or_else(|| unavailable("the provider gives no ID token"))?;
        self.verify(id, Some(&login.nonce), now, guard).await?;
        let session = self.session(tokens, id, now)?;
        let opened =
            Opened::new(session, &self.plan).ok_or_else(|| invalid("the ID token cannot be used"))?;
        let location = format!("{}{}", self.origin(exchange)?, login.to);
        go_on(302, &location, self.keep(&opened.session, exchange)?.iter().chain(&clear))
    }

    /// The login that a state belongs to, if this browser began it, and what takes its cookie away.
    fn taken_up(&self, exchange: &Exchange, state: &str, now: u64) -> Result<(Login, Vec<String>), Fault> {
        let cookie = self.login_cookie(state);
        let fields = &exchange.request.fields;
        let sealed = cookie.read(fields).ok_or_else(|| invalid("this browser has begun no such login"))?;
        let login: Login =
            self.open(cookie.name(), &sealed).ok_or_else(|| invalid("the login was not sealed here"))?;
        let until = login.at.saturating_add(self.plan.login_timeout.as_duration().as_secs());
        if now >= until.max(login.at.saturating_add(1)) {
            return Err(refused(Reason::CredentialsExpired, "the login took too long"));
        }
        Ok((login, cookie.clear(fields)))
    }

    /// What OpenID Connect Core 1.0 section 3.1.3.7 asks of an ID token.
    pub(super) async fn verify(
        &self,
        id: &str,
        nonce: Option<&str>,
        now: u64,
        guard: Guard<'_>,
    ) -> Result<Arc<Verified>, Fault> {
        let verified =
            self.tokens.trusted(id.as_bytes(), now, guard).await.map_err(|fault| match fault.reason {
                Reason::KeysUnavailable => unavailable(fault.detail().unwrap_or_default()),
                Reason::CredentialsInvalid | Reason::CredentialsExpired => {
                    invalid("the ID token is not accepted")
                        .because(format!("the ID token is not accepted: {fault}"))
                }
                _ => fault,
            })?;
        let claims = &verified.identity.claims;
        let text = |name: &str| claims.get(name).and_then(Json::as_str);
        let several =
            matches!(claims.get("aud"), Some(Json::List(audiences)) if audiences.values().nth(1).is_some());
        let own = &*self.plan.provider.client_id;
        match text("azp") {
            Some(party) if party == own => {}
            None if !several && !claims.contains("azp") => {}
            _ => return Err(invalid("the ID token is for another client")),
        }
        if let Some(nonce) = nonce {
            let same = |own: &str| verify_slices_are_equal(own.as_bytes(), nonce.as_bytes()).is_ok();
            if !text("nonce").is_some_and(same) {
                return Err(invalid("the ID token is of another login"));
            }
        }
        Ok(verified)
    }

    fn session(&self, tokens: &Tokens, id: &str, now: u64) -> Result<Session, Fault> {
        let plan = &self.plan;
        Ok(Session {
            key: text::random::<12>()?,
            id: id.to_owned(),
            access: plan.pass_access_token.then(|| tokens.access.clone()),
            refresh: tokens.refresh.clone().filter(|_| plan.refresh),
            began: now,
            last: Some(self.memory.last(now)),
            seen: now,
            renewed: now,
            expires: tokens.expires_in.map(|seconds| now.saturating_add(seconds)),
        })
    }

    /// Ends the session here, and at the provider (OpenID Connect RP-Initiated Logout 1.0) if it offers that.
    ///
    /// # Errors
    /// Another site's page wants it.
    pub(super) fn log_out(&self, exchange: &Exchange) -> Result<Response, Fault> {
        let request = &exchange.request;
        if !matches!(request.method(), Method::Get | Method::Post) {
            return Err(Fault::new(Reason::MethodNotAllowed).with_field("Allow", "GET, POST".into()));
        }
        if request.fields.get_str("Sec-Fetch-Site") == Some("cross-site") {
            return Err(
                Fault::new(Reason::CrossSiteRequest).because("another site wants to log the caller out")
            );
        }
        let now = exchange.moment.unix_seconds;
        let plan = &self.plan;
        let after = match &plan.post_logout_redirect {
            path if path.starts_with('/') => format!("{}{path}", self.origin(exchange)?),
            url => url.clone(),
        };
        let session: Option<Session> =
            self.cookie.read(&request.fields).and_then(|sealed| self.open(self.cookie.name(), &sealed));
        let mut location = after.clone();
        if let Some(session) = session {
            self.memory.end(&session, now);
            if let Some(place) = self.provider.keys().places().and_then(|places| places.end_session.clone()) {
                let query = text::form([
                    ("id_token_hint", &*session.id),
                    ("client_id", &plan.provider.client_id),
                    ("post_logout_redirect_uri", &after),
                ]);
                location = text::with_query(&place, &query);
            }
        }
        // After a POST the browser goes on with a GET.
        go_on(303, &location, &self.cookie.clear(&request.fields))
    }

    fn login_cookie(&self, state: &str) -> cookies::SealedCookie {
        self.logins.sub(state)
    }

    fn callback_url(&self, exchange: &Exchange) -> Result<String, Fault> {
        Ok(format!("{}{}", self.origin(exchange)?, self.plan.callback_path))
    }

    fn origin(&self, exchange: &Exchange) -> Result<String, Fault> {
        browser::origin(&self.plan, exchange).ok_or_else(|| Reason::InvalidHost.into())
    }
}

/// Sends the browser on, with lines of `Set-Cookie`.
fn go_on<'c>(
    status: u16,
    location: &str,
    cookies: impl IntoIterator<Item = &'c String>,
) -> Result<Response, Fault> {
    let mut head = ResponseHead::new(status);
    head.fields.insert(Known::Location, location.as_bytes())?;
    head.fields.insert(Known::CacheControl, b"no-store")?;
    for line in cookies {
        head.fields.append(Known::SetCookie, line.as_bytes())?;
    }
    Ok(Response { head, body: bytes::Bytes::new() })
}

/// Whether the answer is of the issuer that was asked (RFC 9207 section 2.4).
fn check_issuer(request: &RequestHead, places: &Places) -> Result<(), Fault> {
    match one(request, "iss")? {
        Some(issuer) if *issuer != *places.issuer => Err(invalid("the answer is of another issuer")),
        None if places.names_issuer => Err(invalid("the answer does not name its issuer")),
        _ => Ok(()),
    }
}

/// A parameter of the request, which may stand once.
fn one(request: &RequestHead, name: &str) -> Result<Option<String>, Fault> {
    let mut values = parameters(request.query().unwrap_or_default(), name);
    let value = values.next();
    if values.next().is_some() {
        return Err(invalid("a parameter stands twice"));
    }
    value.map(|value| String::from_utf8(value.into_owned()).map_err(|_| invalid("not UTF-8"))).transpose()
}

/// A refusal with the challenge of cookies.
pub(super) fn refused(reason: Reason, why: &'static str) -> Fault {
    Fault::new(reason).because(why).with_field("WWW-Authenticate", "Cookie realm=\"torana\"".into())
}

fn invalid(why: &'static str) -> Fault {
    refused(Reason::CredentialsInvalid, why)
}
