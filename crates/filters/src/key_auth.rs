//! Authentication by a key of a consumer, in a field, a cookie, a parameter or the body.
//!
//! Keys are found by their print in one look-up, however many there are; remembered is only that an address had a
//! good one, for the limit on wrong ones. A
//! request with two different keys is refused, because two readers could take different ones.

mod body;

use crate::authentication::locations::{
    alike_cookies, alike_in, is_another, remove_cookies, remove_parameter, shown_in,
};
use crate::authentication::signed::has_no_body;
use crate::authentication::unverified::Looks;
use crate::authentication::{Authenticate, Guard};
pub(crate) use body::{BodyForm, parts};
use body::{Shown, Unreadable};
use std::borrow::Cow;
use std::sync::Arc;
use torana_config::written::KeyAuthConfig;
use torana_credential::directory::KeyPrint;
use torana_fault::{Fault, Reason};
use torana_filter::{Exchange, Identity, Needs, Outside};
use torana_http::{FieldName, RequestHead, cookie};
use torana_plan::KeyAuthPlan;

/// Fields that hold only for a body as it came.
const DIGESTS: [&str; 4] = ["Content-Digest", "Repr-Digest", "Digest", "Content-MD5"];
/// The longest key that is looked at, in bytes.
const LONGEST: usize = 4096;

/// Callers show a key.
#[derive(Debug)]
pub struct KeyAuthFilter {
    plan: Arc<KeyAuthPlan>,
    headers: Vec<FieldName>,
}

impl KeyAuthFilter {
    /// Prepares the filter.
    #[must_use]
    pub fn prepare(plan: &Arc<KeyAuthPlan>) -> Self {
        let headers = plan.config.headers.iter().map(|name| FieldName::new(name)).collect();
        Self { plan: Arc::clone(plan), headers }
    }

    /// What it asks for.
    #[must_use]
    pub fn describe(&self) -> String {
        let config = &self.plan.config;
        let places = [
            ("field", &config.headers),
            ("cookie", &config.cookies),
            ("parameter", &config.query),
            ("member", &config.body),
        ];
        let places =
            places.iter().flat_map(|(kind, names)| names.iter().map(move |name| format!("{kind} {name}")));
        format!("a key in {}", places.collect::<Vec<_>>().join(" or "))
    }

