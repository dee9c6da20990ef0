//! The thousand routes of the cases with policies, the same for every proxy and in the same order.

/// What a route asks of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    /// This path.
    Exact(String),
    /// One segment between these two.
    Segment(String, String),
    /// Everything below this, which ends with a slash.
    Below(String),
}

pub(super) fn routes() -> impl Iterator<Item = Pattern> {
    (0..1_000).map(|number| {
        let group = number / 10;
        match number % 3 {
            0 => Pattern::Exact(format!("/api/v1/group{group}/item{number}")),
            1 => Pattern::Segment(format!("/api/v1/group{group}/"), format!("/part{number}")),
            _ => Pattern::Below(format!("/static/group{group}/set{number}/")),
        }
    })
}

impl Pattern {
    /// As an anchored regular expression; nothing in the paths has a meaning there.
    pub(super) fn regex(&self) -> String {
        match self {
            Self::Exact(path) => format!("^{path}$"),
            Self::Segment(before, after) => format!("^{before}[^/]+{after}$"),
            Self::Below(path) => format!("^{path}"),
        }
    }
}
