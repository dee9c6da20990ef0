//! Requests that another site made a browser send, told by what browsers say of them (Fetch Metadata).
//!
//! `Sec-Fetch-Site` cannot be set by a page. A browser too old for it sends `Origin`, which is compared with
//! `Host`. A request with neither comes from no browser, and nobody's cookies are at stake.

use crate::hygiene::overriding_methods;
use crate::origin;
use std::sync::Arc;
use torana_fault::{Fault, Reason};
use torana_filter::{Exchange, OnRequest, Outside, Verdict};
use torana_http::{Known, RequestHead};
use torana_plan::CsrfPlan;

/// Refuses requests that another site made a browser send.
#[derive(Clone, Debug)]
pub struct CsrfFilter {
    plan: Arc<CsrfPlan>,
}

impl CsrfFilter {
    /// Prepares the filter.
    #[must_use]
    pub fn prepare(plan: &Arc<CsrfPlan>) -> Self {
        Self { plan: Arc::clone(plan) }
    }

    /// What it asks for.
    #[must_use]
    pub fn describe(&self) -> String {
        let and = if self.plan.allow_same_site { " or site" } else { "" };
        let others = self.plan.allow_origins.len();
        let others = if others > 0 { format!(", or one of {others} other origins") } else { String::new() };
        format!("no change that a page of another origin asks for: this origin{and}{others}")
    }

    /// Why the request is refused, if it is.
    fn refusal(&self, request: &RequestHead) -> Option<&'static str> {
        let is_safe = |method: &[u8]| self.plan.safe_methods.iter().any(|safe| safe.as_bytes() == method);
        let mut instead = overriding_methods(&request.fields).filter(|method| !method.is_empty());
        // A page may open a WebSocket anywhere, with cookies and by GET, and then read and write as it likes.
        if request.upgrade().is_none()
            && is_safe(request.method_bytes())
            && instead.all(|method| is_safe(&method))
        {
            return None;
        }
        let fields = &request.fields;
        let trusted =
            || origin::of(fields).is_some_and(|origin| origin::is_one_of(origin, &self.plan.allow_origins));
        let mut sites = fields.get_all("Sec-Fetch-Site");
        match (sites.next(), sites.next()) {
            (Some(b"same-origin" | b"none"), None) => None,
            (Some(b"same-site"), None) if self.plan.allow_same_site => None,
            (Some(_), _) => (!trusted()).then_some("a page of another site has sent this"),
            (None, _) if !fields.contains(Known::Origin) => None,
            (None, _) => {
                let own = origin::of(fields).is_some_and(|origin| origin::is_host(origin, request.host()));
                (!own && !trusted()).then_some("the origin is not the host")
            }
        }
    }
}

impl OnRequest for CsrfFilter {
    async fn on_request(&self, exchange: &mut Exchange, _: &dyn Outside) -> Verdict {
        match self.refusal(&exchange.request) {
            None => Verdict::Continue,
            Some(detail) => Verdict::Fail(Fault::new(Reason::CrossSiteRequest).because(detail)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use torana_http::h1::{HeadLimits, parse_request};
    use torana_plan::OriginPattern;

    fn refused(plan: &CsrfPlan, head: &str) -> bool {
        let filter = CsrfFilter::prepare(&Arc::new(plan.clone()));
        let mut request = RequestHead::default();
        let text = format!("{}\r\n\r\n", head.replace('\n', "\r\n"));
        parse_request(text.as_bytes(), 0, &HeadLimits::default(), &mut request).unwrap().unwrap();
        filter.refusal(&request).is_some()
    }

    #[test]
    fn what_another_site_sends_is_refused_and_nothing_else() {
        let plan = CsrfPlan {
            allow_origins: vec![OriginPattern::Exact("https://app.test".into())],
            allow_same_site: false,
            safe_methods: vec!["GET".into(), "HEAD".into(), "OPTIONS".into()],
        };
        for (method, fields, no) in [
            ("POST", "", false),
            ("POST", "\nSec-Fetch-Site: same-origin", false),
            ("POST", "\nSec-Fetch-Site: none", false),
            ("POST", "\nSec-Fetch-Site: cross-site", true),
            ("POST", "\nSec-Fetch-Site: same-site", true),
            ("POST", "\nSec-Fetch-Site: CROSS-SITE", true),
            ("POST", "\nSec-Fetch-Site: new-word", true),
            ("POST", "\nSec-Fetch-Site: same-origin\nSec-Fetch-Site: cross-site", true),
            ("GET", "\nSec-Fetch-Site: cross-site", false),
            ("GET", "\nConnection: Upgrade\nUpgrade: websocket\nSec-Fetch-Site: cross-site", true),
            ("GET", "\nConnection: Upgrade\nUpgrade: websocket\nOrigin: https://evil.test", true),
            ("GET", "\nConnection: Upgrade\nUpgrade: websocket\nSec-Fetch-Site: same-origin", false),
            (
                "GET",
                "\nConnection: Upgrade\nUpgrade: websocket\nSec-Fetch-Site: cross-site\nOrigin: https://app.test",
                false,
            ),
            ("GET", "\nConnection: Upgrade\nUpgrade: websocket", false),
            // Methods that fields ask for instead, where these arrive.
            ("GET", "\nX-HTTP-Method-Override: DELETE\nSec-Fetch-Site: cross-site", true),
            ("GET", "\nx_http_method: post\nOrigin: https://evil.test", true),
            ("GET", "\nX-HTTP-Method: GET\nX-Method-Override: PUT\nSec-Fetch-Site: cross-site", true),
            ("GET", "\nX-HTTP-Method-Override: DELETE\nSec-Fetch-Site: same-origin", false),
            ("GET", "\nX-HTTP-Method-Override: head\nSec-Fetch-Site: cross-site", false),
            ("GET", "\nX-HTTP-Method-Override:\nSec-Fetch-Site: cross-site", false),
            ("POST", "\nX-HTTP-Method-Override: GET\nSec-Fetch-Site: cross-site", true),
            ("DELETE", "\nSec-Fetch-Site: cross-site\nOrigin: https://app.test", false),
            ("DELETE", "\nSec-Fetch-Site: cross-site\nOrigin: https://evil.test", true),
            ("PUT", "\nOrigin: https://api.test", false),
            ("PUT", "\nOrigin: http://api.test", false),
            ("PUT", "\nOrigin: https://app.test", false),
            ("PUT", "\nOrigin: https://evil.test", true),
            ("PUT", "\nOrigin: null", true),
            ("PUT", "\nOrigin: https://api.test\nOrigin: https://evil.test", true),
        ] {
            assert_eq!(
                refused(&plan, &format!("{method} / HTTP/1.1\nHost: api.test{fields}")),
                no,
                "{method}{fields}"
            );
        }
        let site = CsrfPlan { allow_same_site: true, ..plan };
        assert!(!refused(&site, "POST / HTTP/1.1\nHost: api.test\nSec-Fetch-Site: same-site"));
    }
}
