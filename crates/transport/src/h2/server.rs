//! The client side of HTTP/2: one task moves a connection's frames, one task a request serves it.

mod body;
mod connection;
mod farewell;
mod response;
mod stream;

use super::arriving::UNCOUNTED;
use super::ledger::Piece;
use super::settings::{ConnectionEnd, SEND_BUFFER, end_of, header_list_size};
use super::socket::Socket;
use crate::buffer::Buffer;
use crate::clock::{after, later};
use crate::drain::Drain;
use crate::io::Io;
use crate::patience::Patience;
use crate::service::{ConnectionInfo, ServerSettings, Service};
use crate::timer::{Timer, within};
use connection::Connection;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use torana_fault::Reason;

/// Serves a connection's requests until either side ends it. `received` are bytes that were read already,
/// from the preface on. Must run where `tokio::task::spawn_local` works: each request is
/// a task of its own.
pub async fn serve_connection<S: Service + 'static>(
    io: Io,
    received: Option<Buffer>,
    info: ConnectionInfo,
    service: Rc<S>,
    drain: Rc<Drain>,
) {
    let _seat = poll_fn(|context| Poll::Ready(drain.seat(context.waker().clone()))).await;
    let settings = service.settings();
    let timer = Timer::default();
    let io = Rc::new(io);
    let patience = Patience::new(settings.write_timeout, settings.min_rate);
    let (socket, watch) = Socket::from_client(Rc::clone(&io), received, patience);
    let seen = Rc::clone(&watch);
    let deadline = after(settings.head_timeout);
    let handshake = builder(&settings).handshake::<_, Piece>(socket);
    let end = match within(&timer, deadline, Reason::ClientHeadTimeout, handshake).await {
        Ok(Ok(frames)) => {
            Connection::new(frames, watch, Rc::clone(&settings), info, Rc::clone(&service))
                .run(&timer, &drain)
                .await
        }
        Ok(Err(error)) => end_of(&error),
        Err(_) => ConnectionEnd::HeadTimeout,
    };
    if matches!(end, ConnectionEnd::WriteTimeout | ConnectionEnd::PingTimeout) {
        // Nobody is there to read what the kernel still holds.
        io.reset();
    }
    service.http2_ended(end);
    if matches!(end, ConnectionEnd::Drained | ConnectionEnd::Idle | ConnectionEnd::Outdated)
        && let Some(sent) = seen.last_sent()
    {
        farewell::linger(&io, &timer, later(sent, settings.write_timeout)).await;
    }
}

fn builder(settings: &ServerSettings) -> h2::server::Builder {
    let http2 = &settings.http2;
    let mut builder = h2::server::Builder::new();
    builder
        .max_concurrent_streams(http2.max_streams)
        .initial_window_size(http2.stream_window)
        .initial_connection_window_size(http2.connection_window)
        .max_header_list_size(header_list_size(&settings.head_limits))
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .data_frame_budget(UNCOUNTED)
        .max_send_buffer_size(SEND_BUFFER);
    builder
}

/// Requests that were cancelled before they were begun. The guard ends a storm sooner.
const PENDING_RESETS: usize = 512;

#[cfg(test)]
mod tests;
