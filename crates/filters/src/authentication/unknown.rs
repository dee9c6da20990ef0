//! What a caller is told who is nobody, where somebody is asked for: nothing has said who calls, or the caller is only
//! taken for somebody.

use std::borrow::Cow;
use torana_fault::{Fault, Reason};
use torana_filter::Exchange;

/// How a caller becomes known: as the ways say that have refused this one (a challenge, or where to log in), else a
/// plain challenge. The log learns why it matters.
pub(crate) fn not_known(exchange: &Exchange, detail: impl Into<Cow<'static, str>>) -> Fault {
    let tells_how = |fault: &&Fault| {
        let how = |name: &str| name.eq_ignore_ascii_case("WWW-Authenticate") || name == "Location";
        fault.fields().iter().any(|(name, _)| how(name))
    };
    match exchange.unknown.as_ref().filter(tells_how) {
        Some(fault) => fault.clone().because(detail),
        None => {
            let fault = Fault::new(Reason::CredentialsMissing).because(detail);
            fault.with_field("WWW-Authenticate", "Bearer".into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_ways_have_said_is_told_if_it_helps() {
        let said = |name, value: &str| Fault::new(Reason::CredentialsInvalid).with_field(name, value.into());
        for (unknown, expected) in [
            (None, ("WWW-Authenticate", "Bearer")),
            (Some(Fault::new(Reason::Forbidden)), ("WWW-Authenticate", "Bearer")),
            (Some(said("WWW-Authenticate", "Basic")), ("WWW-Authenticate", "Basic")),
            (Some(said("Location", "/login")), ("Location", "/login")),
        ] {
            let exchange = Exchange { unknown, ..Exchange::default() };
            let told = not_known(&exchange, "why");
            assert_eq!((told.detail(), told.fields()), (Some("why"), &[(expected.0, expected.1.into())][..]));
        }
    }
}
