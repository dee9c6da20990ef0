//! Which addresses may call. Deny comes before allow.

mod set;

use set::NetworkSet;
use std::net::IpAddr;
use std::sync::Arc;
use torana_fault::{Fault, Reason};
use torana_filter::{Exchange, OnRequest, Outside, Verdict};
use torana_plan::IpRestrictionPlan;
use torana_types::counted;

/// What stands for the client's address in a message.
const ADDRESS: &str = "{address}";

/// Which addresses may call.
#[derive(Clone, Debug)]
pub struct IpRestrictionFilter {
    sets: Arc<(NetworkSet, NetworkSet)>,
    plan: Arc<IpRestrictionPlan>,
}

impl IpRestrictionFilter {
    /// Prepares the filter.
    #[must_use]
    pub fn prepare(plan: &Arc<IpRestrictionPlan>) -> Self {
        let sets = (NetworkSet::new(&plan.allow), NetworkSet::new(&plan.deny));
        Self { sets: Arc::new(sets), plan: Arc::clone(plan) }
    }

    /// What it asks for.
    #[must_use]
    pub fn describe(&self) -> String {
        let (allow, deny) = &*self.sets;
        match (allow.networks(), deny.networks()) {
            (allow, 0) => format!("a client in one of {}", counted(allow, "network")),
            (0, deny) => format!("a client in none of {}", counted(deny, "network")),
            (allow, deny) => {
                format!("a client in one of {} and in none of {deny}", counted(allow, "network"))
            }
        }
    }
}

impl IpRestrictionFilter {
    /// What the operator has this caller read.
    fn message(&self, address: IpAddr) -> Option<Arc<str>> {
        let message = self.plan.message.as_ref()?;
        if message.contains(ADDRESS) {
            return Some(message.replace(ADDRESS, &address.to_string()).into());
        }
        Some(Arc::clone(message))
    }
}

impl OnRequest for IpRestrictionFilter {
    async fn on_request(&self, exchange: &mut Exchange, _: &dyn Outside) -> Verdict {
        let (allow, deny) = &*self.sets;
        let address = exchange.client_address;
        let refused = if deny.contains(address) {
            "denied"
        } else if allow.networks() > 0 && !allow.contains(address) {
            "not among those that may"
        } else {
            return Verdict::Continue;
        };
        let detail = format!("{address} is {refused}");
        let fault = Fault::new(Reason::AddressNotAllowed).because(detail);
        Verdict::Fail(fault.with_status(self.plan.status).with_message(self.message(address)))
    }
}
