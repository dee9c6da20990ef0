//! The names of the balancing algorithms.

/// How a [`Balancer`](crate::Balancer) chooses. In each of them an endpoint of weight 0 is drained: it is
/// never picked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// One after the other, whatever the weight (except 0).
    #[default]
    RoundRobin,
    /// Turns in proportion to weight, spread evenly: any run of `total weight` turns gives each endpoint
    /// exactly its weight, and no endpoint gets its turns in a burst.
    WeightedRoundRobin,
    /// The endpoint with the fewest requests in flight for its weight. Idle endpoints come first and share
    /// by weight; among busy ones the least `(in flight + 1) / weight` wins ("never queue" over "shortest
    /// expected delay", as in Linux Virtual Server and HAProxy).
    LeastConnections,
    /// Two endpoints are drawn at random by weight, and the one with the lower expected wait wins:
    /// peak-sensitive EWMA latency × (in flight + 1) / weight.
    ///
    /// Sources: Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (IEEE TPDS 2001);
    /// Finagle's Peak EWMA.
    TwoChoices,
    /// The endpoint that owns the key's place on a ring; see `ring.rs`.
    RingHash,
    /// The endpoint that owns the key's slot in a table; see `maglev.rs`.
    Maglev,
}
