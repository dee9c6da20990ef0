//! What goes on beside the requests: fetching key sets, probing endpoints, watching sources.
//!
//! Chores run on one thread of their own with one runtime; they can delay each other but never a request.
//! A chore holds what it works for weakly and ends when that is gone. Probers and who fetches keys end before, when what is
//! in force needs them no more: requests under way hold the rest for long.

use crate::local_thread;
use std::future::Future;
use std::io;
use std::pin::Pin;
use tokio::sync::mpsc;

type Task = Pin<Box<dyn Future<Output = ()>>>;
type Chore = Box<dyn FnOnce() -> Task + Send>;

/// A handle to the thread that does chores. The thread ends with the last handle.
#[derive(Clone, Debug)]
pub struct Chores(mpsc::UnboundedSender<Chore>);

impl Chores {
    /// Starts the thread.
    ///
    /// # Errors
    /// The thread or its runtime cannot be made.
    pub fn start() -> io::Result<Self> {
        let (sender, mut receiver) = mpsc::unbounded_channel::<Chore>();
        local_thread::start("chores".into(), move || async move {
            while let Some(chore) = receiver.recv().await {
                tokio::task::spawn_local(chore());
            }
        })?;
        Ok(Self(sender))
    }

    /// Does a chore. `make` runs on the chores' thread and gives what is to be done there; that may hold
    /// pools and other things that cannot move between threads.
    pub fn begin<F>(&self, make: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = ()> + 'static,
    {
        // The thread lives as long as a handle does.
        let _ = self.0.send(Box::new(move || Box::pin(make()) as Task));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn chores_run_side_by_side_on_a_thread_of_their_own() {
        let chores = Chores::start().unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        let (first, second) = tokio::sync::oneshot::channel::<()>();
        let told = sender.clone();
        chores.begin(move || async move {
            second.await.unwrap();
            told.send(std::thread::current().name().map(str::to_owned)).unwrap();
        });
        chores.begin(move || async move { first.send(()).unwrap() });
        let name = receiver.recv_timeout(Duration::from_secs(30)).unwrap();
        assert_eq!(name.as_deref(), Some("chores"));
    }
}
