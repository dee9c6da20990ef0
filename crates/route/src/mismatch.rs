//! Why a route does not match.

/// The first thing about a request that a route does not take, in the order in which things are compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// None of the hosts.
    #[error("another host")]
    Host,
    /// The path.
    #[error("another path")]
    Path,
    /// None of the methods.
    #[error("another method")]
    Method,
    /// A condition on this field.
    #[error("the header `{0}` is not as asked")]
    Header(Box<str>),
    /// A condition on this query parameter.
    #[error("the query parameter `{0}` is not as asked")]
    Query(Box<str>),
}
