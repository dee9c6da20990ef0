//! Fetching by URL on the chores' thread: one pool for each origin, closed when it was idle.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use torana_fault::{Fault, Reason};
use torana_http::h1::HeadLimits;
use torana_http::{Known, RequestHead};
use torana_transport::{Address, Endpoint, EndpointSettings, FetchLimits, Fetched, Pool, Timer, fetch};
use torana_types::{EndpointUrl, ResourceUrl};

/// Origins that are remembered with their connections.
const ORIGINS: usize = 8;

/// Asks by URL. Lives on one thread.
#[derive(Default)]
pub(crate) struct UrlClient {
    pools: HashMap<EndpointUrl, Rc<Pool>>,
    timer: Timer,
}

impl UrlClient {
    /// The answer of a GET, bounded.
    ///
    /// # Errors
    /// See [`fetch`].
    pub(crate) async fn get(
        &mut self,
        url: &ResourceUrl,
        timeout: Duration,
        body_bytes: usize,
    ) -> Result<Fetched, Fault> {
        let mut request = RequestHead::default();
        request.set_method("GET");
        let valid =
            request.set_path(url.path().as_bytes()) && request.set_query(url.query().map(str::as_bytes));
        if !valid {
            return Err(Fault::new(Reason::Internal).because("the URL cannot be asked for"));
        }
        request.fields.insert(Known::Host, url.origin().authority().as_bytes())?;
        request.fields.insert("Accept", b"application/json")?;
        request.fields.insert("User-Agent", b"torana")?;
        let limits = FetchLimits { timeout, body_bytes, head: HeadLimits::default() };
        fetch(&self.pool(url.origin()), &self.timer, &request, b"", &limits).await
    }

    fn pool(&mut self, origin: &EndpointUrl) -> Rc<Pool> {
        if self.pools.len() >= ORIGINS && !self.pools.contains_key(origin) {
            self.pools.clear();
        }
        let pool = self.pools.entry(origin.clone()).or_insert_with(|| {
            let address = match origin.ip() {
                Some(ip) => Address::Socket(SocketAddr::new(ip, origin.port())),
                None => Address::Name(origin.host().into(), origin.port()),
            };
            Pool::new(Endpoint::new(address, EndpointSettings::default()))
        });
        Rc::clone(pool)
    }
}

/// Whether the answer is a 200. A redirection is not followed: it could lead anywhere.
pub(crate) fn is_ok(fetched: &Fetched) -> Result<(), String> {
    match fetched.head.status {
        200 => Ok(()),
        status @ 300..400 => Err(format!("the answer is a redirection ({status}), which is not followed")),
        status => Err(format!("the answer is {status}")),
    }
}
