//! Whether a certificate that a client has shown leads to one of a few authorities.

use crate::certificate::Certificate;
use crate::client::ClientCertificate;
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use std::sync::Arc;
use std::time::Duration;

/// Authorities, ready to judge.
#[derive(Clone, Debug)]
pub struct Authorities(Arc<dyn ClientCertVerifier>);

impl Authorities {
    /// Those of these certificates that can be authorities; `None` when none can.
    #[must_use]
    pub fn new(authorities: &[Certificate]) -> Option<Self> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(authorities.iter().map(|one| one.der().clone()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().ok().map(Self)
    }

    /// Whether the certificate leads to one of them and is good at `now`, in seconds since 1970-01-01 UTC.
    #[must_use]
    pub fn vouch_for(&self, certificate: &ClientCertificate, now: u64) -> bool {
        let own = CertificateDer::from(&*certificate.der);
        let between: Vec<_> = certificate.between.iter().map(|der| CertificateDer::from(&**der)).collect();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
        self.0.verify_client_cert(&own, &between, now).is_ok()
    }
}
