//! Where a check reports what cannot be served.

use torana_config::{Document, Finding, Path};

/// The findings about one document.
pub(crate) struct Report<'r> {
    pub(crate) document: &'r Document,
    pub(crate) findings: &'r mut Vec<Finding>,
}

impl Report<'_> {
    /// What stands at `path` cannot be served; `help` says what to do.
    pub(crate) fn error(
        &mut self,
        path: &Path,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let finding = Finding::error(code, message).at(self.document.span_at(path));
        self.findings.push(finding.help(help));
    }

    /// As [`error`](Self::error), where the message says what to do.
    pub(crate) fn plain_error(&mut self, path: &Path, code: &'static str, message: impl Into<String>) {
        self.findings.push(Finding::error(code, message).at(self.document.span_at(path)));
    }
}
