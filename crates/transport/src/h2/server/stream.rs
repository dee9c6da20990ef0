//! One request's task, from its head to the end of its response.

use super::body::RequestStream;
use super::connection::Place;
use super::response::{Respond, ResponseStream};
use crate::body::BodySource;
use crate::h2::arriving::Arriving;
use crate::h2::convert::received_fields;
use crate::h2::ledger::{Ledger, Piece};
use crate::patience::Patience;
use crate::service::{ConnectionInfo, Service};
use crate::timer::Timer;
use h2::RecvStream;
use h2::server::SendResponse;
use http::Request;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Waker};
use torana_fault::{Fault, Reason};
use torana_http::h1::{BodyFraming, HeadLimits};
use torana_http::h2::{RequestParts, is_grpc_type, read_request};
use torana_http::{Known, Method, RequestHead, Version};

/// A connection as its streams share it.
pub(super) struct Client<S: Service> {
    pub(super) info: ConnectionInfo,
    pub(super) memory: S::Memory,
    pub(super) service: Rc<S>,
    pub(super) ledger: Rc<Ledger>,
    /// Whether the connection is to take no further request.
    pub(super) parts: Cell<bool>,
}

/// What is kept between two requests.
const KEPT: usize = 64;

thread_local! {
    /// Timers between two requests of this worker.
    static SPARE: RefCell<Vec<Timer>> = const { RefCell::new(Vec::new()) };
}

/// A request whose head has come, and that was not begun yet.
pub(super) struct Accepted {
    parts: Parts,
    /// None where the head is all.
    body: Option<Rc<Arriving>>,
    respond: SendResponse<Piece>,
}

impl Accepted {
    /// What comes of its body is on the ledger from here on, whether or not anybody reads it.
    pub(super) fn new(
        request: Request<RecvStream>,
        respond: SendResponse<Piece>,
        ledger: &Rc<Ledger>,
    ) -> Self {
        let (parts, stream) = request.into_parts();
        let body = (!stream.is_end_stream()).then(|| ledger.watch(stream));
        Self { parts, body, respond }
    }

    /// Whether nobody waits for it any more.
    pub(super) fn is_cancelled(&mut self) -> bool {
        // Whoever begins it asks anew.
        self.respond.poll_reset(&mut Context::from_waker(Waker::noop())).is_ready()
    }
}

pub(super) async fn serve_stream<S: Service>(client: Rc<Client<S>>, request: Accepted, _place: Place) {
    let Client { info, memory, service, ledger, parts: parting } = &*client;
    let settings = service.settings();
    let Accepted { parts, body: arriving, respond } = request;
    let timer = SPARE.with(|spare| spare.borrow_mut().pop()).unwrap_or_default();
    let mut room = service.room();
    let head = room.as_mut().as_mut();
    let read = read_head(&parts, arriving.is_none(), &settings.head_limits, head);
    if read.is_err() {
        salvage(&parts, head);
    }
    drop(parts);
    let read = read.and_then(|()| settings.check(head));
    let read = read.and_then(|()| check_memory(head, ledger));
    let respond = RefCell::new(Respond::new(respond, Rc::clone(ledger)));
    let patience = Patience::new(settings.write_timeout, settings.min_rate);
    let mut response =
        ResponseStream::new(&respond, parting, &timer, patience, head.method() == Method::Head);
    match read {
        Ok(()) => {
            let is_empty = head.framing == BodyFraming::Length(0);
            let mut body = RequestStream::new(arriving, head, &timer, &settings, &respond);
            // A head that announces nothing is a whole request to a service of HTTP/1, while the client could still
            // send what makes it malformed.
            let ended = if is_empty { poll_fn(|context| body.poll_fill(context)).await } else { Ok(true) };
            match ended {
                Ok(_) => service.serve(info, memory, &timer, &mut room, &mut body, &mut response).await,
                Err(fault) => service.refuse(info, &mut room, fault, &mut response).await,
            }
        }
        Err(fault) => service.refuse(info, &mut room, fault, &mut response).await,
    }
    let complete = response.is_complete();
    if !complete {
        respond.borrow_mut().reset(h2::Reason::INTERNAL_ERROR);
    }
    // Dropping the request's stream before its end says NO_ERROR: the answer does not need the rest.
    service.take_back(room);
    SPARE.with(|spare| {
        let mut spare = spare.borrow_mut();
        if spare.len() < KEPT {
            spare.push(timer);
        }
    });
}

fn read_head(parts: &Parts, ends: bool, limits: &HeadLimits, head: &mut RequestHead) -> Result<(), Fault> {
    let target = parts.uri.path_and_query().map(http::uri::PathAndQuery::as_str);
    let request = RequestParts {
        method: parts.method.as_str(),
        authority: parts.uri.authority().map(http::uri::Authority::as_str),
        target: target.unwrap_or_default(),
        ends,
    };
    read_request(&request, received_fields(&parts.headers), limits, head)
        .map_err(|error| Fault::new(error.request_reason()).because(error.detail))
}

/// What can be told of a request that is refused, and whether it is a call of gRPC, which is refused by a status of
/// its own.
fn salvage(parts: &Parts, head: &mut RequestHead) {
    head.salvage(Version::Http2, parts.method.as_str().as_bytes(), parts.uri.path().as_bytes());
    let kind = parts.headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if is_grpc_type(kind) {
        // Too few and too short to be refused.
        let _ = head.fields.insert(Known::ContentType, b"application/grpc");
    }
}

/// At the ceiling no body is begun: what has begun fills memory enough.
fn check_memory(head: &RequestHead, ledger: &Ledger) -> Result<(), Fault> {
    if head.framing != BodyFraming::None && !ledger.has_room() {
        let fault = Fault::new(Reason::MemoryFull).because("`limits.buffered_bytes` is reached");
        return Err(fault.with_field("Retry-After", "1".into()));
    }
    Ok(())
}
