//! Which fields no header table may remember (RFC 7541 section 7.1.3).

use crate::name::{Known, Name};

/// How names of fields end that hold keys, tokens and what is proved by them: `apikey`, `x-api-key`, `x-auth-token`,
/// `x-csrf-token`, `x-amz-security-token`, `x-goog-iap-jwt-assertion`. One more, such as `idempotency-key`, costs its
/// bytes on every request and nothing else.
const ENDINGS: [&[u8]; 7] = [b"key", b"token", b"secret", b"password", b"signature", b"assertion", b"jwt"];
/// How names of fields begin that say who calls.
const CALLER: &[u8] = b"x-consumer-";

/// Whether a field holds a credential, or says who calls.
///
/// It is sent "never indexed" (RFC 7541 section 6.2.3): clients share a connection to a service and the table of its
/// compression, and whoever can see how long requests are could try values until one is as short as an entry. What was
/// received like that is not known any more, so it is told by the name.
#[must_use]
pub fn is_secret(name: Name<'_>) -> bool {
    match name {
        Name::Known(known) => matches!(
            known,
            Known::Authorization
                | Known::ProxyAuthorization
                | Known::ProxyAuthenticationInfo
                | Known::Cookie
                | Known::SetCookie
                | Known::XConsumerId
                | Known::XConsumerCustomId
                | Known::XConsumerUsername
                | Known::XCredentialIdentifier
        ),
        Name::Other(name) => {
            let name = name.as_bytes();
            let ends = |ending: &&[u8]| {
                // None where it is shorter.
                let tail = name.get(name.len().wrapping_sub(ending.len())..);
                tail.is_some_and(|tail| tail.eq_ignore_ascii_case(ending))
            };
            name.get(..CALLER.len()).is_some_and(|start| start.eq_ignore_ascii_case(CALLER))
                || ENDINGS.iter().any(ends)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_callers_are_secret_however_their_names_are_written() {
        for name in [
            "Authorization",
            "proxy-authorization",
            "COOKIE",
            "set-cookie",
            "apikey",
            "X-API-Key",
            "Ocp-Apim-Subscription-Key",
            "x-csrf-token",
            "X-Amz-Security-Token",
            "X-Consumer-Username",
            "x-consumer-groups",
            "X-Credential-Identifier",
            "x-hub-signature",
        ] {
            assert!(is_secret(Name::from(name)), "{name}");
        }
        for name in ["Host", "Accept", "ETag", "traceparent", "x-a", "ey", "x-consumer", "x-tokens", "x-keys"]
        {
            assert!(!is_secret(Name::from(name)), "{name}");
        }
    }
}
