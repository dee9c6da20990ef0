//! A thread with one runtime, whose tasks stay on it.

use std::io;
use std::sync::mpsc;
use std::thread::{Builder, JoinHandle};
use tokio::runtime::LocalOptions;

/// Starts a thread that does what `work` gives, which is made there and may begin local tasks. The thread ends with
/// it and gives `None` where it could do nothing, which is told here.
///
/// # Errors
/// The thread or its runtime cannot be made.
pub(crate) fn start<F>(
    name: String,
    work: impl FnOnce() -> F + Send + 'static,
) -> io::Result<JoinHandle<Option<F::Output>>>
where
    F: Future<Output: Send + 'static> + 'static,
{
    let (tell, told) = mpsc::sync_channel(1);
    let thread = Builder::new().name(name).spawn(move || {
        // It belongs to the thread that it was made on.
        let made =
            tokio::runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        let (runtime, error) = match made {
            Ok(runtime) => (Some(runtime), Ok(())),
            Err(error) => (None, Err(error)),
        };
        // Who started it waits for this.
        let _ = tell.send(error);
        Some(runtime?.block_on(work()))
    })?;
    told.recv().map_err(io::Error::other)??;
    Ok(thread)
}
