//! What is wrong or odd about a chain, in words, with the line it stands at.

use crate::certificate::{Certificate, Purpose};
use crate::date::date;
use std::fmt;

const DAY: i64 = 24 * 60 * 60;
/// An end that is nearer than this is said.
const SOON: i64 = 30 * DAY;

/// Something about a chain or a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The key is not that of the first certificate.
    KeyMismatch {
        /// The line of a later certificate that it does belong to.
        belongs_to: Option<usize>,
        /// Whom the first certificate is about.
        subject: String,
    },
    /// It is past its end.
    Expired {
        /// Its line.
        line: usize,
        /// Whom it is about.
        subject: String,
        /// Its last second.
        since: i64,
    },
    /// It will be past its end within 30 days.
    ExpiresSoon {
        /// Its line.
        line: usize,
        /// Whom it is about.
        subject: String,
        /// Its last second.
        at: i64,
        /// Whole days until then.
        days: i64,
    },
    /// Its beginning lies ahead.
    NotYetValid {
        /// Its line.
        line: usize,
        /// Whom it is about.
        subject: String,
        /// Its first second.
        from: i64,
    },
    /// It does not vouch for the certificate before it.
    OutOfOrder {
        /// Its line.
        line: usize,
        /// Whom it is about.
        subject: String,
        /// Who must come here.
        expected: String,
        /// Whether that one stands elsewhere in the text.
        elsewhere: bool,
    },
    /// The first certificate has no name that a client would look at.
    NoNames {
        /// Its line.
        line: usize,
        /// Whom it is about.
        subject: String,
    },
    /// It is for something else than it is shown as.
    WrongPurpose {
        /// Its line.
        line: usize,
        /// Whom it is about.
        subject: String,
        /// As what it is shown.
        purpose: Purpose,
    },
    /// The first certificate was signed by nobody else.
    SelfSigned {
        /// Its line.
        line: usize,
        /// Whom it is about.
        subject: String,
    },
    /// What should be an authority may not sign.
    NoAuthority {
        /// Its line.
        line: usize,
        /// Whom it is about.
        subject: String,
    },
}

impl Problem {
    pub(crate) fn of_chain(chain: &[Certificate], purpose: Purpose, now: i64) -> Vec<Self> {
        let mut problems: Vec<Self> =
            chain.iter().filter_map(|certificate| Self::of_time(certificate, now)).collect();
        for pair in chain.windows(2) {
            let [certificate, next] = pair else { continue };
            if !next.is_issuer_of(certificate) {
                let elsewhere = chain.iter().any(|other| other.is_issuer_of(certificate));
                problems.push(Self::OutOfOrder {
                    line: next.line(),
                    subject: next.subject().to_owned(),
                    expected: certificate.issuer().to_owned(),
                    elsewhere: elsewhere && !certificate.is_its_own_issuer(),
                });
            }
        }
        // What an authority is not for, none that it signs is for.
        problems.extend(chain.iter().filter(|one| !one.is_for(purpose)).map(|one| Self::WrongPurpose {
            line: one.line(),
            subject: one.subject().to_owned(),
            purpose,
        }));
        if let Some(leaf) = chain.first() {
            let (line, subject) = (leaf.line(), leaf.subject().to_owned());
            // By which name it knows a client is up to the server.
            if purpose == Purpose::Server && !leaf.has_names() {
                problems.push(Self::NoNames { line, subject: subject.clone() });
            }
            if leaf.is_its_own_issuer() {
                problems.push(Self::SelfSigned { line, subject });
            }
        }
        problems
    }

    pub(crate) fn of_authorities(authorities: &[Certificate], now: i64) -> Vec<Self> {
        let time = authorities.iter().filter_map(|certificate| Self::of_time(certificate, now));
        let no_authority =
            authorities.iter().filter(|certificate| !certificate.is_authority()).map(|certificate| {
                Self::NoAuthority { line: certificate.line(), subject: certificate.subject().to_owned() }
            });
        time.chain(no_authority).collect()
    }

