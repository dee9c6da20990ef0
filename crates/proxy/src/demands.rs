//! What a route asks of whoever calls, and whether another one asks something else.

use std::collections::HashSet;
use torana_plan::RoutePlan;

/// What a route asks of whoever calls.
#[derive(Debug)]
pub struct Demands {
    /// Whether it asks who calls, or lets nobody pass.
    guarded: bool,
    /// Whether it refuses nobody for want of credentials, also where it asks for some.
    admits_anybody: bool,
    /// Where it does both: the same for routes that ask the same of whoever calls.
    open_door: Option<u64>,
    /// What it asks, as numbers: the same for what is the same.
    asks: Box<[u64]>,
    /// Whether any route may ask something that this one does not.
    may_lack: bool,
}

impl Demands {
    /// What each of these routes asks.
    pub(crate) fn of_all(routes: &[RoutePlan]) -> Vec<Self> {
        let mut all: Vec<Self> = routes.iter().map(Self::of).collect();
        let guarded = || all.iter().filter(|demands| demands.guarded);
        let anybody_is_asked = guarded().next().is_some();
        let asked: HashSet<u64> = guarded().flat_map(|demands| demands.asks.iter().copied()).collect();
        for demands in &mut all {
            let own: HashSet<&u64> = demands.asks.iter().collect();
            demands.may_lack = (anybody_is_asked && demands.admits_anybody)
                || asked.iter().any(|number| !own.contains(number));
        }
        all
    }

    fn of(route: &RoutePlan) -> Self {
        Self {
            guarded: route.is_guarded(),
            admits_anybody: route.admits_anybody(),
            open_door: route.open_door(),
            asks: route.asking().into(),
            may_lack: false,
        }
    }

    /// Whether it refuses nobody for want of credentials, also where it asks for some.
    pub(crate) const fn admits_anybody(&self) -> bool {
        self.admits_anybody
    }

    /// Whether any route may ask something that this one does not. Where none does, what else a request is to services
    /// need not be looked at.
    pub(crate) const fn may_lack(&self) -> bool {
        self.may_lack
    }

    /// Whether `other` asks something of who calls that this does not: who is served here might be refused there. Where
    /// this refuses nobody for want of credentials that is any other way to ask who calls. Never true of itself.
    pub(crate) fn lack(&self, other: &Self) -> bool {
        let is_open_alike = || other.open_door.is_some() && other.open_door == self.open_door;
        let asks_more = || other.asks.iter().any(|number| !self.asks.contains(number));
        other.guarded && if self.admits_anybody { !is_open_alike() } else { asks_more() }
    }
}
