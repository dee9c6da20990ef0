//! What people write for a host and a path, parsed once.
//!
//! Each parser gives the text back on display, and an error says what is wrong, at which byte of the
//! pattern, and what to write instead. Matching a single pattern lives here too: it is the plain
//! definition that the tree is tested against and that explanations are made from.

mod escapes;
mod host;
mod path;
mod regex;

pub use escapes::PatternEscape;
pub(crate) use host::LowerHost;
pub use host::{HostKind, HostPattern};
pub(crate) use path::{Ending, Segment, split_segment};
pub use path::{PathPattern, SegmentKind};
pub use regex::AnchoredRegex;

/// A pattern that cannot be used. Displays the problem and the remedy in one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; {}", problem.help())]
pub struct PatternError {
    /// Byte offset within the pattern where the problem begins.
    pub offset: usize,
    /// What is wrong.
    pub problem: PatternProblem,
}

impl PatternError {
    pub(crate) fn new(offset: usize, problem: PatternProblem) -> Self {
        Self { offset, problem }
    }
}

/// What is wrong with a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternProblem {
    /// Nothing was written.
    #[error("the pattern is empty")]
    Empty,
    /// A path that begins neither with `/` nor with `~`.
    #[error("a path begins with `/`, or with `~` for a regular expression")]
    NotAbsolute,
    /// `//` within a path.
    #[error("the path has an empty segment")]
    EmptySegment,
    /// `.` or `..` as a segment.
    #[error("the path has a dot segment")]
    DotSegment,
    /// A wildcard that is only a part of a segment.
    #[error("a wildcard must be a whole segment")]
    PartialWildcard,
    /// `{name...}` anywhere but at the end.
    #[error("`{{{0}...}}` takes the rest of the path and so must be the last segment")]
    RestNotLast(String),
    /// A parameter name with other characters than letters, digits, `_` and `-`.
    #[error("`{0}` is not a parameter name")]
    InvalidName(String),
    /// The same parameter twice.
    #[error("the parameter `{0}` occurs twice")]
    RepeatedName(String),
    /// A literal segment that no request path can have.
    #[error("no request path contains this: {0}")]
    InvalidLiteral(crate::PathError),
    /// More segments than [`PathPattern::MAX_SEGMENTS`].
    #[error("the path has more than {} segments", PathPattern::MAX_SEGMENTS)]
    TooManySegments,
    /// A regular expression that does not parse or compiles to too much.
    #[error("the regular expression is not valid: {0}")]
    InvalidRegex(String),
    /// A scheme, a path or user information in a host.
    #[error("a host is only a name or an address, with a port if need be")]
    NotAHost,
    /// A `*` anywhere but as the first or the last label.
    #[error("a host may have one `*`, as its first or as its last label")]
    MisplacedHostWildcard,
    /// An empty label, one over 63 bytes, or a name over 253.
    #[error("a host name has labels of 1 to 63 bytes and at most 253 bytes in all")]
    InvalidLabel,
    /// A byte that no host name has.
    #[error("`{0}` cannot stand in a host name")]
    InvalidHostCharacter(char),
    /// A port that is not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    InvalidPort,
    /// A header name that is not a token (RFC 9110 section 5.6.2).
    #[error("`{0}` is not a header name")]
    InvalidHeaderName(String),
}

impl PatternProblem {
    /// What to do about it, as a clause that can follow the problem.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Empty => "leave it out, or write a pattern",
            Self::NotAbsolute => "put a `/` in front",
            Self::EmptySegment => "write one `/`: requests have theirs merged before they are matched",
            Self::DotSegment => {
                "write the path without it: requests have theirs removed before they are matched"
            }
            Self::PartialWildcard => {
                "use `*` or `{name}` for a whole segment, or a regular expression such as `~/files/(?<name>[^/]+)\\.json`"
            }
            Self::RestNotLast(_) => "move it to the end, or use `{name}` for exactly one segment",
            Self::InvalidName(_) => "begin with a letter or `_` and go on with letters, digits, `_` or `-`",
            Self::RepeatedName(_) => "give each parameter its own name",
            Self::InvalidLiteral(_) => "write the segment as it stands in a request",
            Self::TooManySegments => "end the pattern with `/*`",
            Self::InvalidRegex(_) => {
                "see the syntax of the `regex` crate: there are no look-around and no back-references"
            }
            Self::NotAHost => {
                "write it like `api.example.com`, `*.example.com`, `api.*` or `api.example.com:8443`"
            }
            Self::MisplacedHostWildcard => "write `*.example.com` or `api.*`",
            Self::InvalidLabel => "check the dots",
            Self::InvalidHostCharacter(_) => {
                "use letters, digits, `-` and `_`; write an international name in its `xn--` form"
            }
            Self::InvalidPort => "write it like `example.com:8443`",
            Self::InvalidHeaderName(_) => "use letters, digits and `-`",
        }
    }
}
