//! Consumers by the names in their certificates.

use super::{Directory, Known};
use std::collections::HashMap;
use std::sync::Arc;
use torana_identity::{CredentialKind, Identity};

/// What kind of name of a certificate names a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NameKind {
    /// The whole subject.
    Subject,
    /// The common name, or an alternative name of any kind.
    Any,
    /// A DNS name, in lower case.
    Dns,
    /// An address of mail.
    Mail,
    /// A URI.
    Uri,
}

/// A name, and the issuer that must vouch for it where one must.
pub(super) type CertificateName = (NameKind, Box<str>, Option<Box<str>>);
pub(super) type CertificateNames = HashMap<CertificateName, Known<()>>;

/// The names of one certificate belong to different consumers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the names of the certificate belong to different consumers")]
pub struct Ambiguous;

impl Directory {
    /// The consumer of a certificate of `issuer` by these names. A name that was written with its issuer is
    /// that of this issuer alone. `id` is what the credential is called.
    ///
    /// # Errors
    /// Two names belong to different consumers: either could be meant, so neither is.
    pub fn by_certificate_names(
        &self,
        names: &[(NameKind, &str)],
        issuer: &str,
        id: &str,
    ) -> Result<Option<Arc<Identity>>, Ambiguous> {
        if self.certificate_names.is_empty() {
            return Ok(None);
        }
        let mut found: Option<&Known<()>> = None;
        for (kind, name) in names {
            for issuer in [Some(issuer), None] {
                let key: CertificateName = (*kind, (*name).into(), issuer.map(Into::into));
                match (self.certificate_names.get(&key), found) {
                    (Some(known), Some(before)) if known.consumer != before.consumer => {
                        return Err(Ambiguous);
                    }
                    (Some(known), None) => found = Some(known),
                    _ => {}
                }
            }
        }
        Ok(found.map(|known| {
            self.identity(&known.identity, known.consumer, CredentialKind::Certificate, || id.into())
        }))
    }
}
