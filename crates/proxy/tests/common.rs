//! A gateway of one worker in front of fixed endpoints: the real driver, pools and attempts, no router.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::panic,
    reason = "shared by test binaries that use parts of it"
)]

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;
use torana_balance::{Algorithm, Balancer, Endpoint as Weighted};
use torana_fault::Fault;
use torana_filter::{Attempt, Exchange, Response};
use torana_http::h1::{BodyFraming, remove_hop_by_hop};
use torana_http::{Fields, ResponseHead};
use torana_proxy::{
    CLAIMS, Call, Forwarded, Parties, Pools, Replay, RequestIds, Responder, RetryPolicy, Told, Upstream,
    UpstreamEndpoint, UpstreamTimeouts, ViaName, forward, render,
};
use torana_transport::{
    Address, ConnectionInfo, Drain, Endpoint, EndpointSettings, RequestBody, ResponseSink, ServerSettings,
    Service, Timer, bind, serve_listener,
};

/// What a test may turn.
#[derive(Clone)]
pub struct Options {
    pub server: ServerSettings,
    pub timeouts: UpstreamTimeouts,
    pub endpoint: EndpointSettings,
    pub retries: RetryPolicy,
}

impl Default for Options {
    fn default() -> Self {
        let timeouts = UpstreamTimeouts {
            first_byte: Duration::from_secs(5),
            idle: Duration::from_secs(5),
            total: Some(Duration::from_secs(30)),
            tunnel: Duration::from_secs(30),
        };
        let retries = RetryPolicy::connecting(3);
        Self { server: ServerSettings::default(), timeouts, endpoint: EndpointSettings::default(), retries }
    }
}

/// A running gateway; ends when dropped.
pub struct Gateway {
    pub address: SocketAddr,
    pub endpoints: Vec<Arc<Endpoint>>,
    drain: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Fixed {
    upstream: Upstream,
    pools: Rc<Pools>,
    options: Options,
    ids: RequestIds,
    forwarded: Forwarded,
}

struct Plain;

impl Responder for Plain {
    fn on_attempt(&mut self, _: &mut Exchange, _: &Attempt<'_>) -> Result<(), Fault> {
        Ok(())
    }

    fn on_taken(&mut self, _: usize) {}

    fn on_first_byte(&mut self, _: Duration) {}

    fn on_taken_back(&mut self) {}

    fn on_switch(&mut self) {}

    async fn on_response(&mut self, _: &mut Exchange, _: &mut ResponseHead) -> Result<(), Fault> {
        Ok(())
    }
}

impl Fixed {
    async fn answer(&self, fault: &Fault, close: bool, response: &mut impl ResponseSink) {
        let Response { head, body } = render(fault, None);
        response.start(&head, BodyFraming::Length(body.len() as u64), close);
        let sent = std::future::poll_fn(|context| response.poll_write(context, &body)).await;
        if sent.and_then(|()| response.finish(&Fields::default())).is_ok() {
            let _ = std::future::poll_fn(|context| response.poll_flush(context)).await;
        }
    }
}

impl Service for Fixed {
    type Request = Exchange;
    type Memory = Told;

    fn room(&self) -> Box<Exchange> {
        Box::default()
    }

    fn take_back(&self, _: Box<Exchange>) {}

    async fn serve(
        &self,
        connection: &ConnectionInfo,
        told: &Told,
        timer: &Timer,
        exchange: &mut Exchange,
        body: &mut impl RequestBody,
        response: &mut impl ResponseSink,
    ) {
        let names_fields = exchange.request.connection.names_fields;
        remove_hop_by_hop(&mut exchange.request.fields, names_fields);
        exchange.request.fields.remove_known(CLAIMS);
        self.forwarded.apply(&mut exchange.request, connection, told).expect("no loop here");
        let call = Call {
            upstream: &self.upstream,
            timeouts: &self.options.timeouts,
            pools: &self.pools,
            timer,
            begun: torana_transport::now(),
            random: self.ids.word(),
            key: None,
            preferred: None,
            client: None,
        };
        let (replay, responder) = (&mut Replay::new(body), &mut Plain);
        let parties = Parties { exchange, body: replay, response, responder };
        if let Err(fault) = forward(&call, parties).await
            && !response.is_started()
        {
            self.answer(&fault, !body.is_done(), response).await;
        }
    }

    async fn refuse(
        &self,
        _: &ConnectionInfo,
        _: &mut Exchange,
        fault: Fault,
        response: &mut impl ResponseSink,
    ) {
        self.answer(&fault, true, response).await;
    }

    fn settings(&self) -> Rc<ServerSettings> {
        Rc::new(self.options.server)
    }

    fn opened(&self) {}

    fn closed(&self) {}
}

impl Gateway {
    pub fn in_front_of(origins: &[SocketAddr]) -> Self {
        Self::with(origins, Options::default())
    }

    pub fn with(origins: &[SocketAddr], options: Options) -> Self {
        let endpoints: Vec<_> = origins
            .iter()
            .map(|address| Endpoint::new(Address::Socket(*address), options.endpoint))
            .collect();
        let shared = endpoints.clone();
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (drain, drained) = oneshot::channel();
        let thread = std::thread::spawn(move || run(listener, shared, options, drained));
        Self { address, endpoints, drain: Some(drain), thread: Some(thread) }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.drain.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the gateway's thread panicked");
        }
    }
}

fn run(
    listener: std::net::TcpListener,
    endpoints: Vec<Arc<Endpoint>>,
    options: Options,
    drained: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let weighted = |identity| Weighted { identity, weight: 1, load: Arc::default() };
    let list = (0..).zip(&endpoints).map(|(identity, _)| weighted(identity)).collect();
    let numbered = endpoints.into_iter().enumerate().map(|(number, endpoint)| {
        let authority = endpoint.address.to_string();
        UpstreamEndpoint::new(number, endpoint, authority)
    });
    let balancer = Balancer::new(Algorithm::RoundRobin, list);
    let mut upstream = Upstream::new("test".into(), balancer, numbered.collect());
    upstream.retries = options.retries.clone();
    upstream.upgrades = vec!["websocket".into()];
    let pools = Rc::new(Pools::default());
    let service = Rc::new(Fixed {
        upstream,
        pools: Rc::clone(&pools),
        options,
        ids: RequestIds::default(),
        forwarded: Forwarded::new(true, false, Some(ViaName::new("torana"))),
    });
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async move {
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        tokio::task::spawn_local(async move { pools.keep_house(|| {}).await });
        tokio::select! {
            () = serve_listener(listener, 0, service, Rc::new(Drain::default()), |_| {}) => {}
            _ = drained => {}
        }
    });
}
