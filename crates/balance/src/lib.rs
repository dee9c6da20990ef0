//! Balancers, and what keeps a service from being asked when it should not be.
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
//! The balancer itself does not know health. The caller says which endpoints are out (`ejected`), which it
//! learns from a [`Panel`], and which this request has already tried ([`Tried`]).
//!
//! Beside it stand the machines of resilience: [`EndpointHealth`] and [`Panel`] (probes, ejection, slow
//! start), [`Breaker`], [`AdaptiveLimit`], [`RetryBudget`] and [`Backoff`]. Each is shared by all workers and routes.
//!
//! ```
//! use std::sync::Arc;
//! use torana_balance::{Algorithm, Balancer, Endpoint, Tried};
//!
//! let endpoint = |weight: u32| Endpoint { identity: weight.into(), weight, load: Arc::default() };
//! let balancer = Balancer::new(Algorithm::WeightedRoundRobin, vec![endpoint(3), endpoint(1)]);
//! let index = balancer.pick(0, 0, &Tried::default(), |_| false).expect("two endpoints serve");
//! let in_flight = balancer.begin(index).expect("the index came from this balancer");
//! in_flight.complete(1_500_000, 1_500_000); // answered after 1.5 ms
//! ```
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "tests may overflow loudly"))]

mod adaptive;
mod algorithm;
mod backoff;
mod balancer;
mod breaker;
mod budget;
mod change;
mod choice;
mod ewma;
mod gradient;
mod hash;
mod health;
mod least_connections;
mod load;
mod maglev;
mod ring;
mod rotation;
mod tried;
mod turn;
mod two_choices;

#[cfg(test)]
mod tests;

pub use adaptive::{AdaptiveLimit, Admitted};
pub use algorithm::Algorithm;
pub use backoff::Backoff;
pub use balancer::{Balancer, Endpoint};
pub use breaker::{Admission, Breaker, BreakerSettings, BreakerState, Outcome, Refused, WindowSettings};
pub use budget::{BudgetSettings, RetryBudget, Retrying};
pub use change::{BreakerCause, BreakerChange, Changes, HealthCause, HealthChange};
pub use gradient::{Gradient, GradientSettings, WindowSample};
pub use hash::hash;
pub use health::{Alarm, Calm, EjectionSettings, EndpointHealth, Finding, Out, Panel, Survey, Thresholds};
pub use load::{DEFAULT_TIME_CONSTANT, EndpointLoad, InFlight};
pub use tried::Tried;
