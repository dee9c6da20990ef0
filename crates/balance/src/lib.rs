//! Balancers: which endpoint of a service takes this request.
//!
//! A [`Balancer`] is an immutable snapshot of a list of endpoints with one atomic turn. All workers share
//! it; [`Balancer::pick`] takes no lock and allocates nothing. What is learnt about an endpoint (requests
//! in flight, latency) lives in an [`EndpointLoad`], which its owner keeps by the endpoint's identity, so it
//! survives any change of the list; [`Balancer::rebuild`] carries the turn over, so that a refreshed list
//! does not begin again at its first endpoint.
//!
//! Everything here is pure: the clock is a count of nanoseconds since any start, and randomness is a
//! 64-bit word, both passed in by the caller.
//!
//! This crate does not know health, ejection or retries. The caller says which endpoints are out
//! (`ejected`) and which this request has already tried ([`Tried`]); what to do when nothing is left
//! (a panic threshold, a 503) is the caller's decision as well.
//!
//! ```
//! use std::sync::Arc;
//! use torana_balance::{Algorithm, Balancer, Endpoint, EndpointLoad, Tried};
//!
//! let endpoint = |weight| Endpoint { weight, load: Arc::new(EndpointLoad::default()) };
//! let balancer = Balancer::new(Algorithm::WeightedRoundRobin, vec![endpoint(3), endpoint(1)]);
//! let index = balancer.pick(0, 0, &Tried::default(), |_| false).expect("two endpoints serve");
//! let in_flight = balancer.begin(index).expect("the index came from this balancer");
//! in_flight.complete(1_500_000, 1_500_000); // answered after 1.5 ms
//! ```
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "tests may overflow loudly"))]

mod algorithm;
mod balancer;
mod choice;
mod ewma;
mod least_connections;
mod load;
mod rotation;
mod tried;
mod turn;
mod two_choices;

#[cfg(test)]
mod tests;

pub use algorithm::Algorithm;
pub use balancer::{Balancer, Endpoint};
pub use load::{DEFAULT_TIME_CONSTANT, EndpointLoad, InFlight};
pub use tried::Tried;
