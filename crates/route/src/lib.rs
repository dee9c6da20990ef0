//! The matcher: host, path, method, headers and query to a route.
//!
//! What is here, in the order in which a request meets it:
//!
//! 1. [`normalize`]: the one form of a path. The gateway matches it, authorises it and forwards it,
//!    so no spelling of a path can be judged as one thing and served as another.
//! 2. [`Router`]: all routes compiled to one tree. [`Router::find`] answers for a request,
//!    [`Router::explain`] says of every route why it won, lost or did not match.
//! 3. [`analyze()`]: what is wrong with a set of routes before any request has come: duplicates,
//!    ties and routes that can never win, each with an example request.
//!
//! # Precedence
//!
//! It never depends on the order in the file. Of the routes that match a request entirely, the
//! first by these rules wins:
//!
//! 1. **Host**: an exact name, then the longer `*.suffix`, then the longer `prefix.*`, then any; of
//!    equal names, one with a port before one without.
//! 2. **Path**, segment by segment from the left: a literal, then exactly one segment (`{name}`,
//!    `*`), then the end of the path, then a regular expression, then the rest (`{name...}`, last
//!    `*`). A regular expression counts as the literal segments it begins with, followed by
//!    "regular expression": `~/api/v[0-9]+/.*` is stronger than `/api/*` and weaker than
//!    `/api/{version}/{name}`. Two expressions at the same place: the higher explicit priority, then
//!    the longer pattern, then the one whose text sorts first.
//! 3. **Method**: the request's method named, then GET named for a HEAD request, then any.
//! 4. **Conditions**: more header and query conditions before fewer.
//! 5. **Explicit priority**: higher before lower.
//!
//! What is still equal and can match the same request is a conflict: [`Router::build`] refuses it.
//!
//! Not here: where routes are written, what they are called and what happens after the match.

#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "tests may overflow loudly"))]

mod alike;
mod analyze;
mod condition;
mod hash;
mod looser;
mod mismatch;
mod normalize;
mod parameters;
mod pattern;
mod rank;
mod request;
mod router;
mod spec;
mod spelling;
mod wide;

pub use alike::is_alike_parameter;
pub use analyze::{RouteConflict, RouteFinding, analyze};
pub use condition::{HeaderCondition, QueryCondition, ValueTest};
pub use looser::{any_looser, lower_case};
pub use mismatch::Mismatch;
pub use normalize::{EncodedSlashes, NormalizeOptions, PathError, normalize};
pub use pattern::{
    AnchoredRegex, HostKind, HostPattern, PathPattern, PatternError, PatternEscape, PatternProblem,
    SegmentKind,
};
pub use rank::PrecedenceReason;
pub use request::{ExampleRequest, RequestView};
pub use router::{Allow, Candidate, Outcome, Router, Verdict};
pub use spec::RouteSpec;
pub use spelling::{Spelling, Spellings, decoded};
pub use wide::without_wide_escapes;
