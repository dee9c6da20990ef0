//! One worker's view of the gateway: it takes a request from the driver, leads it through the pipeline in
//! force, has the answer written and notes what happened.

pub(crate) mod admit;
mod answer;
pub(crate) mod ask;
mod direct;
pub(crate) mod find;
mod outside;
mod pass;
mod record;
mod responder;
mod served;
pub(crate) mod view;
pub(crate) mod way;

use crate::body::Replay;
use crate::forwarded::Told;
use crate::listener::Compared;
use crate::overload::WorkerQueue;
use crate::pipeline::Pipeline;
use crate::render::render_for;
use crate::request_id::{RequestId, RequestIds};
use crate::shared::Shared;
use crate::traffic::Copies;
use crate::upstream::Pools;
use record::{Record, Traffic, observe};
use served::Served;
use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use tokio::time::Instant;
use torana_fault::{Fault, Reason};
use torana_filter::{Exchange, Response};
use torana_http::RequestHead;
use torana_limit::{Memory, Seat};
use torana_observe::Metrics;
use torana_transport::h2::ConnectionEnd;
use torana_transport::{
    ConnectionInfo, Entrance, HandshakeFault, RequestBody, RequestInFlight, ResponseSink, ServerSettings,
    Service, Timer, now, recently,
};

/// Exchanges beyond this number are not kept for later requests.
const KEPT: usize = 64;

/// The gateway on one worker.
#[derive(Debug)]
pub struct Gateway {
    shared: Arc<Shared>,
    /// The pipeline in force as this worker last saw it, so that requests count references on this thread
    /// only.
    current: RefCell<Rc<Held>>,
    pools: Rc<Pools>,
    ids: RequestIds,
    copies: Copies,
    #[expect(clippy::vec_box, reason = "what is lent to the driver is a pointer")]
    spare: RefCell<Vec<Box<Exchange>>>,
    queue: Arc<WorkerQueue>,
    compared: Compared,
}

/// A pipeline that this thread holds once, whatever the number of its requests.
#[derive(Debug)]
struct Held {
    pipeline: Arc<Pipeline>,
    server: Rc<ServerSettings>,
}

impl Held {
    fn new(pipeline: Arc<Pipeline>) -> Self {
        Self { server: Rc::new(pipeline.server), pipeline }
    }
}

/// One request's companions on its way.
#[derive(Debug)]
struct Passage<'a> {
    connection: &'a ConnectionInfo,
    told: &'a Told,
    timer: &'a Timer,
    pipeline: &'a Pipeline,
    metrics: &'a Metrics,
    /// The identifier that we made; the request may have come with its own.
    own_id: RequestId,
    started: Instant,
    record: Record<'a>,
}

impl Gateway {
    /// A worker's gateway.
    #[must_use]
    pub fn new(shared: Arc<Shared>, pools: Rc<Pools>) -> Self {
        let current = RefCell::new(Rc::new(Held::new(shared.pipeline())));
        let queue = shared.overload.worker();
        Self {
            shared,
            current,
            pools,
            ids: RequestIds::default(),
            copies: Copies::default(),
            spare: RefCell::default(),
            queue,
            compared: Compared::default(),
        }
    }

    /// The pipeline in force. After a change the pools of endpoints that are gone are let go.
    fn pipeline(&self) -> Rc<Held> {
        let mut current = self.current.borrow_mut();
        if let Some(latest) = self.shared.changed_from(&current.pipeline) {
            self.let_go(&latest);
            *current = Rc::new(Held::new(latest));
        }
        Rc::clone(&current)
    }

    /// Lets go of the pools of endpoints that are gone.
    fn let_go(&self, pipeline: &Pipeline) {
        self.pools.retain(&pipeline.endpoints);
    }

    /// Measures how long work waits on this worker, for as long as that runs.
    pub(crate) async fn watch_queue(&self) {
        self.queue.watch(|| self.current.borrow().pipeline.overload.queue_delay).await;
    }

    /// Lets go of a pipeline that is no longer in force, also when no request comes.
    pub(crate) fn refresh(&self) {
        self.shared.look_at_the_wall();
        // A request that began before a change may have asked for a pool after it.
        self.let_go(&self.pipeline().pipeline);
    }
}

impl Passage<'_> {
    /// The response for a fault; the fault is noted.
    fn refusal(&self, fault: Fault, request: &RequestHead) -> Response {
        let made = render_for(request, &fault, Some(admit::identifier(self.pipeline, request, &self.own_id)));
        self.record.fault(fault);
        made
    }

    /// Sets the identifier on a response that no route's responder will see.
    fn identify(&self, made: &mut Response, request: &RequestHead) {
        if let Some(field) = &self.pipeline.request_id {
            let id = admit::identifier(self.pipeline, request, &self.own_id);
            // Name and value went through the same check when they were set on the request.
            let _ = made.head.fields.insert(&field.name, id.as_bytes());
        }
    }
}

