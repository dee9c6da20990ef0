//! What was said of a configuration, so that a reload says only what is new.

use crate::file;
use std::collections::HashMap;
use torana_config::{Finding, Severity, Source};
use torana_types::counted;
use tracing::info;

/// What a finding is recognised by: its kind, its words, and the line that it points at, wherever that has moved.
type Print = (&'static str, String, String);

/// Warnings that were said, and how often each.
#[derive(Debug, Default)]
pub(super) struct Told(HashMap<Print, usize>);

impl Told {
    /// Says errors, and warnings that were not said before.
    pub(super) fn tell(&mut self, source: &Source, findings: &[Finding]) {
        let (news, known) = self.news(source, findings);
        say(source, &news, known);
    }

    /// The same of what is in force now; warnings that are gone are said again when they come back.
    pub(super) fn tell_only(&mut self, source: &Source, findings: &[Finding]) {
        let (news, known) = self.news(source, findings);
        self.0.clear();
        for finding in findings.iter().filter(|finding| finding.severity == Severity::Warning) {
            let said = self.0.entry(print(source, finding)).or_default();
            *said = said.saturating_add(1);
        }
        say(source, &news, known);
    }

    /// Errors and new warnings, and how many warnings are known. Notes are for `check`.
    fn news(&mut self, source: &Source, findings: &[Finding]) -> (Vec<Finding>, usize) {
        let mut seen: HashMap<Print, usize> = HashMap::new();
        let mut known: usize = 0;
        let mut news = Vec::new();
        for finding in findings.iter().filter(|finding| finding.severity > Severity::Note) {
            if finding.severity == Severity::Warning {
                let print = print(source, finding);
                let seen = seen.entry(print.clone()).or_default();
                *seen = seen.saturating_add(1);
                let said = self.0.entry(print).or_default();
                if *seen <= *said {
                    known = known.saturating_add(1);
                    continue;
                }
                *said = *seen;
            }
            news.push(finding.clone());
        }
        (news, known)
    }
}

fn print(source: &Source, finding: &Finding) -> Print {
    let own = finding.span.as_ref().filter(|span| *span.file == *source.name());
    let line = own.and_then(|span| source.shown().lines().nth(span.line.saturating_sub(1)));
    (finding.code, finding.message.clone(), line.unwrap_or_default().trim().to_owned())
}

fn say(source: &Source, news: &[Finding], known: usize) {
    eprint!("{}", file::for_people(source, news));
    if known > 0 {
        info!("{} as before; `torana check` shows all", counted(known, "warning"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use torana_config::FixedResolver;

    /// How many findings are news, and how many known.
    fn news(told: &mut Told, text: &str) -> (usize, usize) {
        let loaded = torana_plan::load("t.yaml", text, &FixedResolver::default());
        let (news, known) = told.news(&loaded.source, &loaded.findings);
        (news.len(), known)
    }

    #[test]
    fn only_what_is_new_is_said_wherever_it_has_moved() {
        let one = "services: { a: { endpoints: [http://127.0.0.1:1] } }\nroutes: [{ respond: {} }]\n";
        let mut told = Told::default();
        assert_eq!(news(&mut told, one), (1, 0), "a service that nobody uses");
        assert_eq!(news(&mut told, one), (0, 1));
        assert_eq!(news(&mut told, &format!("# moved\n{one}")), (0, 1));
        let two = one.replace("a: {", "b: { endpoints: [http://127.0.0.1:2] }, a: {");
        let (fresh, _) = news(&mut told, &two);
        assert!(fresh >= 1, "another one");
        let broken = one.replace("respond: {}", "respnd: {}");
        assert_eq!(news(&mut told, &broken).0, 1, "an error is said each time");
        assert_eq!(news(&mut told, &broken).0, 1);
    }

    #[test]
    fn what_is_gone_is_said_again_when_it_comes_back() {
        let odd = "services: { a: { endpoints: [http://127.0.0.1:1] } }\nroutes: [{ respond: {} }]\n";
        let good = "routes: [{ respond: {} }]\n";
        let mut told = Told::default();
        for (text, expected) in [(odd, 1), (odd, 0), (good, 0), (odd, 1)] {
            let loaded = torana_plan::load("t.yaml", text, &FixedResolver::default());
            let mut look = Told(told.0.clone());
            assert_eq!(look.news(&loaded.source, &loaded.findings).0.len(), expected);
            told.tell_only(&loaded.source, &loaded.findings);
        }
    }
}
