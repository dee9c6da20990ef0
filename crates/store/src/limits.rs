//! What a store can do for a limit.

use crate::StoreError;
use crate::{batch, wire};
use std::borrow::Cow;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use torana_limit::{Ask, Budget, Grant, Key, Returned};

/// How the script writes ledgers; where that changes they have other names.
const FORM: &str = "packed, with what is owed";

/// A limit that lies in a store. Clones are the same limit.
#[derive(Clone, Debug)]
pub struct StoredLimit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: Box<str>,
    budget: Budget,
    arguments: Box<[String]>,
    shape: Box<str>,
    most_ledgers: usize,
    prefix: OnceLock<(u64, Box<str>)>,
}

impl StoredLimit {
    /// A limit.
    #[must_use]
    pub fn new(id: &str, budget: Budget) -> Self {
        let arguments: Box<[String]> = wire::arguments(&budget).into();
        let shape = format!("{FORM} {}", arguments.join(" ")).into();
        let most_ledgers = batch::most_ledgers(&budget);
        Self(Arc::new(Inner {
            id: id.into(),
            budget,
            arguments,
            shape,
            most_ledgers,
            prefix: OnceLock::new(),
        }))
    }

    /// What its ledgers are found by: limits with one identity count together.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// What every caller has.
    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.0.budget
    }

    /// The budget as the script's arguments.
    pub(crate) fn arguments(&self) -> &[String] {
        &self.0.arguments
    }

    /// Changes with the budget: a limit that changed begins anew.
    pub(crate) fn shape(&self) -> &str {
        &self.0.shape
    }

    /// What the names of its ledgers begin with in the store of that number: computed once, because a limit belongs
    /// to one store.
    pub(crate) fn prefix(&self, store: u64, compute: impl Fn() -> String) -> Cow<'_, str> {
        let (number, prefix) = self.0.prefix.get_or_init(|| (store, compute().into()));
        if *number == store { Cow::Borrowed(prefix) } else { Cow::Owned(compute()) }
    }

    /// How many callers one command may be about.
    pub(crate) fn most_ledgers(&self) -> usize {
        self.0.most_ledgers
    }

    /// The same for clones of one another, and for no others that are there.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Whether they are clones of one another.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// What a store can do for a limit. The store's clock decides; every call is one step that no other comes
/// between.
#[allow(async_fn_in_trait, reason = "called statically, on the thread that asks")]
pub trait LimitStore {
    /// Takes from a caller's budget, all windows or none.
    ///
    /// # Errors
    /// The store did not answer. It may have taken something all the same, which is not used: it goes back when the answer
    /// comes after all, or is lost.
    fn take(
        &self,
        limit: &StoredLimit,
        key: Key<'_>,
        ask: Ask,
    ) -> impl Future<Output = Result<Grant, StoreError>>;

    /// Charges what a request turned out to cost beyond what it took, whether or not it is there; see
    /// [`Budget::charge`].
    ///
    /// # Errors
    /// The store did not answer. It may have charged all the same.
    fn charge(
        &self,
        limit: &StoredLimit,
        key: Key<'_>,
        cost: u64,
    ) -> impl Future<Output = Result<(), StoreError>>;

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
