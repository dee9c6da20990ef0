//! Filters from outside the built-in set, behind one virtual call.

use crate::{Exchange, Needs, Outside, Verdict};
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use torana_http::ResponseHead;

/// A future behind a pointer, of a dynamic filter or a question to a service; it runs on the thread that
/// owns the connection.
pub type BoxFuture<'a, T = Verdict> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A filter that the binary does not know at compile time.
pub trait DynamicFilter: Debug + Send + Sync {
    /// The name in configuration, logs and `explain`.
    fn name(&self) -> &str;

    /// What must be there before it is asked.
    fn needs(&self) -> Needs {
        Needs::NOTHING
    }

    /// See [`crate::OnRequest`].
    fn on_request<'a>(&'a self, exchange: &'a mut Exchange, outside: &'a dyn Outside) -> BoxFuture<'a>;

    /// See [`crate::OnResponse`].
    fn on_response<'a>(&'a self, exchange: &'a mut Exchange, response: &'a mut ResponseHead)
    -> BoxFuture<'a>;
}
