//! Whether a name that somebody else vouches for is that of a consumer.

use std::sync::Arc;
use torana_config::written::ConsumerLookup;
use torana_credential::directory::Directory;
use torana_filter::Consumer;

/// Nobody has the name, and somebody has to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the caller is no consumer")]
pub(crate) struct Unknown;

/// The consumer of this name, as far as it is asked for.
pub(crate) fn consumer(
    consumers: &Directory,
    lookup: ConsumerLookup,
    name: &str,
) -> Result<Option<Arc<Consumer>>, Unknown> {
    if lookup == ConsumerLookup::Off {
        return Ok(None);
    }
    let found = consumers.consumer(name).or_else(|| consumers.by_custom_id(name));
    match (found, lookup) {
        (None, ConsumerLookup::Required) => Err(Unknown),
        (found, _) => Ok(found.cloned()),
    }
}
