//! Fields that are named: what the asked service may be shown, and what it may say to whom.

use torana_config::written::ForwardAuthConfig;
use torana_config::{Document, Finding, Path};

use crate::reserved::{CONSUMER_FIELDS, GROUP_FIELDS, is_alike};
use crate::text;

/// Fields of answers that are not of whoever was asked: they tell of the connection, of the body that the service behind
/// the route sends, or are what the gateway itself writes.
const NOT_FOR_CLIENTS: [&str; 19] = [
    "Accept-Ranges",
    "Age",
    "Alt-Svc",
    "Cache-Control",
    "Content-Encoding",
    "Content-Language",
    "Content-Location",
    "Content-Range",
    "Content-Type",
    "Date",
    "ETag",
    "Expires",
    "Last-Modified",
    "Location",
    "Proxy-Authenticate",
    "Proxy-Authentication-Info",
    "Server",
    "Vary",
    "Via",
];

/// What fields for pages' scripts of other sites begin with, in lower case: `cors` decides.
const CORS: &str = "access-control-";

/// Reports names that no field has, and fields that are not the asked service's to give.
pub(super) fn check(
    document: &Document,
    path: &Path,
    config: &ForwardAuthConfig,
    findings: &mut Vec<Finding>,
) {
    let lists = [
        ("request_headers", &config.request_headers),
        ("response_headers", &config.response_headers),
        ("client_headers", &config.client_headers),
        ("refusal_headers", &config.refusal_headers),
    ];
    for (key, names) in lists {
        for (index, name) in names.iter().enumerate() {
            let place = path.key(key).index(index);
            if name != "*" {
                text::field_name(document, &place, name, findings);
            } else if key != "request_headers" {
                let who = if key == "response_headers" { "the service believes" } else { "clients believe" };
                let message = format!("fields of an answer are named one by one: {who} them");
                findings.push(Finding::error("bad-name", message).at(document.span_at(&place)));
            }
        }
    }
    for (index, name) in config.response_headers.iter().enumerate() {
        if is_alike(name, "Set-Cookie") {
            let message = "a service has no use for `Set-Cookie`: it would receive the caller's live session";
            let place = document.span_at(&path.key("response_headers").index(index));
            let help = "write it under `client_headers`, where it is by default";
            findings.push(Finding::error("reserved-field", message).at(place).help(help));
        }
    }
    let request_id = document.config().request_id.header.on();
    for (index, name) in config.client_headers.iter().enumerate() {
        let is_own = NOT_FOR_CLIENTS
            .into_iter()
            .chain(CONSUMER_FIELDS)
            .chain(GROUP_FIELDS)
            .chain(request_id.map(String::as_str))
            .any(|own| own.eq_ignore_ascii_case(name));
        if is_own || name.to_ascii_lowercase().starts_with(CORS) {
            let message = format!("`{name}` is the gateway's or the service's own, not of who is asked");
            let place = document.span_at(&path.key("client_headers").index(index));
            findings.push(Finding::error("reserved-field", message).at(place).help("choose another name"));
        }
    }
    let identity = &config.identity;
    let place = path.key("identity");
    let named = [("consumer", &identity.consumer), ("roles", &identity.roles), ("groups", &identity.groups)];
    for (key, name) in named {
        if let Some(name) = name {
            text::token(document, &place.key(key), name, "the name of a field", findings);
        }
    }
    for (claim, name) in &identity.claims {
        let place = place.key("claims").key(claim);
        text::token(document, &place, name, "the name of a field", findings);
    }
}
