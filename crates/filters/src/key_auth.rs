//! Authentication by a key of a consumer, in a field, a cookie or a parameter.
//!
//! Keys are found by their print in one look-up, however many there are; remembered is only that an address had a
//! good one, for the limit on wrong ones. A
//! request with two different keys is refused, because two readers could take different ones.

use crate::authentication::locations::{parameters, remove_parameter};
use crate::authentication::unverified::Looks;
use crate::authentication::{Authenticate, Guard};
use std::borrow::Cow;
use std::sync::Arc;
use torana_config::written::KeyAuthConfig;
use torana_credential::directory::KeyPrint;
use torana_fault::{Fault, Reason};
use torana_filter::{Exchange, Identity, Outside};
use torana_http::{FieldName, RequestHead, cookie};
use torana_plan::KeyAuthPlan;

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
        let places = [("field", &config.headers), ("cookie", &config.cookies), ("parameter", &config.query)];
        let places =
            places.iter().flat_map(|(kind, names)| names.iter().map(move |name| format!("{kind} {name}")));
        format!("a key in {}", places.collect::<Vec<_>>().join(" or "))
    }

    pub(crate) fn looks(&self) -> Looks<'_> {
        let KeyAuthConfig { headers, cookies, query, .. } = &self.plan.config;
        Looks { headers, cookies, query, ..Looks::default() }
    }

    fn fault(&self, reason: Reason, why: &'static str) -> Fault {
        let realm = &self.plan.config.realm;
        let challenge = if realm.is_empty() { "Key".to_owned() } else { format!("Key realm=\"{realm}\"") };
        Fault::new(reason).because(why).with_field("WWW-Authenticate", challenge)
    }

    fn find<'r>(&'r self, request: &'r RequestHead) -> Result<Cow<'r, [u8]>, Fault> {
        let config = &self.plan.config;
        let mut key: Option<Cow<'r, [u8]>> = None;
        let mut note = |candidate: Cow<'r, [u8]>| match &key {
            _ if candidate.is_empty() => Ok(()),
            Some(known) if **known == *candidate => Ok(()),
            Some(_) => Err(self.fault(Reason::CredentialsInvalid, "more than one key")),
            None => {
                key = Some(candidate);
                Ok(())
            }
        };
        for name in &self.headers {
            request.fields.get_all(name).try_for_each(|value| note(Cow::Borrowed(value)))?;
        }
        for name in &config.cookies {
            cookie::values(&request.fields, name.as_bytes())
                .try_for_each(|value| note(Cow::Borrowed(value)))?;
        }
        for name in &config.query {
            parameters(request.query().unwrap_or_default(), name).try_for_each(&mut note)?;
        }
        key.ok_or_else(|| self.fault(Reason::CredentialsMissing, "no key"))
    }

    fn hide(&self, request: &mut RequestHead) {
        let config = &self.plan.config;
        for name in &self.headers {
            request.fields.remove(name);
        }
        for name in &config.cookies {
            cookie::remove(&mut request.fields, |own| own == name.as_bytes());
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
            let key = self.find(&exchange.request)?;
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
        }
        Ok(identity)
    }
}
