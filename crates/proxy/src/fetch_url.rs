//! Fetching by URL on the chores' thread: one pool for each origin, closed when it was idle.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use torana_fault::{Fault, Reason};
use torana_http::h1::HeadLimits;
use torana_http::{Known, RequestHead};
use torana_transport::{
    Address, Endpoint, EndpointSettings, Fetch, FetchLimits, Fetched, Pool, Protocol, ServerVerification,
    Timer, TlsClient, TlsClientContext, TlsClientSettings, TlsError, TlsVersion, Unwatched,
};
use torana_types::{EndpointUrl, ResourceUrl};

/// Origins that are remembered with their connections.
const ORIGINS: usize = 8;

/// Asks by URL. Lives on one thread.
#[derive(Default)]
pub(crate) struct UrlClient {
    pools: RefCell<HashMap<EndpointUrl, Rc<Pool>>>,
    timer: Timer,
}

impl UrlClient {
    /// The answer of a GET, bounded.
    ///
    /// # Errors
    /// See [`Fetch::whole`].
    pub(crate) async fn get(
        &self,
        url: &ResourceUrl,
        timeout: Duration,
        body_bytes: usize,
    ) -> Result<Fetched, Fault> {
        self.ask(url, RequestHead::default(), b"", timeout, body_bytes).await
    }

    /// The answer to a form that is posted, bounded. `authorization` is the value of that field.
    ///
    /// # Errors
    /// See [`Fetch::whole`].
    pub(crate) async fn post_form(
        &self,
        url: &ResourceUrl,
        form: &str,
        authorization: Option<&str>,
        timeout: Duration,
        body_bytes: usize,
    ) -> Result<Fetched, Fault> {
        let mut request = RequestHead::default();
        request.set_method("POST");
        request.fields.insert(Known::ContentType, b"application/x-www-form-urlencoded")?;
        request.fields.insert(Known::ContentLength, form.len().to_string().as_bytes())?;
        if let Some(authorization) = authorization {
            request.fields.insert(Known::Authorization, authorization.as_bytes())?;
        }
        self.ask(url, request, form.as_bytes(), timeout, body_bytes).await
    }

    async fn ask(
        &self,
        url: &ResourceUrl,
        mut request: RequestHead,
        body: &[u8],
        timeout: Duration,
        body_bytes: usize,
    ) -> Result<Fetched, Fault> {
        if body.is_empty() {
            request.set_method("GET");
        }
        let valid =
            request.set_path(url.path().as_bytes()) && request.set_query(url.query().map(str::as_bytes));
        if !valid {
            return Err(Fault::new(Reason::Internal).because("the URL cannot be asked for"));
        }
        request.fields.insert(Known::Host, url.origin().authority().as_bytes())?;
        request.fields.insert(Known::Accept, b"application/json")?;
        request.fields.insert(Known::UserAgent, b"torana")?;
        let limits = FetchLimits { timeout, body_bytes, head: HeadLimits::default() };
        let pool = self.pool(url.origin())?;
        let fetch = Fetch { pool: &pool, timer: &self.timer, request: &request, body, limits };
        fetch.whole(&mut Unwatched::default()).await
    }

    fn pool(&self, origin: &EndpointUrl) -> Result<Rc<Pool>, Fault> {
        let mut pools = self.pools.borrow_mut();
        if let Some(pool) = pools.get(origin) {
            return Ok(Rc::clone(pool));
        }
        if pools.len() >= ORIGINS {
            pools.clear();
        }
        let address = match origin.ip() {
            Some(ip) => Address::Socket(SocketAddr::new(ip, origin.port())),
            None => Address::Name(origin.host().into(), origin.port()),
        };
        let tls = if origin.is_secure() { Some(verified(origin)?) } else { None };
        let pool = Pool::new(Endpoint::reached_by(address, EndpointSettings::default(), tls, None));
        pools.insert(origin.clone(), Rc::clone(&pool));
        Ok(pool)
    }
}

/// TLS that asks for the origin's name and believes whom the system believes.
fn verified(origin: &EndpointUrl) -> Result<Arc<TlsClient>, Fault> {
    let failed = |error: TlsError| Fault::new(Reason::UpstreamTlsFailed).because(error.to_string());
    let settings = TlsClientSettings {
        verification: ServerVerification::System,
        certificate: None,
        lowest: TlsVersion::Tls12,
        protocols: vec![Protocol::Http1.alpn().to_vec()],
    };
    let context = Arc::new(TlsClientContext::new(settings).map_err(failed)?);
    TlsClient::new(&context, origin.host()).map(Arc::new).map_err(failed)
}

/// Whether the answer is a 200. A redirection is not followed: it could lead anywhere.
pub(crate) fn is_ok(fetched: &Fetched) -> Result<(), String> {
    match fetched.head.status {
        200 => Ok(()),
        status @ 300..400 => Err(format!("the answer is a redirection ({status}), which is not followed")),
        status => Err(format!("the answer is {status}")),
    }
}
