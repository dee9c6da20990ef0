//! A request while it is served. Whatever becomes of it, it is counted and gets its line.

use super::Passage;
use super::record::{Traffic, observe};
use crate::body::Replay;
use torana_fault::{Fault, Reason};
use torana_filter::Exchange;
use torana_observe::RouteMetrics;
use torana_transport::{RequestBody, ResponseSink};

/// Counts and logs when dropped: at the end, or wherever the worker gives up because its time to drain is
/// over.
pub(super) struct Served<'s, 'p, B: RequestBody, R: ResponseSink> {
    pub(super) passage: &'s Passage<'p>,
    pub(super) exchange: &'s mut Exchange,
    pub(super) body: Replay<'s, B>,
    pub(super) response: &'s mut R,
    pub(super) unrouted: &'s RouteMetrics,
}

impl<B: RequestBody, R: ResponseSink> Drop for Served<'_, '_, B, R> {
    fn drop(&mut self) {
        let record = &self.passage.record;
        if !record.ended.get() {
            record.fault(match std::thread::panicking() {
                true => Fault::new(Reason::Internal).because("a mistake of the gateway's own"),
                false => Fault::new(Reason::Draining).because("cut off at the end of the drain"),
            });
            record.cut(self.response.is_started());
        }
        let traffic = Traffic { received: self.body.bytes_read(), sent: self.response.bytes_sent() };
        observe(self.passage, self.exchange, self.unrouted, traffic);
    }
}
