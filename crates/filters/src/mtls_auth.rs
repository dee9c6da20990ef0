//! Authentication by the certificate that a client has shown in the handshake of TLS.
//!
//! The listener has verified it: that it leads to an authority that is trusted there, and that the client has
//! its key. A header field that carries a certificate is nobody's proof and is not looked at. Here it is
//! decided whose it is: by its fingerprint, by a name that a consumer is written down with, and only where that
//! was asked for by a consumer's own name.

use crate::asking::{Print, Printed};
use crate::authentication::cache::Cache;
use crate::authentication::{Authenticate, Guard};
use serde_json::{Map, Value};
use std::sync::Arc;
use torana_certificate::{Authorities, Certificate, ClientCertificate};
use torana_config::written::{CertificateConsumers, CertificateGroup, ConsumerName};
use torana_credential::directory::{Directory, NameKind};
use torana_fault::{Fault, Reason};
use torana_filter::{Consumer, Credential, CredentialKind, Exchange, Identity, Outside};
use torana_plan::MtlsAuthPlan;

/// So many characters of a subject that is not known are logged.
const LONGEST_TOLD: usize = 200;

/// Callers show a certificate.
#[derive(Debug)]
pub struct MtlsAuthFilter {
    plan: Arc<MtlsAuthPlan>,
    /// Nobody, where authorities are given and none can be one.
    authorities: Option<Option<Authorities>>,
    /// By what was judged, and the generation of consumers that it was judged by.
    known: Cache<Identity>,
}

impl MtlsAuthFilter {
    /// Prepares the filter; it remembers no certificate yet.
    #[must_use]
    pub fn prepare(plan: &Arc<MtlsAuthPlan>) -> Self {
        Self {
            plan: Arc::clone(plan),
            authorities: plan.authorities.as_ref().map(|given| Authorities::new(given)),
            known: Cache::default(),
        }
    }

    /// What it asks for.
    #[must_use]
    pub fn describe(&self) -> String {
        let whose = match self.plan.config.consumers {
            CertificateConsumers::Required => "a client certificate of a consumer",
            CertificateConsumers::Optional => "a client certificate",
        };
        let authorities = self.plan.authorities.iter().flatten().map(Certificate::subject);
        match authorities.collect::<Vec<_>>().join(" or ") {
            names if names.is_empty() => whose.to_owned(),
            names => format!("{whose} that leads to {names}"),
        }
    }

    /// What is remembered of a certificate holds for the consumers of then, and for those shown with it where
    /// they may lead to an authority.
    fn print(&self, certificate: &ClientCertificate) -> Printed {
        let mut print = Print::new();
        print.part(&self.plan.consumers.generation().to_le_bytes());
        print.part(certificate.fingerprint.as_bytes());
        if self.authorities.is_some() {
            print.parts(certificate.between.iter().map(Vec::as_slice));
        }
        print.end()
    }

    /// When what was found is to be looked at anew, in seconds since 1970-01-01 UTC: with the first to end of the
    /// certificate and of those that may have led to an authority.
    fn holds_until(&self, certificate: &ClientCertificate, now: u64) -> u64 {
        let end = |not_after: i64| u64::try_from(not_after).unwrap_or(0).saturating_add(1);
        let between = certificate.between.iter().filter(|_| self.authorities.is_some());
        let read = |der: &Vec<u8>| ClientCertificate::read(der).ok();
        let ends = between.filter_map(read).map(|certificate| end(certificate.not_after));
        // What has ended already has led nowhere.
        ends.filter(|end| *end > now).chain([end(certificate.not_after)]).min().unwrap_or(now)
    }

    /// Whose the certificate is.
    fn identify(&self, certificate: &ClientCertificate, now: u64) -> Result<Identity, Fault> {
        let vouched = match &self.authorities {
            None => true,
            Some(authorities) => authorities.as_ref().is_some_and(|all| all.vouch_for(certificate, now)),
        };
        if !vouched {
            return Err(refused("the certificate leads to no authority of this policy"));
        }
        let record = self.consumer(certificate)?;
        if record.is_none() && self.plan.config.consumers == CertificateConsumers::Required {
            // Whoever set it up sees by the order of its parts what to write.
            let subject: String = certificate.subject.chars().take(LONGEST_TOLD).collect();
            return Err(refused(format!("the certificate of `{subject}` is nobody's")));
        }
        let own = certificate.common_name.as_ref().filter(|name| !name.is_empty());
        let own = own.unwrap_or(&certificate.subject);
        let consumer = match &record {
            Some(record) => record.name().to_owned(),
            None if own.is_empty() => return Err(refused("the certificate has no name")),
            None => own.clone(),
        };
        let group = match self.plan.config.group_by {
            Some(CertificateGroup::CommonName) => certificate.common_name.clone(),
            Some(CertificateGroup::Subject) => Some(certificate.subject.clone()),
            None => None,
        };
        let id = certificate.fingerprint.as_str().into();
        Ok(Identity {
            consumer,
            record,
            credential: Some(Credential { kind: CredentialKind::Certificate, id }),
            authenticated_groups: group.into_iter().filter(|group| !group.is_empty()).collect(),
            claims: claims(certificate).into(),
            ..Identity::default()
        })
    }