    pub(crate) fn looks(&self) -> Looks<'_> {
        let KeyAuthConfig { headers, cookies, query, .. } = &self.plan.config;
        Looks { headers, cookies, query, ..Looks::default() }
    }

    /// The body, where a key may stand in it: seen whole, so that none is overlooked and none goes on unverified.
    pub(crate) fn needs(&self, exchange: &Exchange) -> Needs {
        if !has_no_body(exchange) && matches!(self.form(exchange), Ok(Some(_))) {
            Needs::body(self.plan.config.max_body.as_u64())
        } else {
            Needs::NOTHING
        }
    }

    /// The form of the body, where one is looked into.
    fn form(&self, exchange: &Exchange) -> Result<Option<BodyForm>, Unreadable> {
        if self.plan.config.body.is_empty() { Ok(None) } else { BodyForm::of(&exchange.request.fields) }
    }

    /// The keys in the body, and what services may take for one.
    fn in_body<'r>(&'r self, exchange: &'r Exchange) -> Result<Vec<Shown<'r>>, Unreadable> {
        match (self.form(exchange)?, exchange.body.as_deref()) {
            (Some(form), Some(body)) => form.values(body, &self.plan.config.body),
            _ => Ok(Vec::new()),
        }
    }

    /// Refuses a body in which a service could find another key than the gateway, or one where it finds none.
    ///
    /// # Errors
    /// The body has more than one reading.
    pub(crate) fn judge_body(&self, exchange: &Exchange) -> Result<(), Fault> {
        let unreadable = |Unreadable| {
            let why = "a body that may have a key is not the form that its type says";
            Fault::new(Reason::BodyNotAccepted).because(why)
        };
        if self.plan.config.body.is_empty() || has_no_body(exchange) {
            return Ok(());
        }
        self.in_body(exchange).map(drop).map_err(unreadable)
    }

    /// Takes what could be a key out of the body, and with it what was said of the whole.
    pub(crate) fn hide_in_body(&self, exchange: &mut Exchange) {
        let (Ok(Some(form)), Some(body)) = (self.form(exchange), &exchange.body) else { return };
        if let Ok(Some(rest)) = form.without(body, &self.plan.config.body) {
            exchange.body = Some(rest.into());
            for name in DIGESTS {
                exchange.request.fields.remove(name);
            }
        }
    }

    fn fault(&self, reason: Reason, why: &'static str) -> Fault {
        let realm = &self.plan.config.realm;
        let challenge = if realm.is_empty() { "Key".to_owned() } else { format!("Key realm=\"{realm}\"") };
        Fault::new(reason).because(why).with_field("WWW-Authenticate", challenge)
    }

    fn find<'r>(&'r self, exchange: &'r Exchange) -> Result<Cow<'r, [u8]>, Fault> {
        let mut key = self.find_in_head(&exchange.request)?;
        // What cannot be read was refused before.
        let (own, in_body): (Vec<_>, Vec<_>) =
            self.in_body(exchange).unwrap_or_default().into_iter().partition(|shown| shown.is_own);
        for shown in own {
            self.note(&mut key, shown.value)?;
        }
        let key = key.ok_or_else(|| self.fault(Reason::CredentialsMissing, "no key"))?;
        let query = exchange.request.query().unwrap_or_default();
        let mut alike = self.plan.config.query.iter().flat_map(|name| alike_in(query, name));
        let fields = &exchange.request.fields;
        let mut cookies = self.plan.config.cookies.iter().flat_map(|name| alike_cookies(fields, name));
        if alike.any(|value| is_another(&value, &key))
            || cookies.any(|value| is_another(value, &key))
            || in_body.iter().any(|shown| is_another(&shown.value, &key))
        {
            return Err(self.fault(Reason::CredentialsInvalid, "more than one key"));
        }
        Ok(key)
    }

    /// Takes one of the keys that a request shows; two are not the same to every reader.
    fn note<'r>(&self, key: &mut Option<Cow<'r, [u8]>>, candidate: Cow<'r, [u8]>) -> Result<(), Fault> {
        match key {
            _ if candidate.is_empty() => Ok(()),
            Some(known) if **known == *candidate => Ok(()),
            Some(_) => Err(self.fault(Reason::CredentialsInvalid, "more than one key")),
            None => {
                *key = Some(candidate);
                Ok(())
            }
        }
    }

    fn find_in_head<'r>(&'r self, request: &'r RequestHead) -> Result<Option<Cow<'r, [u8]>>, Fault> {
        let config = &self.plan.config;
        let mut key: Option<Cow<'r, [u8]>> = None;
        let mut note = |candidate| self.note(&mut key, candidate);
        for name in &self.headers {
            request.fields.get_all(name).try_for_each(|value| note(Cow::Borrowed(value)))?;
        }
        for name in &config.cookies {
            cookie::values(&request.fields, name.as_bytes())
                .try_for_each(|value| note(Cow::Borrowed(value)))?;
        }
        for name in &config.query {
            shown_in(request.query().unwrap_or_default(), name).try_for_each(&mut note)?;
        }
        Ok(key)
    }

    fn hide(&self, request: &mut RequestHead) {
        let config = &self.plan.config;
        for name in &self.headers {
            request.fields.remove(name);
        }
        for name in &config.cookies {
            remove_cookies(&mut request.fields, name);
        }
        for name in &config.query {
            remove_parameter(request, name);
        }
    }
}

impl Authenticate for KeyAuthFilter {
    async fn authenticate(
        &self,
        exchange: &mut Exchange,
        _: &dyn Outside,
        guard: Guard<'_>,
    ) -> Result<Arc<Identity>, Fault> {
        let identity = {
            let key = self.find(exchange)?;
            if key.len() > LONGEST {
                return Err(self.fault(Reason::CredentialsInvalid, "the key is too long"));
            }
            let print = KeyPrint::of(&key);
            guard.may_try_key(&print)?;
            let consumers = self.plan.consumers.load();
            let found = consumers.by_print(&print, exchange.moment.unix_seconds);
            let found = found.ok_or_else(|| self.fault(Reason::CredentialsInvalid, "nobody has this key"))?;
            found.fetch();
            guard.note_key(&print);
            Arc::clone(found)
        };
        if self.plan.config.hide_credentials {
            self.hide(&mut exchange.request);
            self.hide_in_body(exchange);
        }
        Ok(identity)
    }
}
