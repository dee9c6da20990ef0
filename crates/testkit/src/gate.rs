//! A door that a test opens: replies and body reads that wait for it make an order of events certain, where a
//! sleep would only make it likely.

use std::sync::Arc;

use tokio::sync::watch;

/// Closed when made; [`open`](Gate::open) lets everything through that waits or will wait. Clones are the
/// same gate.
#[derive(Clone, Debug)]
pub struct Gate {
    opened: Arc<watch::Sender<bool>>,
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self { opened: Arc::new(watch::Sender::new(false)) }
    }

    /// Lets everything through, now and later.
    pub fn open(&self) {
        self.opened.send_replace(true);
    }

    /// Whether [`open`](Gate::open) was called.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self.opened.borrow()
    }

    pub(crate) async fn passed(&self) {
        let mut receiver = self.opened.subscribe();
        receiver.wait_for(|opened| *opened).await.expect("the sender lives in self");
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}
