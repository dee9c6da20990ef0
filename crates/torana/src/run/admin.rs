//! The thread of the admin pages. They have one of their own, so that neither requests nor the preparing of a
//! large configuration keeps a probe waiting.

use super::control::State;
use anyhow::Context;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use tokio::sync::oneshot;
use torana_admin::{Bounds, Reserve};
use tracing::error;

/// The running admin pages; they end when this is dropped.
#[derive(Debug)]
pub(super) struct Admin {
    pub(super) address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Admin {
    /// Serves on a socket that does not block.
    ///
    /// # Errors
    /// The thread or its runtime cannot be made.
    pub(super) fn start(listener: TcpListener, state: &Arc<State>) -> anyhow::Result<Self> {
        let address = listener.local_addr()?;
        // Here and not on the thread: the workers that start next may have clients who use up all others.
        let reserve = Reserve::take();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let control: Arc<dyn torana_admin::Control> = Arc::clone(state) as _;
        let (stop, stopped) = oneshot::channel();
        let until = async move {
            // Told or dropped: both mean the end.
            let _ = stopped.await;
        };
        let serve = move || {
            runtime.block_on(async move {
                match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => {
                        torana_admin::serve(listener, control, Bounds::default(), reserve, until).await;
                    }
                    Err(problem) => error!("there are no admin pages: {problem}"),
                }
            });
        };
        std::thread::Builder::new().name("admin".into()).spawn(serve).context("cannot start a thread")?;
        Ok(Self { address, _stop: stop })
    }
}
