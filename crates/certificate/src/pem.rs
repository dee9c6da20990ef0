//! PEM text (RFC 7468) with the lines that its sections stand at.

use crate::certificate::Certificate;
use crate::pair::PrivateKey;
use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Why a text gives no certificate or key. Never holds any of the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// Nothing is there.
    #[error("it is empty")]
    Empty,
    /// The text has no section at all.
    #[error("it is not PEM: no line begins with `-----BEGIN`")]
    NotPem,
    /// No section is a certificate.
    #[error("it holds no certificate, only {0}")]
    NoCertificate(String),
    /// No section is a private key.
    #[error("it holds no private key, only {0}")]
    NoKey(String),
    /// The key asks for a password.
    #[error("line {line}: the private key is encrypted")]
    EncryptedKey {
        /// Where the section begins, from one.
        line: usize,
    },
    /// More than one private key.
    #[error("line {line}: a second private key")]
    SecondKey {
        /// Where the section begins, from one.
        line: usize,
    },
    /// A section does not end, or is not base64.
    #[error("line {line}: the section is cut off or is not base64")]
    Broken {
        /// Where the section begins, from one.
        line: usize,
    },
    /// What a section holds is not what its label says.
    #[error("line {line}: {what}")]
    Invalid {
        /// Where the section begins, from one; zero where there is no text.
        line: usize,
        /// What is wrong.
        what: String,
    },
}

struct Section<'t> {
    label: &'t str,
    line: usize,
    text: &'t str,
}

fn sections(text: &str) -> Result<Vec<Section<'_>>, PemError> {
    if text.trim().is_empty() {
        return Err(PemError::Empty);
    }
    let mut sections = Vec::new();
    let mut open: Option<(&str, usize, usize)> = None;
    let mut offset = 0_usize;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let (start, number) = (offset, index.saturating_add(1));
        offset = offset.saturating_add(line.len());
        let bare = line.trim();
        if let Some(label) = bare.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----")) {
            if let Some((_, line, _)) = open {
                return Err(PemError::Broken { line });
            }
            open = Some((label, number, start));
        } else if let Some(label) = bare.strip_prefix("-----END ").and_then(|rest| rest.strip_suffix("-----"))
            && let Some((begun, line, start)) = open.take()
        {
            if begun != label {
                return Err(PemError::Broken { line });
            }
            sections.push(Section { label, line, text: text.get(start..offset).unwrap_or_default() });
        }
    }
    match open {
        Some((_, line, _)) => Err(PemError::Broken { line }),
        None if sections.is_empty() => Err(PemError::NotPem),
        None => Ok(sections),
    }
}

fn labels(sections: &[Section<'_>]) -> String {
    let labels: Vec<String> = sections.iter().map(|section| format!("`{}`", section.label)).collect();
    labels.join(", ")
}

/// Reads all certificates of a text, in its order. Sections of other kinds are passed over.
///
/// # Errors
/// There is none, or one that cannot be read.
pub fn certificates(text: &str) -> Result<Vec<Certificate>, PemError> {
    let sections = sections(text)?;
    let mut certificates = Vec::new();
    for section in sections.iter().filter(|section| section.label == "CERTIFICATE") {
        let der = CertificateDer::from_pem_slice(section.text.as_bytes())
            .map_err(|_| PemError::Broken { line: section.line })?;
        certificates.push(Certificate::read(&der, section.line)?);
    }
    if certificates.is_empty() { Err(PemError::NoCertificate(labels(&sections))) } else { Ok(certificates) }
}

/// Reads the only private key of a text: PKCS #8, PKCS #1 or SEC 1. Sections of other kinds are passed over.
///
/// # Errors
/// There is none, more than one, or one that cannot be used.
pub fn private_key(text: &str) -> Result<PrivateKey, PemError> {
    let sections = sections(text)?;
    let mut found = None;
    for section in sections.iter().filter(|section| section.label.ends_with("PRIVATE KEY")) {
        let line = section.line;
        // Old OpenSSL keys say so in a header, new ones in the label.
        if section.label.starts_with("ENCRYPTED") || section.text.contains("ENCRYPTED") {
            return Err(PemError::EncryptedKey { line });
        }
        if found.is_some() {
            return Err(PemError::SecondKey { line });
        }
        let (kind, der) = <(SectionKind, Vec<u8>)>::from_pem_slice(section.text.as_bytes())
            .map_err(|_| PemError::Broken { line })?;
        let unknown =
            || PemError::Invalid { line, what: format!("no key of the kind `{}` is known", section.label) };
        let der = PrivateKeyDer::from_pem(kind, der).ok_or_else(unknown)?;
        found = Some(PrivateKey::read(der, line)?);
    }
    found.ok_or_else(|| PemError::NoKey(labels(&sections)))
}
