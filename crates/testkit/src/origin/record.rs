//! What an origin remembers, shared between its thread and the test.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::ReceivedRequest;

#[derive(Default)]
pub(super) struct Entries {
    pub(super) requests: Vec<ReceivedRequest>,
    /// How many requests were forgotten: the place of a request in `requests` is its index less this.
    forgotten: usize,
    pub(super) connections_open: usize,
    pub(super) connections_accepted: usize,
    pub(super) bytes_received: u64,
    pub(super) bytes_sent: u64,
    complaints: Vec<String>,
}

#[derive(Default)]
pub(super) struct Record {
    entries: Mutex<Entries>,
}

impl Record {
    /// A poisoned lock only means that a test's assertion failed while it looked.
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the entries; panics with the complaints when there are any.
    #[track_caller]
    pub(super) fn read<T>(&self, look: impl FnOnce(&Entries) -> T) -> T {
        let (value, complaints) = {
            let entries = self.lock();
            (look(&entries), entries.complaints.clone())
        };
        assert!(complaints.is_empty(), "the origin complains: {complaints:#?}");
        value
    }

    /// Keeps the request and returns its index, by which [`update`](Self::update) finds it again.
    pub(super) fn push(&self, request: ReceivedRequest) -> usize {
        let mut entries = self.lock();
        entries.requests.push(request);
        entries.forgotten + entries.requests.len() - 1
    }

    /// Replaces the request at `index`, unless it was forgotten meanwhile.
    pub(super) fn update(&self, index: usize, request: &ReceivedRequest) {
        let mut entries = self.lock();
        let place = index.checked_sub(entries.forgotten);
        if let Some(kept) = place.and_then(|place| entries.requests.get_mut(place)) {
            kept.clone_from(request);
        }
    }

    pub(super) fn forget(&self) {
        let mut entries = self.lock();
        entries.forgotten += entries.requests.len();
        entries.requests.clear();
    }

    pub(super) fn received(&self, bytes: usize) {
        self.lock().bytes_received += bytes as u64;
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.lock().bytes_sent += bytes as u64;
    }

    /// Counts a connection and returns its number, from 1.
    pub(super) fn opened(&self) -> usize {
        let mut entries = self.lock();
        entries.connections_open += 1;
        entries.connections_accepted += 1;
        entries.connections_accepted
    }

    pub(super) fn closed(&self) {
        self.lock().connections_open -= 1;
    }

    #[allow(clippy::print_stderr, reason = "a complaint must stand in the test's log, where it happened")]
    pub(super) fn complain(&self, complaint: String) {
        eprintln!("test origin: {complaint}");
        self.lock().complaints.push(complaint);
    }

    pub(super) fn take_complaints(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().complaints)
    }
}
