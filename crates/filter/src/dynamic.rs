//! Filters from outside the built-in set, behind one virtual call.

use crate::{Exchange, Verdict};
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use torana_http::ResponseHead;

/// A future of a dynamic filter; it runs on the thread that owns the connection.
pub type BoxFuture<'a> = Pin<Box<dyn Future<Output = Verdict> + 'a>>;

/// A filter that the binary does not know at compile time.
pub trait DynamicFilter: Debug + Send + Sync {
    /// The name in configuration, logs and `explain`.
    fn name(&self) -> &str;

    /// See [`crate::OnRequest`].
    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> BoxFuture<'a>;

    /// See [`crate::OnResponse`].
    fn on_response<'a>(&'a self, exchange: &'a mut Exchange, response: &'a mut ResponseHead)
    -> BoxFuture<'a>;
}
