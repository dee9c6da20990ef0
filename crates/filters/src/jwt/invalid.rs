//! Why a token is not accepted, for the log.

use torana_credential::jose::Malformed;

impl Invalid {
    /// Whether it could have been a good one: of a known issuer or key, but for the signature.
    pub(super) const fn is_guess(&self) -> bool {
        matches!(self, Self::Signature | Self::Algorithm)
    }

    /// Whether its signature is right: whoever has it was given it by who signs, and has guessed nothing.
    pub(super) const fn is_signed(&self) -> bool {
        matches!(
            self,
            Self::Payload(_)
                | Self::OtherIssuer
                | Self::Audience
                | Self::ClaimMissing(_)
                | Self::Time(_)
                | Self::Expired
                | Self::TooEarly
                | Self::IssuedLater
                | Self::TooLong
                | Self::Consumer(_)
        )
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Invalid {
    #[error("no token")]
    Missing,
    #[error("more than one token")]
    Repeated,
    #[error("{0}")]
    Malformed(Malformed),
    #[error("the token's type is not accepted")]
    Type,
    #[error("no issuer is trusted that the token could be from")]
    Issuer,
    #[error("neither a claim nor the header says by `{0}` whose key it is")]
    KeyName(String),
    #[error("no consumer has the key that the token names")]
    NoSuchKey,
    #[error("the token's algorithm is not that of the consumer's key")]
    Algorithm,
    #[error("no key of the issuer fits the token")]
    UnknownKey,
    #[error("the signature is wrong")]
    Signature,
    #[error("{0}")]
    Payload(Malformed),
    #[error("the token names another issuer than the one whose keys it is signed with")]
    OtherIssuer,
    #[error("the token is meant for somebody else")]
    Audience,
    #[error("the claim `{0}` is missing")]
    ClaimMissing(String),
    #[error("the claim `{0}` is not a point in time")]
    Time(&'static str),
    #[error("the token expired")]
    Expired,
    #[error("the token is not valid yet")]
    TooEarly,
    #[error("the token was issued in the future")]
    IssuedLater,
    #[error("the token is good for longer than it may be")]
    TooLong,
    #[error("the claim `{0}` does not say who calls")]
    Consumer(String),
    #[error("the keys of the issuer were never fetched: {0}")]
    KeysUnavailable(String),
    #[error(
        "the keys of the issuer that are known do not fit the token, and newer ones cannot be fetched: {0}"
    )]
    KeysOutdated(String),
}
