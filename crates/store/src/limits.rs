//! What a store can do for a limit.

use crate::StoreError;
use crate::wire;
use std::future::Future;
use std::sync::OnceLock;
use torana_limit::{Ask, Budget, Grant, Key, Returned};

/// A limit that lies in a store.
#[derive(Clone, Debug)]
pub struct StoredLimit {
    /// What its ledgers are found by: limits with one identity count together.
    pub id: Box<str>,
    /// What every caller has.
    pub budget: Budget,
    /// The budget as the script's arguments.
    pub(crate) arguments: Box<[String]>,
    /// Changes with the budget: a limit that changed begins anew.
    pub(crate) shape: Box<str>,
    /// What the names of its ledgers begin with, in the store of that number.
    pub(crate) prefix: OnceLock<(u64, Box<str>)>,
}

impl StoredLimit {
    /// A limit.
    #[must_use]
    pub fn new(id: &str, budget: Budget) -> Self {
        let arguments: Box<[String]> = wire::arguments(&budget).into();
        let shape = arguments.join(" ").into();
        Self { id: id.into(), budget, arguments, shape, prefix: OnceLock::new() }
    }
}

/// What a store can do for a limit. The store's clock decides; every call is one step that no other comes
/// between.
#[allow(async_fn_in_trait, reason = "called statically, on the thread that asks")]
pub trait LimitStore {
    /// Takes from a caller's budget, all windows or none.
    ///
    /// # Errors
    /// The store did not answer. It may have taken something all the same; that is lost, not used.
    fn take(
        &self,
        limit: &StoredLimit,
        key: Key<'_>,
        ask: Ask,
    ) -> impl Future<Output = Result<Grant, StoreError>>;

    /// Gives back permits that were never used. When this fails they are lost.
    ///
    /// # Errors
    /// The store did not answer.
    fn give_back(
        &self,
        limit: &StoredLimit,
        key: Key<'_>,
        returned: Returned,
    ) -> impl Future<Output = Result<(), StoreError>>;

    /// How a caller stands.
    ///
    /// # Errors
    /// The store did not answer.
    fn look(&self, limit: &StoredLimit, key: Key<'_>) -> impl Future<Output = Result<Grant, StoreError>>;

    /// Forgets what every caller of this limit has used.
    ///
    /// # Errors
    /// The store did not answer.
    fn reset(&self, limit: &StoredLimit) -> impl Future<Output = Result<(), StoreError>>;
}
