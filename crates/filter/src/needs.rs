//! What a filter needs besides the head; the pipeline gathers it, and only if somebody asked.

/// What must be there before a filter is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The whole request body in [`crate::Exchange::body`], up to this many bytes. A longer one is refused
    /// with 413 before the filter is asked. `None`: the body streams past.
    pub request_body: Option<u64>,
}

impl Needs {
    /// The head is enough.
    pub const NOTHING: Self = Self { request_body: None };

    /// The whole request body, up to `limit` bytes.
    #[must_use]
    pub const fn body(limit: u64) -> Self {
        Self { request_body: Some(limit) }
    }
}
