//! Why no TLS connection came about: a stable word to count by, and a sentence for the log.

use super::stream::HandshakeError;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};
use std::fmt;

macro_rules! failures {
    ($( $(#[$doc:meta])* $name:ident, $label:literal; )+) => {
        /// The kinds of failure, each with a stable label.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum HandshakeFailure {
            $( $(#[$doc])* $name, )+
        }

        impl HandshakeFailure {
            /// Every kind, in the order of [`HandshakeFailure::index`].
            pub const ALL: &'static [Self] = &[ $( Self::$name, )+ ];
            /// Every label, in the same order.
            pub const LABELS: &'static [&'static str] = &[ $( $label, )+ ];

            /// The label in metrics and logs.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $( Self::$name => $label, )+ }
            }

            /// A dense number from zero, for arrays of counters.
            #[must_use]
            pub const fn index(self) -> usize {
                self as usize
            }
        }
    };
}

failures! {
    /// It took longer than allowed.
    Timeout, "timeout";
    /// The peer closed or reset the connection.
    Closed, "closed";
    /// What came is no TLS.
    NotTls, "not_tls";
    /// No version that both speak.
    Version, "version";
    /// No cipher suite, group or signature that both have.
    NoCommonParameters, "no_common_parameters";
    /// No application protocol that both speak.
    NoCommonProtocol, "no_common_protocol";
    /// The client shows no certificate where one is required.
    CertificateMissing, "certificate_missing";
    /// The peer's certificate is past its end.
    CertificateExpired, "certificate_expired";
    /// The peer's certificate is not valid yet.
    CertificateNotYetValid, "certificate_not_yet_valid";
    /// The peer's certificate leads to no issuer that is trusted.
    CertificateUnknownIssuer, "certificate_unknown_issuer";
    /// The peer's certificate is for another name.
    CertificateWrongName, "certificate_wrong_name";
    /// The peer's certificate is wrong in another way.
    CertificateInvalid, "certificate_invalid";
    /// The peer refused, with an alert: it does not trust our certificate, for example.
    RefusedByPeer, "refused_by_peer";
    /// A trusted proxy did not begin with a valid PROXY header, or somebody else did.
    ProxyHeader, "proxy_header";
    /// The client's address has as many connections as it may.
    Crowded, "crowded";
    /// The peer breaks the protocol.
    Protocol, "protocol";
}

impl fmt::Display for HandshakeFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.failure.label(), self.detail)
    }
}

/// A failure with its details.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeFault {
    /// What to count it as.
    pub failure: HandshakeFailure,
    /// What exactly happened, for the log.
    pub detail: String,
}

impl HandshakeFault {
    pub(crate) fn new(failure: HandshakeFailure, detail: impl Into<String>) -> Self {
        Self { failure, detail: detail.into() }
    }

    /// The fault that an alert is by which a peer refuses the certificate that it was shown, or that it was shown none. Whoever
    /// sends one has not ended its handshake.
    pub(super) fn of_our_certificate(error: Error) -> Option<Self> {
        let Error::AlertReceived(
            AlertDescription::NoCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError
            | AlertDescription::CertificateRequired,
        ) = error
        else {
            return None;
        };
        Some(HandshakeError::Tls(error).into())
    }
}

impl From<HandshakeError> for HandshakeFault {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::Closed => {
                Self::new(HandshakeFailure::Closed, "the peer closed the connection within the handshake")
            }
            HandshakeError::Socket(error) => Self::new(HandshakeFailure::Closed, error.to_string()),
            HandshakeError::Tls(error) => Self::new(kind(&error), error.to_string()),
        }
    }
}

fn kind(error: &Error) -> HandshakeFailure {
    match error {
        Error::InvalidCertificate(error) => certificate(error),
        Error::NoCertificatesPresented => HandshakeFailure::CertificateMissing,
        Error::PeerIncompatible(PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon)
        | Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon)
        | Error::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon)
        | Error::PeerIncompatible(PeerIncompatible::NoSignatureSchemesInCommon) => {
            HandshakeFailure::NoCommonParameters
        }
        Error::PeerIncompatible(
            PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::Tls13RequiredForQuic
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => HandshakeFailure::Version,
        Error::PeerIncompatible(_) => HandshakeFailure::NoCommonParameters,
        Error::NoApplicationProtocol | Error::AlertReceived(AlertDescription::NoApplicationProtocol) => {
            HandshakeFailure::NoCommonProtocol
        }
        Error::AlertReceived(AlertDescription::ProtocolVersion) => HandshakeFailure::Version,
        Error::AlertReceived(AlertDescription::CloseNotify) => HandshakeFailure::Closed,
        Error::AlertReceived(_) => HandshakeFailure::RefusedByPeer,
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => HandshakeFailure::NotTls,
        _ => HandshakeFailure::Protocol,
    }
}

fn certificate(error: &CertificateError) -> HandshakeFailure {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            HandshakeFailure::CertificateExpired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            HandshakeFailure::CertificateNotYetValid
        }
        CertificateError::UnknownIssuer => HandshakeFailure::CertificateUnknownIssuer,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            HandshakeFailure::CertificateWrongName
        }
        _ => HandshakeFailure::CertificateInvalid,
    }
}
