//! A request, as far as kept answers are concerned.

use super::Stale;
use crate::upstream::Upstream;
use std::sync::atomic::Ordering;
use std::time::Duration;
use torana_cache::{Directives, Mark, Received, Standing, resolve, shows_somebody};
use torana_filter::{Exchange, Response};
use torana_filters::overriding_methods;
use torana_http::h1::BodyFraming;
use torana_http::{FieldName, Fields, Known, Method};
use torana_plan::reserved::GROUP_FIELDS;
use torana_transport::nanos_since_start;

/// What stands for the scheme among the fields of a request.
const SCHEME: &str = ":scheme";

/// What services make links of, beside the authority: an answer always depends on it.
pub(super) const ALWAYS: [&str; 5] =
    [SCHEME, "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-prefix"];

/// What a request wants of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// An answer that may be kept, and given.
    Get,
    /// The head of such.
    Head,
    /// A change: an unsafe method (RFC 9110 section 9.2.1), or a field that may ask for one.
    Change,
}

/// A request of a service whose answers are kept.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(super) stale: &'a Stale,
    /// Authority, path and query as the service sees them; the authority is the client's.
    pub(super) url: Vec<u8>,
    pub(super) mark: Mark,
    pub(super) wants: Wants,
    pub(super) secure: bool,
    /// Whether it shows who calls.
    pub(super) shows_somebody: bool,
    /// Whether it lets its answer be kept.
    pub(super) may_be_kept: bool,
    may_be_given: bool,
    asked: Duration,
    unix_seconds: u64,
}

impl<'a> Question<'a> {
    /// What a request asks, once filters have seen it and its path is the service's; nothing where that has no bearing
    /// on what is kept.
    pub(crate) fn of(upstream: &'a Upstream, exchange: &Exchange) -> Option<Box<Self>> {
        let stale = upstream.breaker.as_ref()?.stale.as_deref()?;
        let request = &exchange.request;
        if upstream.upgrade_for(request).is_some() {
            return None;
        }
        let overridden = overriding_methods(&request.fields).any(|method| !method.is_empty());
        let wants = match request.method() {
            Method::Options | Method::Trace | Method::Connect => return None,
            Method::Get if !overridden => Wants::Get,
            Method::Head if !overridden => Wants::Head,
            _ => Wants::Change,
        };
        let said = Directives::read(request.fields.get_all(Known::CacheControl));
        let bodiless = matches!(request.framing, BodyFraming::None | BodyFraming::Length(0));
        // These are the service's to judge.
        let conditional =
            request.fields.contains(Known::IfMatch) || request.fields.contains(Known::IfUnmodifiedSince);
        let url = url(request.host(), &[request.path()], request.query());
        Some(Box::new(Self {
            mark: stale.cache.mark(&url),
            stale,
            url,
            wants,
            secure: exchange.secure,
            shows_somebody: shows(exchange, &stale.credentials),
            may_be_kept: bodiless && !said.no_store,
            may_be_given: wants != Wants::Change && bodiless && !said.no_cache && !conditional,
            asked: Duration::from_nanos(nanos_since_start()),
            unix_seconds: exchange.moment.unix_seconds,
        }))
    }

    /// The answer that may be given now, and how it stands.
    pub(crate) fn answer(&self, exchange: &Exchange) -> Option<(Response, Standing)> {
        if !self.may_be_given {
            return None;
        }
        let now = Duration::from_nanos(nanos_since_start());
        let request = self.seen(&exchange.request.fields);
        let (kept, standing) = self.stale.cache.find(&self.url, &request, self.shows_somebody, now)?;
        // Its fields were fields when they were kept.
        let response = kept.response(&standing).ok()?;
        self.stale.given.fetch_add(1, Ordering::Relaxed);
        Some((response, standing))
    }

    /// When its answer came, if that is now.
    pub(super) fn received(&self) -> Received {
        let delay = Duration::from_nanos(nanos_since_start()).saturating_sub(self.asked);
        Received { asked: self.asked, delay, unix_seconds: self.unix_seconds.saturating_add(delay.as_secs()) }
    }

    /// The request's fields as an answer may depend on them.
    pub(super) const fn seen<'f>(&self, fields: &'f Fields) -> Seen<'f> {
        Seen { fields, secure: self.secure }
    }

    /// Something was changed: its URL, and those of the same service that the answer names, are forgotten
    /// (RFC 9111 section 4.4).
    pub(super) fn forget(&self, exchange: &Exchange, answer: &Fields) {
        self.stale.cache.forget(&self.url);
        let request = &exchange.request;
        let host = request.fields.get(Known::Host).unwrap_or_default();
        let is_own = |authority: &[u8]| {
            authority.eq_ignore_ascii_case(request.host()) || authority.eq_ignore_ascii_case(host)
        };
        let location = answer.get_all(Known::Location);
        for named in location.chain(answer.get_all("Content-Location")) {
            if let Some(target) = resolve(request.path(), named, is_own) {
                self.stale.cache.forget(&url(request.host(), &[&target], None));
            }
        }
    }
}

/// Neither an authority nor a target has a zero byte.
fn url(authority: &[u8], target: &[&[u8]], query: Option<&[u8]>) -> Vec<u8> {
    let query = query.map_or([&b""[..], b""], |query| [b"?", query]);
    [&[authority, b"\0"], target, &query].concat().concat()
}

/// Whether a request shows who calls: to the gateway, on whichever route, or by what a service may know callers by. Also
/// what was removed since counts. Whoever passes as the anonymous consumer is nobody.
fn shows(exchange: &Exchange, credentials: &[FieldName]) -> bool {
    let fields = &exchange.request.fields;
    let known = [Known::Authorization, Known::ProxyAuthorization, Known::Cookie];
    let is_told = |name: &[u8]| GROUP_FIELDS.iter().any(|group| name.eq_ignore_ascii_case(group.as_bytes()));
    exchange.identity.as_ref().is_some_and(|identity| !identity.anonymous)
        || exchange.client_certificate.is_some()
        || known.into_iter().any(|name| fields.get_all_ever(name).next().is_some())
        || credentials.iter().any(|name| fields.get_all_ever(name).next().is_some())
        // What groups somebody has says the gateway, and it was asked above; where a proxy may, they are among `credentials`.
        || fields.others().any(|(name, _)| shows_somebody(name) && !is_told(name))
}

/// A request's fields as an answer may depend on them: with the scheme, and without `Host`, which is in the URL.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'f> {
    fields: &'f Fields,
    secure: bool,
}

impl torana_cache::Fields for Seen<'_> {
    fn values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s [u8]> {
        let scheme = (name == SCHEME).then_some(if self.secure { &b"https"[..] } else { b"http" });
        let others = self.fields.get_all(name).filter(move |_| !name.eq_ignore_ascii_case("host"));
        scheme.into_iter().chain(others)
    }
}

/// An answer's fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered<'f>(pub(super) &'f Fields);

impl torana_cache::Fields for Answered<'_> {
    fn values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s [u8]> {
        self.0.get_all(name)
    }
}
