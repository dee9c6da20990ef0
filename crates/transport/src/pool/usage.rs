//! What an endpoint's connections do, in numbers.

use crate::h2::ConnectionEnd;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Counters for metrics. All are read without stopping anybody, so they may be a moment apart.
#[derive(Debug, Default)]
pub struct EndpointUsage {
    open: AtomicUsize,
    idle: AtomicUsize,
    waiting: AtomicUsize,
    created: AtomicU64,
    reused: AtomicU64,
    lost: AtomicU64,
    broken: Mutex<BTreeMap<&'static str, u64>>,
}

impl EndpointUsage {
    /// Connections that are open or being opened.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Connections that sit idle.
    pub fn idle(&self) -> usize {
        self.idle.load(Ordering::Relaxed)
    }

    /// Requests that wait for a connection.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Connections opened since the start.
    pub fn created(&self) -> u64 {
        self.created.load(Ordering::Relaxed)
    }

    /// Requests that found a kept-alive connection.
    pub fn reused(&self) -> u64 {
        self.reused.load(Ordering::Relaxed)
    }

    /// Connections that were given up because the endpoint answered no PING, or took nothing for too long.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// HTTP/2 connections that were ended for what the endpoint did, by the label of the cause.
    pub fn broken(&self) -> Vec<(&'static str, u64)> {
        let broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        broken.iter().map(|(cause, count)| (*cause, *count)).collect()
    }

    pub(super) fn reuse(&self) {
        self.reused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn became_idle(&self) {
        self.idle.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn left_idle(&self) {
        self.idle.fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts a connection more, if fewer than `cap` are open.
    pub(super) fn try_open(&self, cap: usize) -> bool {
        let below = |open: usize| (open < cap).then(|| open.saturating_add(1));
        let opened = self.open.fetch_update(Ordering::SeqCst, Ordering::SeqCst, below).is_ok();
        if opened {
            self.created.fetch_add(1, Ordering::Relaxed);
        }
        opened
    }

    /// Counts a connection less. With a waiter's own order of both, one of the two sees the other: it needs one order for
    /// all.
    pub(super) fn close(&self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }

    /// Counts a request more that waits, if fewer than `limit` do; how many there were.
    pub(super) fn try_wait(&self, limit: usize) -> Option<usize> {
        let below = |waiting: usize| (waiting < limit).then(|| waiting.saturating_add(1));
        self.waiting.fetch_update(Ordering::SeqCst, Ordering::SeqCst, below).ok()
    }

    /// Counts a request less that waits; how many there were.
    pub(super) fn stop_waiting(&self) -> usize {
        self.waiting.fetch_sub(1, Ordering::SeqCst)
    }

    pub(super) fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn broke(&self, end: ConnectionEnd) {
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = broken.entry(end.label()).or_default();
        *count = count.saturating_add(1);
    }
}