    fn consumer(&self, certificate: &ClientCertificate) -> Result<Option<Arc<Consumer>>, Fault> {
        let consumers = &**self.plan.consumers.load();
        let by_print = digest(&certificate.fingerprint).and_then(|print| consumers.by_certificate(&print));
        if let Some(known) = by_print {
            return Ok(known.record.clone());
        }
        let names = names(certificate);
        let named = consumers.by_certificate_names(&names, &certificate.issuer, &certificate.fingerprint);
        match named {
            Ok(Some(known)) => Ok(known.record.clone()),
            Ok(None) => self.by_own_name(consumers, &names),
            Err(ambiguous) => Err(refused(ambiguous.to_string())),
        }
    }

    /// Kong's automatic matching: the alternative names, then the common name.
    fn by_own_name(
        &self,
        consumers: &Directory,
        names: &[(NameKind, &str)],
    ) -> Result<Option<Arc<Consumer>>, Fault> {
        let mut found: Option<&Arc<Consumer>> = None;
        for (kind, name) in names {
            if *kind != NameKind::Any {
                continue;
            }
            for by in &self.plan.config.consumer_by {
                let one = match by {
                    ConsumerName::Username => consumers.by_username(name),
                    ConsumerName::Id => consumers.by_id(name),
                    ConsumerName::CustomId => consumers.by_custom_id(name),
                };
                match (one, found) {
                    (Some(one), Some(before)) if !Arc::ptr_eq(one, before) => {
                        return Err(refused("the names of the certificate are those of different consumers"));
                    }
                    (Some(one), None) => found = Some(one),
                    _ => {}
                }
            }
        }
        Ok(found.cloned())
    }
}

/// Every name of a certificate, each as its own kind and as one of any kind.
fn names(certificate: &ClientCertificate) -> Vec<(NameKind, &str)> {
    let mut names = vec![(NameKind::Subject, certificate.subject.as_str())];
    for name in &certificate.names {
        let Some((kind, name)) = name.split_once(':') else { continue };
        let kind = match kind {
            "DNS" => Some(NameKind::Dns),
            "email" => Some(NameKind::Mail),
            "URI" => Some(NameKind::Uri),
            _ => None,
        };
        names.extend(kind.map(|kind| (kind, name)));
        names.push((NameKind::Any, name));
    }
    names.extend(certificate.common_name.as_deref().map(|name| (NameKind::Any, name)));
    names.retain(|(_, name)| !name.is_empty());
    names
}

/// What rules may ask of it.
fn claims(certificate: &ClientCertificate) -> Map<String, Value> {
    let mut claims = Map::new();
    let mut add = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    add("subject", certificate.subject.as_str().into());
    add("issuer", certificate.issuer.as_str().into());
    add("fingerprint", certificate.fingerprint.as_str().into());
    add("names", certificate.names.clone().into());
    if let Some(name) = &certificate.common_name {
        add("common_name", name.as_str().into());
    }
    claims
}

/// The 32 bytes of a fingerprint.
fn digest(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    (digits.len() == 64).then_some(bytes)
}

/// No scheme is registered for certificates; RFC 9110 section 15.5.2 asks for a challenge.
fn fault(reason: Reason, why: impl Into<std::borrow::Cow<'static, str>>) -> Fault {
    Fault::new(reason).because(why).with_field("WWW-Authenticate", "Certificate".into())
}

fn refused(why: impl Into<std::borrow::Cow<'static, str>>) -> Fault {
    fault(Reason::CredentialsInvalid, why)
}

impl Authenticate for MtlsAuthFilter {
    async fn authenticate(
        &self,
        exchange: &mut Exchange,
        _: &dyn Outside,
        guard: Guard<'_>,
    ) -> Result<Arc<Identity>, Fault> {
        let now = exchange.moment.unix_seconds;
        let shown = exchange.client_certificate.as_ref();
        let certificate = shown.ok_or_else(|| fault(Reason::CredentialsMissing, "no certificate"))?;
        // A connection may live longer than the certificate that it began with.
        if i64::try_from(now).map_or(true, |now| now > certificate.not_after) {
            return Err(fault(Reason::CredentialsExpired, "the certificate has expired"));
        }
        // Before the directory is looked at: it is never older than its generation says.
        let print = self.print(certificate);
        if let Some(known) = self.known.get(&print, now) {
            return Ok(known);
        }
        guard.may_try()?;
        let identity = Arc::new(self.identify(certificate, now)?);
        self.known.insert(&print, &identity, self.holds_until(certificate, now), now);
        Ok(identity)
    }
}

#[cfg(test)]
mod tests;
