//! The written form: what people type, read strictly, with every finding at its place.
//!
//! ```text
//! text --yaml--> tree of nodes --reference--> --check against the schema--> plain value --serde--> Config
//! ```
//!
//! The Rust types of [`written`] are the one definition of shape: the JSON Schema is generated from
//! them, the check walks along that schema, and serde reads them. The tree of nodes stays with the
//! [`Document`], so that a later check can point at any place by its [`Path`].
//!
//! Not here: whether the parts fit together (a route's service exists, routes do not hide each other).
//! That is the plan's. Nor any I/O: references are resolved by a [`Resolver`] that is passed in.

#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "tests may overflow loudly"))]

mod check;
mod consumers;
mod document;
mod elsewhere;
mod finding;
mod node;
mod path;
mod reference;
mod render;
mod salvage;
mod schema;
mod shape;
mod source;
mod suggest;
pub mod written;
mod yaml;

pub use consumers::parse_consumers;
pub use document::{Document, Parsed, parse};
pub use finding::{Finding, Related, Severity, has_errors};
pub use path::Path;
pub use reference::{FixedResolver, ResolveError, Resolver};
pub use render::{plain, render};
pub use schema::{json_schema, json_schema_text};
pub use source::{Source, Span};
pub use suggest::did_you_mean;
pub use written::Config;
