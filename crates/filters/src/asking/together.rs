//! One question for everybody who would ask it at the same time, on whichever thread they are.

use super::Printed;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Questions that others may join; more than these are asked alone.
const JOINABLE: usize = 4096;

type Awaited<V> = watch::Receiver<Option<V>>;
type Open<V> = Arc<Mutex<HashMap<Printed, Awaited<V>>>>;

/// Questions under way, by what is asked.
#[derive(Debug)]
pub(crate) struct Together<V>(Open<V>);

impl<V> Default for Together<V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

/// Who asks; the question ends with it, answered or not.
struct Lead<V> {
    open: Open<V>,
    what: Printed,
    told: watch::Sender<Option<V>>,
}

impl<V> Drop for Lead<V> {
    fn drop(&mut self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.what);
    }
}

enum Part<V> {
    Lead(Lead<V>),
    Follow(Awaited<V>),
    Alone,
}

impl<V: Clone> Together<V> {
    /// The answer to `what`: by `ask`, or that of somebody who asks the same now. When that one gives up,
    /// because its client left, another takes over.
    pub(crate) async fn ask(&self, what: Printed, ask: impl AsyncFnOnce() -> V) -> V {
        loop {
            match self.part(what) {
                Part::Alone => return ask().await,
                Part::Lead(lead) => {
                    let answer = ask().await;
                    lead.told.send_replace(Some(answer.clone()));
                    return answer;
                }
                Part::Follow(mut awaited) => {
                    if let Ok(answer) = awaited.wait_for(Option::is_some).await
                        && let Some(answer) = &*answer
                    {
                        return answer.clone();
                    }
                }
            }
        }
    }

    fn part(&self, what: Printed) -> Part<V> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(awaited) = open.get(&what) {
            return Part::Follow(awaited.clone());
        }
        if open.len() >= JOINABLE {
            return Part::Alone;
        }
        let (told, awaited) = watch::channel(None);
        open.insert(what, awaited);
        Part::Lead(Lead { open: Arc::clone(&self.0), what, told })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::future::{pending, poll_fn};
    use std::pin::pin;
    use std::task::Poll;

    /// Runs a future once and says whether it waits.
    async fn waits<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
        poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
    }

    #[tokio::test]
    async fn who_asks_the_same_shares_the_answer_and_others_do_not() {
        let together = Together::default();
        let (gate, asked) = (tokio::sync::Notify::new(), Cell::new(0));
        let ask = async || {
            asked.set(asked.get() + 1);
            gate.notified().await;
            asked.get()
        };
        let mut first = pin!(together.ask([1; 32], ask));
        assert!(waits(first.as_mut()).await);
        let mut second = pin!(together.ask([1; 32], async || 99));
        assert!(waits(second.as_mut()).await);
        assert_eq!(together.ask([2; 32], async || 7).await, 7);
        gate.notify_one();
        assert_eq!((first.await, second.await, asked.get()), (1, 1, 1));
        assert!(together.0.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn when_the_one_who_asks_leaves_another_takes_over() {
        let together = Together::default();
        let mut leader = Box::pin(together.ask([1; 32], async || pending::<u8>().await));
        assert!(waits(leader.as_mut()).await);
        let mut second = pin!(together.ask([1; 32], async || 2));
        assert!(waits(second.as_mut()).await);
        drop(leader);
        assert_eq!(second.await, 2);
    }
}
