//! The balancer: an immutable list of endpoints, an algorithm, a shared turn.

use crate::algorithm::Algorithm;
use crate::load::{EndpointLoad, InFlight};
use crate::maglev::Maglev;
use crate::ring::Ring;
use crate::rotation::Rotation;
use crate::tried::Tried;
use crate::turn::Turn;
use crate::{choice, least_connections, two_choices};
use std::sync::Arc;

/// Turns that a first attempt spends on ejected endpoints before it draws among the others instead.
const TURNS: usize = 16;

/// One endpoint in the list.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Who it is, whatever its place in the list: the [`hash`](crate::hash) of its address. Only the hash
    /// balancers look at it.
    pub identity: u64,
    /// Relative share; 0 drains the endpoint. Any value up to `u32::MAX`; only ratios matter.
    pub weight: u32,
    /// What is known about it, kept by identity across lists.
    pub load: Arc<EndpointLoad>,
}

/// Chooses an endpoint for each request; see the crate's documentation.
#[derive(Debug)]
pub struct Balancer {
    algorithm: Algorithm,
    endpoints: Box<[Endpoint]>,
    rotation: Rotation,
    turn: Arc<Turn>,
    table: Table,
}

/// Where keys go; for the hash balancers only.
#[derive(Debug)]
enum Table {
    None,
    Ring(Ring),
    Maglev(Maglev),
}

impl Balancer {
    /// A balancer that begins at turn 0. An empty list is allowed and picks nothing.
    #[must_use]
    pub fn new(algorithm: Algorithm, endpoints: Vec<Endpoint>) -> Self {
        Self::with_turn(algorithm, endpoints, Arc::default())
    }

    /// A balancer over a changed list that goes on where this one is. Both share the turn, so requests that
    /// still hold the old snapshot do not repeat turns of the new one.
    #[must_use]
    pub fn rebuild(&self, algorithm: Algorithm, endpoints: Vec<Endpoint>) -> Self {
        Self::with_turn(algorithm, endpoints, Arc::clone(&self.turn))
    }

    fn with_turn(algorithm: Algorithm, endpoints: Vec<Endpoint>, turn: Arc<Turn>) -> Self {
        let rotation = Rotation::new(endpoints.iter().map(|endpoint| match algorithm {
            Algorithm::RoundRobin => endpoint.weight.min(1),
            _ => endpoint.weight,
        }));
        let shares = || endpoints.iter().map(|endpoint| (endpoint.identity, endpoint.weight));
        let table = match algorithm {
            Algorithm::RingHash => Table::Ring(Ring::new(shares())),
            Algorithm::Maglev => Table::Maglev(Maglev::new(shares())),
            _ => Table::None,
        };
        Self { algorithm, endpoints: endpoints.into(), rotation, turn, table }
    }

    /// The index of the endpoint that takes this request.
    ///
    /// `random` is any uniformly random word (for the hash balancers the [`hash`](crate::hash) of the key, the
    /// same at every attempt) and `now_nanos` the caller's monotonic clock (only
    /// [`Algorithm::TwoChoices`] reads it). `tried` are the endpoints this request has already used and
    /// `ejected` those that must not serve anybody; neither is ever returned, nor is an endpoint of weight 0.
    /// `None` when nothing is left.
    ///
    /// In the rotations a first attempt takes turns until one falls on an endpoint that serves, so that the
    /// shares of the remaining endpoints stay exact while one is ejected; a further attempt is drawn at
    /// random by weight, because it would otherwise spend turns that belong to other requests.
    #[must_use]
    pub fn pick(
        &self,
        random: u64,
        now_nanos: u64,
        tried: &Tried,
        ejected: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let eligible = |index: usize| !tried.contains(index) && !ejected(index);
        match self.algorithm {
            Algorithm::RoundRobin | Algorithm::WeightedRoundRobin => self.rotate(random, tried, eligible),
            Algorithm::LeastConnections => {
                least_connections::pick(&self.endpoints, &self.rotation, &self.turn, eligible)
            }
            Algorithm::TwoChoices => {
                two_choices::pick(&self.endpoints, &self.rotation, random, now_nanos, eligible)
            }
            Algorithm::RingHash | Algorithm::Maglev => match &self.table {
                Table::Ring(ring) => ring.find(random, eligible),
                Table::Maglev(maglev) => maglev.find(random, eligible),
                Table::None => None,
            },
        }
    }

    /// Requests in flight at all endpoints together.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        let counts = self.endpoints.iter().map(|endpoint| endpoint.load.in_flight());
        counts.fold(0, u32::saturating_add)
    }

    /// Counts a request in flight at an endpoint; `None` for an index beyond the list.
    #[must_use]
    pub fn begin(&self, index: usize) -> Option<InFlight> {
        self.endpoints.get(index).map(|endpoint| endpoint.load.begin())
    }

    /// The list, in the order of the indices.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// How this balancer chooses.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    fn rotate(&self, random: u64, tried: &Tried, eligible: impl Fn(usize) -> bool) -> Option<usize> {
        if tried.is_empty() {
            for _ in 0..TURNS {
                let index = self.at_turn(self.turn.take())?;
                if eligible(index) {
                    return Some(index);
                }
            }
        }
        choice::by_weight(&self.rotation, random, eligible, self.endpoints.len())
    }

    fn at_turn(&self, turn: u64) -> Option<usize> {
        let point = match self.algorithm {
            // People expect the order of the list here, and equal weights need no spreading.
            Algorithm::RoundRobin => {
                u32::try_from(turn.checked_rem(u64::from(self.rotation.total()))?).ok()?
            }
            _ => self.rotation.point(turn)?,
        };
        self.rotation.at(point)
    }
}
