//! Which certificate a client sees: by the name it asks for, against the certificates' own names.

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::sync::Arc;

/// Certificates by name. Several of one name are told apart by what the client can verify, so that an RSA
/// and an ECDSA certificate stand side by side.
#[derive(Debug)]
pub(super) struct Chooser {
    exact: HashMap<Box<str>, Vec<Arc<CertifiedKey>>>,
    /// By what follows the `*.`, which stands for exactly one label (RFC 6125 section 6.4.3).
    wildcards: HashMap<Box<str>, Vec<Arc<CertifiedKey>>>,
    /// The first certificate, and those that share a name with it: shown when no name fits.
    fallback: Vec<Arc<CertifiedKey>>,
}

impl Chooser {
    /// Certificates with their names in lower case, the default first.
    pub(super) fn new(certificates: Vec<(Arc<CertifiedKey>, Vec<Box<str>>)>) -> Self {
        let mut chooser = Self { exact: HashMap::new(), wildcards: HashMap::new(), fallback: Vec::new() };
        let first_names = certificates.first().map(|(_, names)| names.clone()).unwrap_or_default();
        for (certificate, names) in certificates {
            if chooser.fallback.is_empty() || names.iter().any(|name| first_names.contains(name)) {
                chooser.fallback.push(Arc::clone(&certificate));
            }
            for name in names {
                let (map, name) = match name.strip_prefix("*.") {
                    Some(suffix) => (&mut chooser.wildcards, suffix),
                    None => (&mut chooser.exact, &*name),
                };
                map.entry(name.into()).or_default().push(Arc::clone(&certificate));
            }
        }
        chooser
    }

    /// The certificates for a name, the best kind of match alone.
    fn of(&self, name: Option<&str>) -> &[Arc<CertifiedKey>] {
        let Some(name) = name else { return &self.fallback };
        let name = name.to_ascii_lowercase();
        let wildcard = || self.wildcards.get(name.split_once('.')?.1);
        self.exact.get(&*name).or_else(wildcard).map_or(&self.fallback, |found| found)
    }
}

impl ResolvesServerCert for Chooser {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let found = self.of(hello.server_name());
        let usable = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        found.iter().find(usable).or_else(|| found.first()).cloned()
    }
}
