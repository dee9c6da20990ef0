//! What a path may mean to a service.
//!
//! Services disagree on three spellings that normalisation keeps, because they are data to some: a slash at the
//! end (`/admin/`), parameters of segments (`/admin;v=1/users`, RFC 3986 section 3.3), and escapes of what may stand as
//! it is (`/items%3Adelete`). A rule for `/admin/users` or `/items:delete` must hold for them.
//!
//! Some are looser still: they ignore case, dots and blanks at the end of segments, or take `%2F` for a slash. What a path
//! means to those counts only where a rule holds there that is more specific than the one for the path as it is written:
//! `/Reports/*` is not for `/*` to decide about.

use std::ops::ControlFlow;
use torana_route::{RequestView, Spellings, any_looser};

/// One meaning of a request's path.
pub(super) struct Reading<'r> {
    method: &'r [u8],
    path: &'r [u8],
    /// Whether this is the spelling with a slash at its end, which only regular expressions tell apart.
    pub(super) slash: bool,
    /// The path as it is written, where this is what only looser services take it for.
    pub(super) beyond: Option<&'r Reading<'r>>,
    /// The same where this is what services take it for that decode before they look: a rule that is written with the escapes
    /// is meant for it, in place of those that both take.
    pub(super) written: Option<&'r Reading<'r>>,
}

impl<'r> Reading<'r> {
    const fn new(method: &'r [u8], path: &'r [u8], slash: bool) -> Self {
        Self { method, path, slash, beyond: None, written: None }
    }
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
pub(super) fn readings(
    method: &[u8],
    path: &[u8],
    visit: &mut dyn FnMut(&Reading<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    slashes(method, path, None, visit)?;
    Spellings::of(path).others().try_for_each(|other| {
        let reading = |path| Reading::new(method, without_slash(path).unwrap_or(path), false);
        let written = other.escaped.map(reading);
        slashes(method, other.path, written.as_ref(), visit)
    })
}

fn without_slash(path: &[u8]) -> Option<&[u8]> {
    path.strip_suffix(b"/").filter(|bare| !bare.is_empty())
}

/// Visits what looser services take the path for. Most paths have nothing of the kind.
pub(super) fn looser(method: &[u8], path: &[u8], visit: &mut dyn FnMut(&Reading<'_>) -> ControlFlow<()>) {
    // Without its last slash the path is read already.
    let bare = without_slash(path).unwrap_or(path);
    let written = Reading::new(method, bare, false);
    any_looser(bare, false, |looser| {
        visit(&Reading { beyond: Some(&written), ..Reading::new(method, looser, false) }).is_break()
    });
}

/// Without the slash at its end, and, for regular expressions, with it.
fn slashes(
    method: &[u8],
    path: &[u8],
    written: Option<&Reading<'_>>,
    visit: &mut dyn FnMut(&Reading<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    match without_slash(path) {
        Some(plain) => {
            visit(&Reading { written, ..Reading::new(method, plain, false) })?;
            visit(&Reading { written, ..Reading::new(method, path, true) })
        }
        None => visit(&Reading { written, ..Reading::new(method, path, false) }),
    }
}
