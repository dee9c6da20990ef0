//! What a filter may ask of other services while it decides.
//!
//! Filters know no sockets and no pools. The proxy lends them this; where nothing may be sent, as in an
//! explanation, it lends [`Offline`].

use crate::{BoxFuture, Moment, Response};
use std::time::Duration;
use torana_fault::{Fault, Reason};
use torana_http::RequestHead;

/// The world outside of a request.
pub trait Outside {
    /// Whether anything is there at all; where not, what others count is left alone.
    fn is_there(&self) -> bool {
        true
    }

    /// The clocks, read anew: for what comes after something was waited for. `None` where the request's own moment is
    /// the only one.
    fn moment(&self) -> Option<Moment> {
        None
    }

    /// Sends a request to a service of the configuration, by its number in the plan, and gives the whole
    /// response. Its endpoints are chosen, pooled and guarded like those of any other request.
    ///
    /// The request needs a `Host` field and no framing; the body's length is added.
    /// Fails with the fault of the last attempt, or when the answer is larger or slower than the bounds.
    fn fetch<'a>(
        &'a self,
        service: usize,
        request: &'a mut RequestHead,
        body: &'a [u8],
        bounds: FetchBounds,
    ) -> BoxFuture<'a, Result<Response, Fault>>;
}

/// Bounds of one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FetchBounds {
    /// From the beginning to the last byte of the answer, connecting included.
    pub timeout: Duration,
    /// The longest body of an answer, in bytes.
    pub body_bytes: usize,
}

/// Nothing can be asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Offline;

impl Outside for Offline {
    fn is_there(&self) -> bool {
        false
    }

    fn fetch<'a>(
        &'a self,
        _: usize,
        _: &'a mut RequestHead,
        _: &'a [u8],
        _: FetchBounds,
    ) -> BoxFuture<'a, Result<Response, Fault>> {
        Box::pin(async { Err(Fault::new(Reason::NoEndpoint).because("no service is asked here")) })
    }
}
