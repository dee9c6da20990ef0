//! Logging in with a browser: OpenID Connect, authorization code flow with PKCE.
//!
//! A login under way and a session are sealed in cookies of the browser's own, each login under its state, so that
//! several tabs may log in at once. Remembered here is what may happen once. What an ID token says is verified by
//! the code of `jwt`, once, before it is sealed.
//!
//! Not here: the user info endpoint, other flows, logout that the provider begins.

pub(crate) mod browser;
mod cookies;
mod flow;
mod memory;
mod once;
mod provider;
mod renewal;
mod session;
mod text;

pub use cookies::{SealedCookie, strip_login_cookies};
pub use memory::LoginMemory;
pub use provider::{Provider, Question};

use crate::authentication::cache::Cache;
use crate::authentication::unverified::Looks;
use crate::authentication::{Authenticate, Guard};
use crate::jwt::{JwtFilter, RemoteKeys};

use flow::refused;
use provider::{Refusal, unavailable};
use renewal::Renewed;
use serde::{Serialize, de::DeserializeOwned};
use session::{Opened, Session, State};
use std::sync::Arc;
use torana_credential::sealed::Sealer;
use torana_fault::{Fault, Reason};
use torana_filter::{Exchange, Identity, Outside, SetCookie, Verdict};
use torana_http::Known;
use torana_plan::OidcLoginPlan;

/// Callers log in with a browser.
#[derive(Debug)]
pub struct OidcLoginFilter {
    plan: Arc<OidcLoginPlan>,
    provider: Arc<Provider>,
    /// What reads ID tokens.
    tokens: JwtFilter,
    sealer: Sealer,
    /// The session's cookie, and what those of logins begin with.
    cookie: SealedCookie,
    logins: SealedCookie,
    /// Sessions that were opened, by what the browser brings.
    sessions: Cache<Opened>,
    memory: Arc<LoginMemory>,
}

impl OidcLoginFilter {
    /// Prepares the filter, with what is remembered of the same login.
    #[must_use]
    pub fn prepare(plan: &Arc<OidcLoginPlan>, provider: Arc<Provider>, memory: Arc<LoginMemory>) -> Self {
        memory.join(plan);
        let cookie = SealedCookie::new(&plan.cookie, plan.secure);
        let keys = Arc::clone(provider.keys());
        Self {
            tokens: JwtFilter::prepare(&plan.id_token, |_| Arc::clone(&keys)),
            provider,
            sealer: Sealer::new(plan.session_keys.iter().map(|secret| secret.expose().as_bytes())),
            logins: cookie.sub("login"),
            cookie,
            sessions: Cache::default(),
            memory,
            plan: Arc::clone(plan),
        }
    }

    pub(crate) fn remote_keys(&self) -> &Arc<RemoteKeys> {
        self.provider.keys()
    }

    /// What it asks for.
    #[must_use]
    pub fn describe(&self) -> String {
        let plan = &self.plan;
        let url = &plan.provider.keys.url;
        let session = format!("a session of a browser that logged in at {url}, {} long", plan.lifetime);
        format!("{session}; without one, a browser that opens a page is sent there")
    }

    /// Whether it sets the field itself where it accepts a caller.
    pub(crate) fn answers_for(&self, field: &str) -> bool {
        self.plan.pass_access_token && field.eq_ignore_ascii_case(Known::Authorization.as_str())
    }

