//! Where the token of a request stands. One request with two different tokens would let two readers take
//! different ones, so it is refused; the same token twice is fine.

use super::invalid::Invalid;
use crate::authentication::locations::{
    alike_cookies, alike_in, is_another, remove_cookies, remove_parameter, shown_by, shown_in,
};
use crate::authentication::unverified::Looks;
use std::borrow::Cow;
use torana_config::written::TokenSourcesConfig;
use torana_http::{Known, RequestHead, cookie};

/// Where it was found: everywhere that it is looked for, it is taken out again if at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found;

/// All the places where it may stand.
pub(crate) fn looks(from: &TokenSourcesConfig) -> Looks<'_> {
    let TokenSourcesConfig { headers, cookies, query } = from;
    Looks { headers, scheme: Some("Bearer"), cookies, query, ..Looks::default() }
}

/// Finds the token.
pub(crate) fn find<'r>(
    request: &'r RequestHead,
    from: &'r TokenSourcesConfig,
) -> Result<(Cow<'r, [u8]>, Found), Invalid> {
    let mut token: Option<Cow<'r, [u8]>> = None;
    let mut note = |candidate: Cow<'r, [u8]>| match &token {
        _ if candidate.is_empty() => Ok(()),
        Some(known) if **known == *candidate => Ok(()),
        Some(_) => Err(Invalid::Repeated),
        None => {
            token = Some(candidate);
            Ok(())
        }
    };
    for name in &from.headers {
        let is_authorization = name.eq_ignore_ascii_case(Known::Authorization.as_str());
        let mut values = request.fields.get_all(name.as_str());
        let Some(value) = values.next() else { continue };
        if values.next().is_some() {
            return Err(Invalid::Repeated);
        }
        match bearer(value) {
            Some(token) => note(Cow::Borrowed(token))?,
            None if !is_authorization => note(Cow::Borrowed(value.trim_ascii()))?,
            None => {}
        }
    }
    for name in &from.cookies {
        cookie::values(&request.fields, name.as_bytes()).try_for_each(|value| note(Cow::Borrowed(value)))?;
    }
    for name in &from.query {
        shown_in(request.query().unwrap_or_default(), name).try_for_each(&mut note)?;
    }
    let token = token.ok_or(Invalid::Missing)?;
    let query = request.query().unwrap_or_default();
    let mut cookies = from.cookies.iter().flat_map(|name| alike_cookies(&request.fields, name));
    if from.query.iter().flat_map(|name| alike_in(query, name)).any(|value| is_another(&value, &token))
        || cookies.any(|value| is_another(value, &token))
    {
        return Err(Invalid::Repeated);
    }
    Ok((token, Found))
}

/// The token after the scheme `Bearer`, whose case does not matter (RFC 9110 section 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    shown_by(value, "Bearer")
}

/// Takes the token out, wherever it may stand.
pub(crate) fn remove(request: &mut RequestHead, from: &TokenSourcesConfig, _: Found) {
    for name in &from.headers {
        let is_authorization = name.eq_ignore_ascii_case(Known::Authorization.as_str());
        if !is_authorization || request.fields.get(name.as_str()).and_then(bearer).is_some() {
            request.fields.remove(name.as_str());
        }
    }
    for name in &from.cookies {
        remove_cookies(&mut request.fields, name);
    }
    for name in &from.query {
        remove_parameter(request, name);
    }
}
