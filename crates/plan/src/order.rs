//! The order in which a request meets what was configured, in one table.

/// A station on the way of a request through the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Answer a browser's question before anything asks for credentials it cannot send yet.
    CorsPreflight,
    /// Refuse by address or size: the cheapest refusals come first.
    IpAndSizeLimits,
    /// Count by address, so that guessing credentials is bounded too.
    LimitsByAddress,
    /// Learn who calls.
    Authentication,
    /// Decide whether the caller may.
    Authorisation,
    /// Count by caller: only those who may are counted against their own limit.
    LimitsByConsumer,
    /// Compare the request with what the service accepts.
    Validation,
    /// Change the request; what was validated is what the caller sent.
    RequestTransformation,
    /// Answer from the cache, for a caller who would have been let through.
    CacheLookup,
    /// Answer in place of the service what nobody has refused.
    Termination,
    /// Ask the service.
    Upstream,
    /// Keep what the service said, before it is changed for one caller.
    CacheStore,
    /// Change the response.
    ResponseTransformation,
    /// Let the browser's page read it.
    CorsHeaders,
    /// Make it small, last, because nothing can change it afterwards.
    Compression,
    /// Write down what happened.
    Observation,
}

/// The standard order. A plan's list of policies is sorted by it; policies of one phase keep the order in which
/// `build/policies.rs` plans them. Which policy is in which phase says [`crate::PolicyPlan::phase`]; phases that no
/// policy has yet keep their place.
pub const ORDER: [Phase; 16] = [
    Phase::CorsPreflight,
    Phase::IpAndSizeLimits,
    Phase::LimitsByAddress,
    Phase::Authentication,
    Phase::Authorisation,
    Phase::LimitsByConsumer,
    Phase::Validation,
    Phase::RequestTransformation,
    Phase::CacheLookup,
    Phase::Termination,
    Phase::Upstream,
    Phase::CacheStore,
    Phase::ResponseTransformation,
    Phase::CorsHeaders,
    Phase::Compression,
    Phase::Observation,
];

impl Phase {
    /// The place of the phase in [`ORDER`].
    #[must_use]
    pub fn place(self) -> usize {
        ORDER.iter().position(|phase| *phase == self).unwrap_or(ORDER.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_known_before_they_are_judged_and_counted() {
        assert!(Phase::LimitsByAddress.place() < Phase::Authentication.place());
        assert!(Phase::Authentication.place() < Phase::Authorisation.place());
        assert!(Phase::Authorisation.place() < Phase::LimitsByConsumer.place());
        assert!(Phase::LimitsByConsumer.place() < Phase::Termination.place());
        assert!(Phase::Termination.place() < Phase::Upstream.place());
        assert!(Phase::Observation.place() < ORDER.len());
    }
}
