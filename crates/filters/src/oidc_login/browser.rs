//! What the request says of the browser: whether a page is being opened, and how the gateway is reached.

use torana_filter::Exchange;
use torana_http::{Known, Method, RequestHead};
use torana_plan::OidcLoginPlan;

/// The longest place that is come back to, in bytes as it is written for sealing; the cookie has to fit a request.
const LONGEST: usize = 512;

/// Whether a person is opening a page, which may be sent to log in. What a page's scripts ask for, and what
/// programs ask for, may not: they would take the provider's page for the answer.
pub(crate) fn opens_a_page(request: &RequestHead) -> bool {
    if request.method() != Method::Get {
        return false;
    }
    let field = |name: &'static str| request.fields.get_str(name);
    if field("X-Requested-With").is_some() || field("Sec-Purpose").is_some() {
        return false;
    }
    match field("Sec-Fetch-Mode") {
        Some(mode) => mode == "navigate",
        None => request.fields.get_str(Known::Accept).is_some_and(|accept| accept.contains("text/html")),
    }
}

/// `scheme://host` as browsers know the gateway.
pub(super) fn origin(plan: &OidcLoginPlan, exchange: &Exchange) -> Option<String> {
    if let Some(url) = &plan.external_url {
        return Some(url.clone());
    }
    let host = std::str::from_utf8(exchange.request.host()).ok().filter(|host| !host.is_empty())?;
    Some(format!("{}://{host}", if exchange.secure { "https" } else { "http" }))
}

/// The path and query that were asked for. They are put behind the gateway's own origin, so they lead nowhere
/// else, whatever stands in them.
pub(super) fn place(request: &RequestHead) -> String {
    let mut whole = request.path().to_vec();
    if let Some(query) = request.query() {
        whole.push(b'?');
        whole.extend_from_slice(query);
    }
    match String::from_utf8(whole) {
        Ok(place) if place.starts_with('/') && written(&place) <= LONGEST => place,
        _ => "/".into(),
    }
}

/// How long it is as JSON, where a quotation mark counts twice and a control character six times.
fn written(place: &str) -> usize {
    serde_json::to_string(place).map_or(usize::MAX, |text| text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_bounded_as_it_is_written() {
        let long = |piece: &str, count: usize| {
            let mut head = RequestHead::default();
            assert!(head.set_path(b"/") && head.set_query(Some(piece.repeat(count).as_bytes())));
            place(&head)
        };
        assert_eq!(long("x", 508), format!("/?{}", "x".repeat(508)));
        assert_eq!(long("x", 509), "/");
        assert_eq!(long("\"", 254), format!("/?{}", "\"".repeat(254)));
        assert_eq!(long("\"", 255), "/");
    }

    fn request(fields: &[(&'static str, &str)]) -> RequestHead {
        let mut head = RequestHead::default();
        fields.iter().for_each(|(name, value)| head.fields.append(*name, value.as_bytes()).unwrap());
        head
    }

    #[test]
    fn only_who_opens_a_page_is_sent_to_log_in() {
        let page = [("Accept", "text/html,*/*;q=0.8"), ("Sec-Fetch-Mode", "navigate")];
        assert!(opens_a_page(&request(&page)));
        assert!(opens_a_page(&request(&page[..1])));
        for fields in [
            &[][..],
            &[("Accept", "*/*")],
            &[("Accept", "application/json")],
            &[("Accept", "text/html"), ("Sec-Fetch-Mode", "cors")],
            &[("Accept", "text/html"), ("X-Requested-With", "XMLHttpRequest")],
            &[("Sec-Fetch-Mode", "navigate"), ("Sec-Purpose", "prefetch")],
        ] {
            assert!(!opens_a_page(&request(fields)), "{fields:?}");
        }
        let mut post = request(&page);
        post.set_method("POST");
        assert!(!opens_a_page(&post));
    }
}
