//! What the service is asked.

use super::unavailable;
use crate::asking::{Print, Printed, set_target, uri};
use crate::hygiene::{ReservedFields, overriding_methods};
use std::net::IpAddr;
use std::sync::LazyLock;
use torana_config::written::{AskMethod, ForwardAuthCacheConfig, RequestPart};
use torana_fault::{Fault, Reason};
use torana_filter::Exchange;
use torana_http::{Fields, Known, Method, RequestHead};
use torana_plan::reserved::ALWAYS;
use torana_plan::{ForwardAuthPlan, is_neutral};

/// Fields that are of no use in a question, or would make another one of it: those of the message itself,
/// conditions (an answer of 304 would say nothing), and what the gateway says in its own words.
const NAMES: [&str; 29] = [
    "Host",
    "Connection",
    "Keep-Alive",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Content-Length",
    "Content-Type",
    "Content-Encoding",
    "Expect",
    "Range",
    "If-Match",
    "If-None-Match",
    "If-Modified-Since",
    "If-Unmodified-Since",
    "If-Range",
    "Accept-Encoding",
    "Forwarded",
    "X-Real-IP",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Method",
    "X-Forwarded-Uri",
    "X-Forwarded-Server",
];

/// The same however they are written: a service may read `X_Forwarded_Uri` as the gateway's own.
static NEVER: LazyLock<ReservedFields> = LazyLock::new(|| ReservedFields::only(NAMES));

/// What is not shown either where all fields are: what says what was asked, over what and by whom, in the words of a proxy
/// that is trusted. A service that believes `X-Original-URI` before `X-Forwarded-Uri` would judge another request. What
/// such a proxy says of the caller is shown.
static UNNAMED: LazyLock<ReservedFields> = LazyLock::new(|| {
    let callers =
        ALWAYS.into_iter().chain(["X-Forwarded-Tls-Client-Cert", "X-Forwarded-Tls-Client-Cert-Info"]);
    let own = NAMES.into_iter().chain(["X-Original-Url", "X-Rewrite-Url"]);
    ReservedFields::only(own).and_of_the_way().sparing(callers)
});

/// The longest method that is asked about.
const LONGEST_METHOD: usize = 32;

/// The method that a field asks for instead of the request's, where such fields arrive.
///
/// # Errors
/// There are several, or it is none.
pub(super) fn method_instead(about: &RequestHead) -> Result<Option<String>, Fault> {
    let is_own = |method: &[u8]| method.is_empty() || method == about.method_bytes();
    let mut others = overriding_methods(&about.fields).filter(|method| !is_own(method));
    let Some(method) = others.next() else { return Ok(None) };
    if others.any(|other| other != method) {
        return Err(Fault::new(Reason::Forbidden).because("fields ask for several methods instead"));
    }
    let may_stand = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_method = method.len() <= LONGEST_METHOD && method.iter().all(may_stand);
    let method = String::from_utf8(method).ok().filter(|_| is_method);
    let none = || Fault::new(Reason::Forbidden).because("what a field asks for instead is no method");
    method.map(Some).ok_or_else(none)
}

/// The head of the question about a request.
pub(super) fn request(plan: &ForwardAuthPlan, exchange: &Exchange) -> Result<RequestHead, Fault> {
    let about = &exchange.request;
    let mut head = RequestHead::default();
    head.set_method(method(plan.method, about.method()));
    if !set_target(&mut head, &plan.asked.target, about) {
        return Err(unavailable("the target of the question is not valid"));
    }
    shown(plan, about, |name, value| Ok(head.fields.append(name, value)?))?;
    if plan.body.is_some() {
        for name in [Known::ContentType, Known::ContentEncoding] {
            if let Some(value) = about.fields.get(name) {
                head.fields.insert(name, value)?;
            }
        }
    }
    introduce(&mut head.fields, exchange)?;
    Ok(head)
}

fn method(written: AskMethod, own: Method) -> &'static str {
    match (written, own) {
        (AskMethod::Get, _) | (AskMethod::Original, Method::Get) => "GET",
        (AskMethod::Head, _) | (AskMethod::Original, Method::Head) => "HEAD",
        (AskMethod::Original, Method::Put) => "PUT",
        (AskMethod::Original, Method::Delete) => "DELETE",
        (AskMethod::Original, Method::Options) => "OPTIONS",
        (AskMethod::Original, Method::Patch) => "PATCH",
        (AskMethod::Post | AskMethod::Original, _) => "POST",
    }
}