impl Service for Gateway {
    type Request = Exchange;
    type Memory = Told;

    fn room(&self) -> Box<Exchange> {
        self.spare.borrow_mut().pop().unwrap_or_default()
    }

    fn take_back(&self, mut room: Box<Exchange>) {
        room.clear();
        let mut spare = self.spare.borrow_mut();
        if spare.len() < KEPT {
            spare.push(room);
        }
    }

    async fn serve(
        &self,
        connection: &ConnectionInfo,
        told: &Told,
        timer: &Timer,
        exchange: &mut Exchange,
        body: &mut impl RequestBody,
        response: &mut impl ResponseSink,
    ) {
        let _in_flight = RequestInFlight::begin();
        let started = recently();
        let pipeline = self.pipeline();
        let pipeline = &*pipeline.pipeline;
        exchange.moment = self.shared.moment(started);
        let own_id = self.ids.next();
        let record = Record::default();
        let metrics = &*self.shared.metrics;
        let passage = Passage { connection, told, timer, pipeline, metrics, own_id, started, record };
        admit::identify(pipeline, &mut exchange.request, own_id);
        let body =
            Replay::new(body).within(&self.shared.overload.memory).without(&pipeline.reserved_trailers);
        let mut served =
            Served { passage: &passage, exchange, body, response, unrouted: &self.shared.unrouted };
        if let Err(fault) = self.pass(&passage, served.exchange, &mut served.body, served.response).await {
            let listens = !matches!(fault.reason, Reason::ClientClosed | Reason::ClientWriteTimeout);
            let tell = !served.response.is_started() && fault.reason != Reason::ClientClosed;
            let mut made = passage.refusal(fault, &served.exchange.request);
            if tell {
                passage.identify(&mut made, &served.exchange.request);
                // When this fails the client is gone, and nobody is left to tell.
                let told = answer::answer(&made, &passage, &mut served.body, served.response).await;
                passage.record.incomplete.set(told.is_err());
            } else {
                if passage.record.call.get() && served.response.is_started() && listens {
                    answer::end_call(made, served.response).await;
                }
                passage.record.cut(served.response.is_started());
            }
        }
        passage.record.ended.set(true);
    }

    async fn refuse(
        &self,
        connection: &ConnectionInfo,
        exchange: &mut Exchange,
        fault: Fault,
        response: &mut impl ResponseSink,
    ) {
        let started = now();
        let pipeline = self.pipeline();
        let timer = Timer::default();
        let (own_id, record) = (self.ids.next(), Record::default());
        let (timer, metrics, pipeline) = (&timer, &*self.shared.metrics, &*pipeline.pipeline);
        let told = &Told::default();
        let passage = Passage { connection, told, timer, pipeline, metrics, own_id, started, record };
        admit::identify(pipeline, &mut exchange.request, own_id);
        let mut made = passage.refusal(fault, &exchange.request);
        passage.identify(&mut made, &exchange.request);
        // As above.
        let told = answer::write(&made, &passage, true, response).await;
        passage.record.incomplete.set(told.is_err());
        let traffic = Traffic { received: 0, sent: response.bytes_sent() };
        observe(&passage, exchange, &self.shared.unrouted, traffic);
    }

    fn memory(&self) -> Option<Arc<Memory>> {
        Some(Arc::clone(&self.shared.overload.memory))
    }

    fn settings(&self) -> Rc<ServerSettings> {
        Rc::clone(&self.current.borrow().server)
    }

    fn entrance(&self, listener: usize) -> Option<Entrance> {
        let pipeline = self.pipeline();
        pipeline.pipeline.listeners.get(listener).map(|listener| listener.entrance.clone())
    }

    fn seat(&self) -> Option<Seat> {
        let caps = self.current.borrow().pipeline.overload.connections;
        self.shared.overload.connections.enter(&caps).ok()
    }

    fn welcomes(&self, seat: &mut Seat, client: IpAddr) -> bool {
        let pipeline = &self.current.borrow().pipeline;
        // A trusted proxy has connections for many.
        let trusted = || pipeline.trusted_proxies.iter().any(|network| network.contains(client));
        let caps = &pipeline.overload.connections;
        caps.address.is_none() || trusted() || seat.sit(client, caps).is_ok()
    }

    fn admitted(&self, connection: &ConnectionInfo) {
        if let Some(tls) = &connection.tls {
            self.shared.handshakes.done(tls);
        }
    }

    fn turned_away(&self, listener: usize, peer: SocketAddr, fault: &HandshakeFault) {
        self.shared.handshakes.failed(listener, peer, fault);
    }

    fn opened(&self) {
        self.shared.metrics.connections().opened();
    }

    fn closed(&self) {
        self.shared.metrics.connections().closed();
    }

    fn http2_ended(&self, end: ConnectionEnd) {
        self.shared.metrics.connections().http2_ended(end.label());
    }

    fn http2_refused(&self, count: u64) {
        self.shared.metrics.connections().http2_refused(count);
    }
}
