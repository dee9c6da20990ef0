//! The store of limits that several gateways share.

use crate::registry::Registry;
use std::sync::Arc;
use torana_filters::{RedisStore, StoreAddress, StoreSettings, Topology};
use torana_plan::{Settings, StoreArrangement, StorePlan};

/// The store: the one in use where nothing about it changed. Nothing is connected here, so that a gateway
/// starts without it.
pub(super) fn store(settings: &Settings, registry: &mut Registry) -> Option<Arc<RedisStore>> {
    let plan = settings.store.as_ref()?;
    let clock = registry.clock;
    Some(registry.stores.get_or(plan.clone(), || RedisStore::on_node(store_settings(plan), clock)))
}

fn store_settings(plan: &StorePlan) -> StoreSettings {
    let places: Vec<StoreAddress> =
        plan.places.iter().map(|place| StoreAddress { host: place.host.clone(), port: place.port }).collect();
    let topology = match &plan.arrangement {
        StoreArrangement::Sentinel(master) => {
            Topology::Sentinel { master: master.clone(), sentinels: places }
        }
        StoreArrangement::Cluster => Topology::Cluster(places),
        StoreArrangement::Single => {
            Topology::Single(places.into_iter().next().expect("a planned store has at least one place"))
        }
    };
    StoreSettings {
        topology,
        username: plan.username.clone(),
        password: plan.password.clone(),
        database: plan.database,
        tls: plan.tls,
        ca: plan.ca.clone(),
        timeout: plan.timeout.as_duration(),
        connect_timeout: plan.connect_timeout.as_duration(),
        gateways: plan.gateways.get(),
        key: plan.key.clone(),
    }
}
