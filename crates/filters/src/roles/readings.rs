//! What a path may mean to a service.
//!
//! Services disagree on two spellings that normalisation keeps, because both are data to some: a slash at the
//! end (`/admin/`), and parameters of segments (`/admin;v=1/users`, RFC 3986 section 3.3). A rule for
//! `/admin/users` must hold for both.

use std::ops::ControlFlow;
use torana_route::{RequestView, without_parameters};

/// One meaning of a request's path.
pub(super) struct Reading<'r> {
    method: &'r [u8],
    path: &'r [u8],
    /// Whether this is the spelling with a slash at its end, which only regular expressions tell apart.
    pub(super) slash: bool,
}

impl RequestView for Reading<'_> {
    fn host(&self) -> &[u8] {
        b""
    }

    fn port(&self) -> Option<u16> {
        None
    }

    fn method(&self) -> &[u8] {
        self.method
    }

    fn path(&self) -> &[u8] {
        self.path
    }

    fn query(&self) -> Option<&[u8]> {
        None
    }

    fn header(&self, _: &str) -> (usize, Option<&[u8]>) {
        (0, None)
    }
}

/// Visits every reading of a normalised path until `visit` breaks. Most paths have one.
pub(super) fn readings(method: &[u8], path: &[u8], visit: &mut dyn FnMut(&Reading<'_>) -> ControlFlow<()>) {
    if slashes(method, path, visit).is_break() {
        return;
    }
    if let Some(plain) = without_parameters(path) {
        let _ = slashes(method, &plain, visit);
    }
}

/// Without the slash at its end, and, for regular expressions, with it.
fn slashes(
    method: &[u8],
    path: &[u8],
    visit: &mut dyn FnMut(&Reading<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    match path.strip_suffix(b"/") {
        Some(plain) if !plain.is_empty() => {
            visit(&Reading { method, path: plain, slash: false })?;
            visit(&Reading { method, path, slash: true })
        }
        _ => visit(&Reading { method, path, slash: false }),
    }
}
