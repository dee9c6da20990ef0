//! Findings as text for people: the source line underlined, what is wrong, what to do.

use std::fmt;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents,
    SourceCode, SourceSpan, SpanContents, ThemeCharacters, ThemeStyles,
};

use crate::finding::{Finding, Severity};
use crate::source::{Source, Span};

/// A line with more bytes than this is not shown.
const LONGEST_LINE: usize = 1_000;

/// Renders the findings one after the other, each with the line it points at.
///
/// `source` must be the one that the findings are about. `color` adds ANSI colours.
#[must_use]
pub fn render(findings: &[Finding], source: &Source, color: bool) -> String {
    let styles = if color { ThemeStyles::ansi() } else { ThemeStyles::none() };
    let theme = GraphicalTheme { characters: ThemeCharacters::unicode(), styles };
    let handler =
        GraphicalReportHandler::new_themed(theme).with_width(100).with_context_lines(1).with_links(false);
    let named = Named { source };
    let mut text = String::new();
    for finding in findings {
        if finding.span.as_ref().is_some_and(|span| !is_shown(span, source)) {
            // Of another file, whose text is not here, or on lines that nobody could read.
            text.push_str(&plain(finding));
            if let Some(help) = &finding.help {
                text.push_str("\n  help: ");
                text.push_str(help);
            }
            text.push_str("\n\n");
            continue;
        }
        let report = Report { finding, source: &named };
        if handler.render_report(&mut text, &report).is_err() {
            text.push_str(&plain(finding));
        }
        text.push('\n');
    }
    text
}

/// Whether the line of a place and those beside it can be shown.
fn is_shown(span: &Span, source: &Source) -> bool {
    let first = span.line.saturating_sub(2);
    let lines = || source.shown().split('\n').skip(first).take(3);
    *span.file == *source.name() && lines().all(|line| line.len() <= LONGEST_LINE)
}

/// One finding on one line: `file:line:column: error[code]: message`.
#[must_use]
pub fn plain(finding: &Finding) -> String {
    let place = finding.span.as_ref().map(|span| format!("{span}: ")).unwrap_or_default();
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    format!("{place}{severity}[{}]: {}", finding.code, finding.message)
}

/// The text that may be shown, under the name of its file.
#[derive(Debug)]
struct Named<'a> {
    source: &'a Source,
}

impl SourceCode for Named<'_> {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let inner = self.source.shown().read_span(span, before, after)?;
        Ok(Box::new(MietteSpanContents::new_named(
            self.source.name().to_owned(),
            inner.data(),
            *inner.span(),
            inner.line(),
            inner.column(),
            inner.line_count(),
        )))
    }
}

#[derive(Debug)]
struct Report<'a> {
    finding: &'a Finding,
    source: &'a Named<'a>,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.finding.message)
    }
}

impl std::error::Error for Report<'_> {}

impl Diagnostic for Report<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.finding.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.finding.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Note => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.finding.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.finding.span.as_ref().map(|_| self.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.finding.span.as_ref()?;
        let label = |text: Option<&str>, span: &Span| {
            LabeledSpan::new(text.map(str::to_owned), span.start, span.end.saturating_sub(span.start))
        };
        let related =
            self.finding.related.iter().map(move |related| label(Some(&related.message), &related.span));
        let here = (!self.finding.related.is_empty()).then_some("here");
        let primary = LabeledSpan::new_primary_with_span(
            here.map(str::to_owned),
            SourceSpan::from((span.start, span.end.saturating_sub(span.start))),
        );
        Some(Box::new(std::iter::once(primary).chain(related)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn underlines_the_place_and_says_what_to_do() {
        let source = Source::new("torana.yaml", "listen: 0.0.0.0:8000\nrouts: []\n");
        let finding = Finding::error("unknown-key", "unknown key `routs`")
            .at(source.span(21..26))
            .help("did you mean `routes`?");
        let text = render(std::slice::from_ref(&finding), &source, false);
        assert!(text.contains("torana.yaml:2:1"), "{text}");
        assert!(text.contains("routs: []"), "{text}");
        assert!(text.contains("─────"), "{text}");
        assert!(text.contains("did you mean `routes`?"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(render(std::slice::from_ref(&finding), &source, true).contains('\u{1b}'));
        assert_eq!(plain(&finding), "torana.yaml:2:1: error[unknown-key]: unknown key `routs`");
        let long =
            Source::new("torana.yaml", &format!("listen: 0.0.0.0:8000\nrouts: [{}]\n", "x, ".repeat(1000)));
        let text = render(&[finding], &long, false);
        assert_eq!(
            text,
            "torana.yaml:2:1: error[unknown-key]: unknown key `routs`\n  help: did you mean `routes`?\n\n"
        );
    }
}