/// Gives every field that is shown.
fn shown(
    plan: &ForwardAuthPlan,
    about: &RequestHead,
    mut each: impl FnMut(&str, &[u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    if plan.shows_all() {
        for (name, value) in about.fields.named() {
            let name = name.as_str();
            if !UNNAMED.contains(name.as_bytes()) {
                each(name, value)?;
            }
        }
        return Ok(());
    }
    for name in &plan.request_headers {
        if NEVER.contains(name.as_bytes()) {
            continue;
        }
        for value in about.fields.get_all(name.as_str()) {
            each(name, value)?;
        }
    }
    Ok(())
}

/// The fields by which it may know a caller, and those that it may set: what a client sends in them is not to be taken
/// for verified where it has not said so. Of all fields these are told by their names where all are shown.
pub(super) fn credential_fields(plan: &ForwardAuthPlan) -> Vec<String> {
    let well_known = [Known::Authorization.as_str(), "Proxy-Authorization"];
    let well_known = well_known.into_iter().filter(|_| plan.shows_all());
    let written = plan.request_headers.iter().chain(&plan.response_headers).map(String::as_str);
    let own = |name: &str| {
        let shared = name == "*" || name.eq_ignore_ascii_case(Known::Cookie.as_str());
        !(shared || is_neutral(name) || NEVER.contains(name.as_bytes()))
    };
    let mut names: Vec<String> =
        written.filter(|name| own(name)).chain(well_known).map(str::to_owned).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Says what the request is, in the words of the gateway alone.
fn introduce(fields: &mut Fields, exchange: &Exchange) -> Result<(), Fault> {
    let about = &exchange.request;
    fields.insert("X-Forwarded-Method", about.method_bytes())?;
    fields.insert(Known::XForwardedProto, scheme(exchange))?;
    // By which the route was found, and which the service gets: what a proxy says that the client asked for is another
    // one's word, and its permission would be for another route.
    fields.insert(Known::XForwardedHost, about.host())?;
    fields.insert("X-Forwarded-Uri", &uri(about))?;
    fields.insert(Known::XForwardedFor, exchange.client_address.to_string().as_bytes())?;
    Ok(())
}

fn scheme(exchange: &Exchange) -> &'static [u8] {
    if exchange.secure { b"https" } else { b"http" }
}

/// Whether the question shows something by which a caller could be known: any field but those that every client sends.
pub(super) fn shows_credentials(plan: &ForwardAuthPlan, exchange: &Exchange) -> bool {
    credentials(plan, &exchange.request, |_, _| true).is_some()
}

/// Whether all such fields that it shows are so; nothing where it shows none.
pub(super) fn credentials(
    plan: &ForwardAuthPlan,
    about: &RequestHead,
    is_so: impl Fn(&str, &[u8]) -> bool,
) -> Option<bool> {
    let mut all = None;
    let seen = shown(plan, about, |name, value| {
        if !(value.is_empty() || is_neutral(name)) {
            all = Some(all.unwrap_or(true) && is_so(name, value));
        }
        Ok(())
    });
    all.filter(|_| seen.is_ok())
}

/// What two requests must agree in to be one question.
pub(super) fn print(plan: &ForwardAuthPlan, cache: &ForwardAuthCacheConfig, exchange: &Exchange) -> Printed {
    let about = &exchange.request;
    let mut print = Print::new();
    // An answer names a consumer of those that were known then.
    print.part(&plan.consumers.generation().to_le_bytes());
    for part in &cache.request {
        match part {
            RequestPart::Method => print.part(about.method_bytes()),
            RequestPart::Scheme => print.part(scheme(exchange)),
            RequestPart::Host => print.part(about.host()),
            RequestPart::Path => print.part(about.path()),
            RequestPart::Query => print.parts(about.query().into_iter()),
            RequestPart::Address => print.part(&octets(exchange.client_address)),
        }
    }
    match &cache.headers {
        Some(names) => {
            for name in names {
                print.parts(about.fields.get_all(name.as_str()));
            }
        }
        None => {
            let _ = shown(plan, about, |name, value| {
                print.part(name.to_ascii_lowercase().as_bytes());
                print.part(value);
                Ok(())
            });
        }
    }
    // An answer about one body says nothing of another, nor of one that is read otherwise.
    if plan.body.is_some() {
        for name in [Known::ContentType, Known::ContentEncoding] {
            print.parts(about.fields.get_all(name));
        }
        print.parts(exchange.body.as_deref().into_iter());
    }
    print.end()
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(four) => four.to_ipv6_mapped().octets(),
        IpAddr::V6(six) => six.octets(),
    }
}
