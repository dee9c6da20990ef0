//! Which of several refusals a caller is told.

use crate::oidc_login::browser::opens_a_page;
use torana_fault::{Fault, Reason};
use torana_http::RequestHead;

/// How much a refusal says: that somebody may log in says more than that a token is wrong or over, or a browser would
/// be locked out by it. That something could not be decided says most: the other way might have been the caller's.
pub(super) fn weight(fault: &Fault) -> u8 {
    match fault.reason {
        _ if leads_to_login(fault) => 2,
        Reason::CredentialsMissing => 0,
        Reason::CredentialsInvalid | Reason::CredentialsExpired => 1,
        _ => 3,
    }
}

/// As [`weight`], where the asked service's own words are the answer: those may send a browser to log in too.
pub(super) fn weight_of_answer(fault: &Fault, request: &RequestHead) -> u8 {
    let sends_on = matches!(fault.status(), 300..=399);
    if sends_on && weight(fault) < 2 && opens_a_page(request) { 2 } else { weight(fault) }
}

/// Whether a refusal sends a browser to log in. Only who opens a page gets such a one.
fn leads_to_login(fault: &Fault) -> bool {
    fault.status() == 302 && fault.fields().iter().any(|(name, _)| name.eq_ignore_ascii_case("Location"))
}

/// Of two refusals the one that says more, with the challenges of both.
pub(super) fn joined(before: Fault, after: Fault) -> Fault {
    let later = weight(&after) > weight(&before);
    let (mut told, other) = if later { (after, before) } else { (before, after) };
    if told.status() == 401 {
        let challenges =
            other.fields().iter().filter(|(name, _)| name.eq_ignore_ascii_case("WWW-Authenticate"));
        for (name, value) in challenges {
            if !told.fields().iter().any(|(_, known)| known == value) {
                told = told.with_field(name, value.clone());
            }
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_challenges_are_joined_and_a_login_says_more_than_a_bad_token() {
        let login = |reason| {
            let fault = Fault::new(reason).with_status(302).with_field("Location", "/login".into());
            fault.with_field("Set-Cookie", "state=1".into())
        };
        let bearer = |reason| Fault::new(reason).with_field("WWW-Authenticate", "Bearer".into());
        for (reason, status) in [
            (Reason::CredentialsMissing, 302),
            (Reason::CredentialsInvalid, 302),
            (Reason::CredentialsExpired, 302),
            (Reason::AuthenticationLimited, 429),
            (Reason::KeysUnavailable, 503),
        ] {
            for login_reason in [Reason::CredentialsMissing, Reason::CredentialsExpired] {
                for told in
                    [joined(bearer(reason), login(login_reason)), joined(login(login_reason), bearer(reason))]
                {
                    assert_eq!(told.status(), status, "{reason:?}");
                    let names: Vec<&str> = told.fields().iter().map(|(name, _)| *name).collect();
                    let expected =
                        if status == 302 { &["Location", "Set-Cookie"][..] } else { &["WWW-Authenticate"] };
                    assert_eq!(names, expected, "{reason:?}");
                }
            }
        }
        // A login that could not begin is no login.
        let other = Fault::new(Reason::CredentialsMissing).with_field("Set-Cookie", "a=1".into());
        let told =
            joined(bearer(Reason::CredentialsExpired), other.with_field("WWW-Authenticate", "Cookie".into()));
        let names: Vec<&str> = told.fields().iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["WWW-Authenticate", "WWW-Authenticate"]);
    }
}
