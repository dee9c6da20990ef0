//! `mtls_auth` in the plan.

use std::sync::Arc;

use torana_certificate::Certificate;
use torana_config::written::{CertificateConsumers, Defaulted, MtlsAuthConfig};
use torana_config::{Document, Finding, Path, Resolver};
use torana_credential::directory::Consumers;

use super::{AuthenticationPlan, PolicyPlan};
use crate::build::pem::Reader;

/// Callers show a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MtlsAuthPlan {
    /// What was written.
    pub config: MtlsAuthConfig,
    /// To one of which certificates must lead; any that the listener trusts when `None`.
    pub authorities: Option<Vec<Certificate>>,
    /// Whose certificates there are.
    pub consumers: Arc<Consumers>,
}

/// Plans the policy that is written at `path`.
pub(crate) fn plan(
    document: &Document,
    path: &Path,
    form: &Defaulted<MtlsAuthConfig>,
    (consumers, resolver): (&Arc<Consumers>, &dyn Resolver),
    findings: &mut Vec<Finding>,
) -> PolicyPlan {
    let config = form.config();
    let authorities = config.ca.as_ref().map(|ca| {
        let mut reader = Reader { document, resolver, findings: &mut *findings };
        reader.authorities(&path.key("ca"), ca)
    });
    if config.consumers == CertificateConsumers::Required {
        super::authentication::needs_consumers(document, path, consumers, findings);
    }
    let plan = MtlsAuthPlan { config, authorities, consumers: Arc::clone(consumers) };
    PolicyPlan::Authentication(AuthenticationPlan::MtlsAuth(Arc::new(plan)))
}
