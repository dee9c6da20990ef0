//! What was shown to ways that have not accepted it. A service behind the gateway takes a credential that
//! arrives for one that was verified, so of these nothing arrives, whatever a way does with its own.

use super::locations::{remove_cookies, remove_parameter, scheme};
use super::method::Method;
use std::sync::Arc;
use torana_filter::Exchange;
use torana_http::{Known, RequestHead};
use torana_route::is_alike_parameter;

/// The scheme of user names and passwords.
pub(crate) const BASIC: &str = "Basic";

/// Where a way looks for what callers show.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Looks<'m> {
    /// Fields.
    pub(crate) headers: &'m [String],
    /// Fields that are always the same.
    pub(crate) fixed: &'static [&'static str],
    /// The one scheme that it reads in `Authorization`, in whatever case; everything there is its own when `None`.
    pub(crate) scheme: Option<&'static str>,
    /// Cookies.
    pub(crate) cookies: &'m [String],
    /// Parameters.
    pub(crate) query: &'m [String],
    /// Parameters that are always the same.
    pub(crate) parameters: &'static [&'static str],
}

impl Looks<'_> {
    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(String::as_str).chain(self.fixed.iter().copied())
    }

    /// Parameters, those that are always the same too.
    pub(super) fn all_parameters(&self) -> impl Iterator<Item = &str> {
        self.query.iter().map(String::as_str).chain(self.parameters.iter().copied())
    }

    /// Whether it reads this value of the field.
    pub(super) fn reads(&self, name: &str, value: &[u8]) -> bool {
        let known = self.fields().any(|own| own.eq_ignore_ascii_case(name));
        known && (!is_authorization(name) || self.scheme.is_none_or(|scheme| has_scheme(value, scheme)))
    }
}

fn is_authorization(name: &str) -> bool {
    name.eq_ignore_ascii_case(Known::Authorization.as_str())
}

/// Whether credentials are of the scheme, whatever stands behind it: services take other bytes than a space too.
fn has_scheme(value: &[u8], wanted: &str) -> bool {
    let own = scheme(value).0;
    // A password is read also where nothing stands before it, by Kong for one.
    let own = if wanted == BASIC { own.get(..wanted.len()).unwrap_or(own) } else { own };
    own.eq_ignore_ascii_case(wanted.as_bytes())
}

/// Takes out what `way` would have looked at, but not what those that have `accepted` the caller have verified or set.
pub(super) fn remove(exchange: &mut Exchange, way: &Method, accepted: &[Arc<Method>]) {
    remove_from_head(&mut exchange.request, way, accepted);
    if let Method::KeyAuth(keys) = way {
        keys.hide_in_body(exchange);
    }
}

fn remove_from_head(request: &mut RequestHead, way: &Method, accepted: &[Arc<Method>]) {
    let looks = way.looks();
    let sets = |name: &str| accepted.iter().any(|way| way.answers_for(name));
    for name in looks.fields() {
        let verified = |value: &[u8]| sets(name) || accepted.iter().any(|way| way.looks().reads(name, value));
        let mut values = request.fields.get_all(name);
        if values.any(|value| looks.reads(name, value) && !verified(value)) {
            drop(values);
            request.fields.remove(name);
        }
    }
    let cookies_verified = sets(Known::Cookie.as_str());
    let alike = |known: &String, name: &str| is_alike_parameter(known.as_bytes(), name);
    let is_own =
        |name: &str| accepted.iter().any(|way| way.looks().cookies.iter().any(|known| alike(known, name)));
    for name in looks.cookies.iter().filter(|name| !cookies_verified && !is_own(name)) {
        remove_cookies(&mut request.fields, name);
    }
    if request.query().is_none() {
        return;
    }
    for name in looks.all_parameters() {
        let is_own = |known: &str| is_alike_parameter(known.as_bytes(), name);
        if !accepted.iter().any(|way| way.looks().all_parameters().any(is_own)) {
            remove_parameter(request, name);
        }
    }
}
