//! Why a store did not answer.

/// Why a store did not answer. None of these says anything about the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no connection, and it is too early to try again.
    #[error("the store cannot be reached")]
    Unavailable,
    /// The answer did not come in time.
    #[error("the store did not answer in time")]
    Late,
    /// What lies under the caller's name in the store is no ledger. Others are decided.
    #[error("the caller's ledger can be neither read nor written")]
    Unreadable,
    /// The store answered with an error, or with something else than was asked for.
    #[error("the store refused: {0}")]
    Refused(String),
}

impl StoreError {
    pub(crate) fn refused(why: &str) -> Self {
        Self::Refused(why.to_owned())
    }
}
