//! Listeners: TLS, who introduces clients, redirections.

use std::sync::Arc;

use torana_certificate::{CertifiedPair, Purpose};
use torana_config::written::{ClientAuthConfig, ClientAuthMode, ListenForm, ListenerTlsConfig, OneOrMany};
use torana_config::{Document, Finding, Path, Resolver};

use super::pem::Reader;
use crate::text;
use crate::tls::{ClientAuthPlan, ListenerPlan, ListenerTlsPlan};

pub(super) fn listeners(
    document: &Document,
    resolver: &dyn Resolver,
    findings: &mut Vec<Finding>,
) -> Vec<ListenerPlan> {
    let listen = &document.config().listen;
    let forms = listen.as_slice().iter().enumerate();
    forms
        .map(|(index, form)| listener(document, resolver, &path_of(document, index), form, findings))
        .collect()
}

/// Where the listener of that number stands.
pub(crate) fn path_of(document: &Document, index: usize) -> Path {
    match &document.config().listen {
        OneOrMany::One(_) => Path::root().key("listen"),
        OneOrMany::Many(_) => Path::root().key("listen").index(index),
    }
}

fn listener(
    document: &Document,
    resolver: &dyn Resolver,
    path: &Path,
    form: &ListenForm,
    findings: &mut Vec<Finding>,
) -> ListenerPlan {
    let config = match form {
        ListenForm::Address(address) => return ListenerPlan::plain(*address),
        ListenForm::Full(config) => config,
    };
    if config.tls.is_some() && config.redirect_https.is_some() {
        let place = document.key_span_at(&path.key("redirect_https"));
        let finding = Finding::error("redirect-to-itself", "this listener speaks TLS itself").at(place);
        findings.push(finding.help("redirect from another listener, one without `tls`"));
    }
    for (index, network) in config.proxy_protocol.iter().enumerate() {
        if network.is_everything() {
            let message = format!("with {network} every client can claim any address as its own");
            let place = document.span_at(&path.key("proxy_protocol").index(index));
            let help = "name the networks of your own load balancers";
            findings.push(Finding::warning("trusts-everybody", message).at(place).help(help));
        }
    }
    let tls = config.tls.as_ref().map(|tls| {
        let reader = Reader { document, resolver, findings };
        Arc::new(planned(reader, &path.key("tls"), tls))
    });
    ListenerPlan {
        address: config.address,
        tls,
        proxy_protocol: config.proxy_protocol.clone(),
        redirect_https: config.redirect_https,
    }
}

fn planned(mut reader: Reader<'_>, path: &Path, config: &ListenerTlsConfig) -> ListenerTlsPlan {
    let written = config.certificates.as_slice();
    let place = |index: usize| match &config.certificates {
        OneOrMany::One(_) => path.key("certificates"),
        OneOrMany::Many(_) => path.key("certificates").index(index),
    };
    let mut certificates: Vec<Arc<CertifiedPair>> = Vec::with_capacity(written.len());
    for (index, config) in written.iter().enumerate() {
        let Some(pair) = reader.pair(&place(index), config, Purpose::Server) else { continue };
        warn_of_shadow(&mut reader, &place(index), &certificates, &pair);
        certificates.push(pair);
    }
    let client_auth =
        config.client_auth.on().map(|config| client_auth(&mut reader, &path.key("client_auth"), config));
    ListenerTlsPlan {
        certificates,
        min_version: config.min_version,
        client_auth: client_auth.map(Arc::new),
        strict_host: config.strict_host,
    }
}

/// A certificate all of whose names an earlier one with the same kind of key has, is never shown.
fn warn_of_shadow(
    reader: &mut Reader<'_>,
    path: &Path,
    earlier: &[Arc<CertifiedPair>],
    pair: &CertifiedPair,
) {
    let names = pair.names();
    let has = |name: &str| {
        earlier
            .iter()
            .any(|other| other.same_kind_of_key(pair) && other.leaf().dns_names().any(|other| other == name))
    };
    if !earlier.is_empty() && names.iter().all(|name| has(name)) {
        let message = "no client is shown this certificate: every name of it has an earlier one with the same kind of key";
        let place = reader.document.span_at(path);
        let help = "remove it; a name may have two certificates only with different kinds of keys";
        reader.findings.push(Finding::warning("certificate-never-shown", message).at(place).help(help));
    }
}

fn client_auth(reader: &mut Reader<'_>, path: &Path, config: &ClientAuthConfig) -> ClientAuthPlan {
    for (key, name) in config.headers.given() {
        text::field_name(reader.document, &path.key("headers").key(key), name, reader.findings);
    }
    ClientAuthPlan {
        authorities: reader.authorities(&path.key("ca"), &config.ca),
        required: config.mode == ClientAuthMode::Required,
        headers: config.headers.clone(),
    }
}
