//! Programs that say what they are. Whoever lies in `User-Agent` passes: this keeps honest crawlers and
//! scripts away, and nobody else.

mod known;

use regex::bytes::{RegexSet, RegexSetBuilder};
use std::sync::{Arc, LazyLock};
use torana_fault::{Fault, Reason};
use torana_filter::{Exchange, OnRequest, Outside, Verdict};
use torana_http::Known;
use torana_plan::BotDetectionPlan;

/// The compiled size that one list may reach, in bytes.
const SIZE_LIMIT: usize = 4 << 20;

static KNOWN: LazyLock<Option<RegexSet>> = LazyLock::new(|| set(&known::PROGRAMS, true));

/// Refuses programs by what they call themselves.
#[derive(Clone, Debug)]
pub struct BotDetectionFilter {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    plan: Arc<BotDetectionPlan>,
    /// `None` where an expression is too large together with the others; nobody passes by it then.
    allow: Option<RegexSet>,
    /// `None` likewise; everybody is refused then.
    deny: Option<RegexSet>,
}

fn set<T: AsRef<str>>(expressions: &[T], any_case: bool) -> Option<RegexSet> {
    let mut builder = RegexSetBuilder::new(expressions);
    builder.unicode(false).case_insensitive(any_case).size_limit(SIZE_LIMIT).dfa_size_limit(SIZE_LIMIT);
    builder.build().ok()
}

impl BotDetectionFilter {
    /// Prepares the filter.
    #[must_use]
    pub fn prepare(plan: &Arc<BotDetectionPlan>) -> Self {
        let (allow, deny) = (set(&plan.allow, false), set(&plan.deny, false));
        Self { inner: Arc::new(Inner { plan: Arc::clone(plan), allow, deny }) }
    }

    /// What it asks for.
    #[must_use]
    pub fn describe(&self) -> String {
        let plan = &self.inner.plan;
        let mut parts = Vec::new();
        if plan.require_user_agent {
            parts.push("a `User-Agent`".to_owned());
        }
        if plan.known {
            parts.push(format!("none of {} known programs", known::PROGRAMS.len()));
        }
        if !plan.deny.is_empty() {
            parts.push(format!("none like {}", plan.deny.join(", ")));
        }
        if !plan.allow.is_empty() {
            parts.push(format!("or one like {}", plan.allow.join(", ")));
        }
        parts.join(", ")
    }
}

impl Inner {
    fn refuses(&self, agent: &[u8]) -> bool {
        if self.allow.as_ref().is_some_and(|allow| allow.is_match(agent)) {
            return false;
        }
        let denied = self.deny.as_ref().is_none_or(|deny| deny.is_match(agent));
        denied || (self.plan.known && KNOWN.as_ref().is_none_or(|known| known.is_match(agent)))
    }
}

impl OnRequest for BotDetectionFilter {
    async fn on_request(&self, exchange: &mut Exchange, _: &dyn Outside) -> Verdict {
        let mut agents = exchange.request.fields.get_all(Known::UserAgent);
        let fault = match (agents.next(), agents.next()) {
            (Some(_), Some(_)) => Fault::new(Reason::HeaderNotAccepted).because("several `User-Agent`"),
            (None, _) if self.inner.plan.require_user_agent => {
                Fault::new(Reason::HeaderNotAccepted).because("no `User-Agent`")
            }
            (Some(agent), None) if self.inner.refuses(agent) => {
                Fault::new(Reason::ProgramNotAllowed).because("the program is one that may not")
            }
            _ => return Verdict::Continue,
        };
        Verdict::Fail(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(allow: &[&str], deny: &[&str], known: bool) -> BotDetectionFilter {
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        let plan =
            BotDetectionPlan { allow: owned(allow), deny: owned(deny), known, require_user_agent: false };
        BotDetectionFilter::prepare(&Arc::new(plan))
    }

    #[test]
    fn programs_are_told_from_browsers() {
        let known = filter(&[], &[], true);
        for bot in [
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
            "facebookexternalhit/1.1",
            "python-requests/2.32.3",
            "Python-urllib/3.11",
            "Go-http-client/1.1",
            "Apache-HttpClient/4.5.14 (Java/17)",
            "okhttp/4.12.0",
            "axios/1.7.2",
            "Scrapy/2.11 (+https://scrapy.org)",
            "masscan/1.3",
            "Mozilla/5.0 (compatible; SemrushBot/7~bl)",
            "SomethingSpider/1.0",
            "my-crawler/0.1",
            "Boto3/1.34 md/Botocore",
            "WhatsApp/2.23",
        ] {
            assert!(known.inner.refuses(bot.as_bytes()), "{bot}");
        }
        for browser in [
            "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
            "Mozilla/5.0 (Linux; Android 14; CUBOT X30) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36",
            "",
        ] {
            assert!(!known.inner.refuses(browser.as_bytes()), "{browser}");
        }
    }

    #[test]
    fn own_lists_come_first_and_allow_before_deny() {
        let own = filter(&["^okhttp/5"], &["^okhttp", "evil"], true);
        assert!(!own.inner.refuses(b"okhttp/5.1"));
        assert!(own.inner.refuses(b"okhttp/4.0"));
        assert!(own.inner.refuses(b"an evil browser"));
        assert!(!filter(&[], &["evil"], false).inner.refuses(b"Googlebot/2.1"));
        let huge = filter(&[], &["(a{500}){500}"], false);
        assert!(huge.inner.refuses(b"anybody"), "what could not be compiled refuses");
    }
}