    /// Where services expect the access token: what a client sends there is none.
    pub(crate) fn looks(&self) -> Looks<'_> {
        let fixed: &[&str] = if self.plan.pass_access_token { &["Authorization"] } else { &[] };
        Looks { fixed, ..Looks::default() }
    }

    /// The paths that the gateway itself answers.
    pub(crate) async fn answer(
        &self,
        exchange: &mut Exchange,
        outside: &dyn Outside,
        guard: Guard<'_>,
    ) -> Option<Verdict> {
        let path = exchange.request.path();
        let answered = if path == self.plan.callback_path.as_bytes() {
            self.come_back(exchange, outside, guard).await
        } else if path == self.plan.logout_path.as_bytes() {
            self.log_out(exchange)
        } else {
            return None;
        };
        Some(match answered {
            Ok(response) => Verdict::Respond(Box::new(response)),
            Err(fault) => Verdict::Fail(fault),
        })
    }

    /// The session that the browser brings.
    fn opened(&self, exchange: &Exchange) -> Result<Arc<Opened>, (Reason, &'static str)> {
        let now = exchange.moment.unix_seconds;
        let fields = &exchange.request.fields;
        if !self.cookie.is_there(fields) {
            return Err((Reason::CredentialsMissing, "no session"));
        }
        let invalid = (Reason::CredentialsInvalid, "the session was not sealed here");
        let sealed = self.cookie.read(fields).ok_or(invalid)?;
        let opened = match self.sessions.get(&sealed, now) {
            Some(opened) => opened,
            None => {
                let session: Session = self.open(self.cookie.name(), &sealed).ok_or(invalid)?;
                let until = session.ends(&self.plan);
                let opened = Arc::new(Opened::new(session, &self.plan).ok_or(invalid)?);
                self.sessions.insert(&sealed, &opened, until, now);
                opened
            }
        };
        let over = opened.session.state(&self.plan, now) == State::Over;
        if over || self.memory.is_ended(&opened.session, now) {
            return Err((Reason::CredentialsExpired, "the session is over"));
        }
        Ok(opened)
    }

    /// Goes on with a session: renews its tokens where that is due, and notes that it was used.
    async fn go_on(
        &self,
        opened: Arc<Opened>,
        exchange: &mut Exchange,
        outside: &dyn Outside,
        guard: Guard<'_>,
    ) -> Result<Arc<Opened>, Fault> {
        let now = exchange.moment.unix_seconds;
        let state = opened.session.state(&self.plan, now);
        let next = match state {
            State::Expired | State::Ageing if outside.is_there() => {
                match self.renewed(&opened, now, guard).await {
                    // The provider may be back before the tokens expire.
                    Err(fault) if state == State::Ageing && fault.reason == Reason::LoginUnavailable => {
                        return Ok(opened);
                    }
                    renewed => renewed?,
                }
            }
            State::Expired => return Err(unavailable("the provider is not asked here")),
            State::Used => Session { seen: now, ..opened.session.clone() },
            State::Ageing | State::Fresh | State::Over => return Ok(opened),
        };
        // An answer that takes long would bring an older session back after a renewal by another request.
        let overtaken = (state == State::Used).then(|| {
            let before = &opened.session;
            let token = before.refresh.as_deref().unwrap_or_default();
            Renewed::overtaking(&self.memory, token, before.renewed, now)
        });
        let lines = self.keep(&next, exchange)?.into_iter();
        let lines = lines.map(|line| SetCookie { line, overtaken: overtaken.clone() });
        exchange.set_cookies.extend(lines);
        Opened::new(next, &self.plan).map(Arc::new).ok_or_else(|| unavailable("the ID token cannot be used"))
    }

    /// The session with new tokens.
    async fn renewed(&self, opened: &Opened, now: u64, guard: Guard<'_>) -> Result<Session, Fault> {
        let before = &opened.session;
        let token = before.refresh.as_deref().unwrap_or_default();
        let places = self.provider.places().await?;
        let grant = [("grant_type", "refresh_token"), ("refresh_token", token)];
        let ask = || self.provider.ask(&places, &grant);
        let until = before.expires.unwrap_or(now);
        let (began, pending) = self.memory.renewals.of(token, before.renewed, now, until, ask);
        let answer = self.provider.answer(pending.clone()).await;
        let tokens = match &*answer {
            Ok(tokens) => tokens,
            Err(Refusal::Grant) => {
                return Err(refused(Reason::CredentialsExpired, "the provider has ended the session"));
            }
            Err(Refusal::Unavailable(why)) => {
                self.memory.renewals.forget(token, before.renewed, &pending);
                return Err(unavailable(why));
            }
        };
        let mut next = before.clone();
        if let Some(id) = &tokens.id {
            // OpenID Connect Core 1.0 section 12.2: the same caller, and the same login if it says so.
            let renewed = self.verify(id, None, now, guard).await?;
            let (old, new) = (&opened.claims.identity.claims, &renewed.identity.claims);
            let same_login = new.get("nonce").is_none() || old.get("nonce") == new.get("nonce");
            if old.get("sub") != new.get("sub") || old.get("iss") != new.get("iss") || !same_login {
                return Err(refused(Reason::CredentialsInvalid, "the renewed ID token is of somebody else"));
            }
            next.id.clone_from(id);
        }
        next.access = self.plan.pass_access_token.then(|| tokens.access.clone());
        next.refresh = tokens.refresh.clone().or(next.refresh);
        (next.seen, next.renewed) = (now, began);
        next.expires = tokens.expires_in.map(|seconds| began.saturating_add(seconds));
        Ok(next)
    }

    /// The lines that have the browser keep a session.
    fn keep(&self, session: &Session, exchange: &Exchange) -> Result<Vec<String>, Fault> {
        let sealed = self.seal(self.cookie.name(), session)?;
        let seconds = session.keep_for(&self.plan, exchange.moment.unix_seconds);
        self.cookie.write(&sealed, seconds, &exchange.request.fields).ok_or_else(|| {
            Fault::new(Reason::Internal).because("the tokens are longer than browsers keep in cookies")
        })
    }

    fn seal(&self, name: &str, what: &impl Serialize) -> Result<String, Fault> {
        let failed = || Fault::new(Reason::Internal).because("nothing can be sealed");
        let text = serde_json::to_vec(what).map_err(|_| failed())?;
        self.sealer.seal(self.purpose(name).as_bytes(), &text).map_err(|_| failed())
    }

    fn open<T: DeserializeOwned>(&self, name: &str, sealed: &[u8]) -> Option<T> {
        serde_json::from_slice(&self.sealer.open(self.purpose(name).as_bytes(), sealed)?).ok()
    }

    /// A cookie is good under its own name, for one provider and client.
    fn purpose(&self, name: &str) -> String {
        format!("{name}\0{}\0{}", self.plan.provider.keys.url, self.plan.provider.client_id)
    }

    /// What the service sees.
    fn pass_on(&self, exchange: &mut Exchange, opened: &Opened) -> Result<(), Fault> {
        let fields = &mut exchange.request.fields;
        for (name, value) in &opened.claims.fields {
            fields.insert(&**name, value)?;
        }
        if self.plan.pass_access_token {
            match &opened.session.access {
                Some(access) => fields.insert(Known::Authorization, format!("Bearer {access}").as_bytes())?,
                // What the client sent would be taken for it.
                None => {
                    fields.remove(Known::Authorization);
                }
            }
        }
        Ok(())
    }
}

impl Authenticate for OidcLoginFilter {
    async fn authenticate(
        &self,
        exchange: &mut Exchange,
        outside: &dyn Outside,
        guard: Guard<'_>,
    ) -> Result<Arc<Identity>, Fault> {
        guard.note_sealed();
        let gone_on = match self.opened(exchange) {
            Ok(opened) => self.go_on(opened, exchange, outside, guard).await,
            Err((reason, why)) => Err(refused(reason, why)),
        };
        let opened = match gone_on {
            Ok(opened) => opened,
            Err(fault) if fault.status() == 401 => {
                let lines = self.cookie.clear(&exchange.request.fields);
                let fault = self.send_to_login(exchange, outside, fault).await;
                if fault.status() < 500 {
                    exchange.set_cookies.extend(lines.into_iter().map(SetCookie::from));
                }
                strip_login_cookies(&mut exchange.request.fields, self.cookie.name());
                return Err(fault);
            }
            Err(fault) => return Err(fault),
        };
        strip_login_cookies(&mut exchange.request.fields, self.cookie.name());
        self.pass_on(exchange, &opened)?;
        Ok(Arc::clone(&opened.claims.identity))
    }
}

#[cfg(test)]
mod tests;
