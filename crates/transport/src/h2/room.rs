//! Waiting for a peer to take more of a body: its windows, and what may wait for the socket.

use super::ledger::Piece;
use h2::SendStream;
use std::task::{Context, Poll};

/// Room for some of `wanted` more bytes. `None`: the peer wants no more.
pub(super) fn poll_room(
    stream: &mut SendStream<Piece>,
    context: &mut Context<'_>,
    wanted: usize,
) -> Poll<Option<Result<usize, h2::Error>>> {
    stream.reserve_capacity(wanted);
    match stream.capacity() {
        0 => stream.poll_capacity(context),
        room => Poll::Ready(Some(Ok(room))),
    }
}