    fn of_time(certificate: &Certificate, now: i64) -> Option<Self> {
        let (line, subject) = (certificate.line(), certificate.subject().to_owned());
        let left = certificate.not_after().saturating_sub(now);
        if left < 0 {
            return Some(Self::Expired { line, subject, since: certificate.not_after() });
        }
        if certificate.not_before() > now {
            return Some(Self::NotYetValid { line, subject, from: certificate.not_before() });
        }
        let days = left.checked_div(DAY).unwrap_or_default();
        (left < SOON).then(|| Self::ExpiresSoon { line, subject, at: certificate.not_after(), days })
    }

    /// A stable word for the kind.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::KeyMismatch { .. } => "key-mismatch",
            Self::Expired { .. } => "certificate-expired",
            Self::ExpiresSoon { .. } => "certificate-expires-soon",
            Self::NotYetValid { .. } => "certificate-not-yet-valid",
            Self::OutOfOrder { .. } => "chain-out-of-order",
            Self::NoNames { .. } => "certificate-without-names",
            Self::WrongPurpose { .. } => "certificate-of-another-purpose",
            Self::SelfSigned { .. } => "self-signed",
            Self::NoAuthority { .. } => "no-authority",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::KeyMismatch { belongs_to: Some(line), .. } => {
                format!("the key belongs to the certificate at line {line}: put that one first")
            }
            Self::KeyMismatch { .. } => "take the key that the certificate was requested with".into(),
            Self::Expired { .. } | Self::ExpiresSoon { .. } => {
                "renew it; a changed file is taken over without a restart".into()
            }
            Self::NotYetValid { .. } => "wait, or look at this machine's clock".into(),
            Self::OutOfOrder { elsewhere: true, expected, .. } => {
                format!("each certificate vouches for the one before it: put `{expected}` here")
            }
            Self::OutOfOrder { expected, .. } => {
                format!(
                    "put the certificate of `{expected}` here, or remove what does not belong to the chain"
                )
            }
            Self::NoNames { .. } => {
                "clients look at subject alternative names alone: request it with them".into()
            }
            Self::WrongPurpose { purpose, .. } => {
                format!("request it with the extended key usage `{}`", purpose.name())
            }
            Self::SelfSigned { .. } => "have it signed by an authority that clients trust".into(),
            Self::NoAuthority { .. } => {
                "take the certificate of the authority (CA:TRUE), not one that it signed".into()
            }
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyMismatch { subject, .. } => {
                write!(formatter, "the key does not belong to the certificate of `{subject}`")
            }
            Self::Expired { line, subject, since } => {
                write!(
                    formatter,
                    "line {line}: the certificate of `{subject}` expired on {}: no client will accept it",
                    date(*since)
                )
            }
            Self::ExpiresSoon { line, subject, at, days } => {
                write!(
                    formatter,
                    "line {line}: the certificate of `{subject}` expires in {days} day{}, on {}",
                    if *days == 1 { "" } else { "s" },
                    date(*at)
                )
            }
            Self::NotYetValid { line, subject, from } => {
                write!(
                    formatter,
                    "line {line}: the certificate of `{subject}` is not valid before {}",
                    date(*from)
                )
            }
            Self::OutOfOrder { line, subject, expected, .. } => {
                write!(
                    formatter,
                    "line {line}: `{subject}` stands where its predecessor's issuer `{expected}` must stand"
                )
            }
            Self::NoNames { line, subject } => {
                write!(formatter, "line {line}: the certificate of `{subject}` has no DNS name or address")
            }
            Self::WrongPurpose { line, subject, purpose } => {
                let who = match purpose {
                    Purpose::Server => "clients",
                    Purpose::Client => "services",
                };
                write!(
                    formatter,
                    "line {line}: the certificate of `{subject}` is for other purposes than `{}`: {who} refuse it",
                    purpose.name()
                )
            }
            Self::SelfSigned { line, subject } => {
                write!(
                    formatter,
                    "line {line}: the certificate of `{subject}` is self-signed: clients do not trust it unless told to"
                )
            }
            Self::NoAuthority { line, subject } => {
                write!(
                    formatter,
                    "line {line}: the certificate of `{subject}` is not that of an authority: it vouches for itself alone"
                )
            }
        }
    }
}
