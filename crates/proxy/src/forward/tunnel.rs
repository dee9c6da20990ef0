//! A connection that has left HTTP (RFC 9110 section 7.8), until both sides are done with it.

use super::Call;
use torana_fault::{Fault, Reason};
use torana_transport::{ClientExchange, Lease, RequestBody, ResponseSink, Tunnelled, tunnel};

/// Moves bytes on an upstream connection whose 101 is on its way to the client, until both sides have ended,
/// one fails, or neither moves for too long.
pub(super) async fn run(
    call: &Call<'_>,
    mut lease: Lease,
    body: &mut impl RequestBody,
    response: &mut impl ResponseSink,
) -> Result<(), Fault> {
    let ClientExchange { mut writer, reader } =
        lease.exchange(call.timer, call.upstream.head_limits, call.timeouts.idle);
    writer.switch();
    body.switch();
    let mut source = reader.switch();
    let idle = call.timeouts.tunnel;
    match tunnel(call.timer, idle, (body, response), (&mut source, &mut writer)).await {
        Tunnelled::Ended => Ok(()),
        Tunnelled::Idle => Err(Fault::new(Reason::TunnelIdle)),
        Tunnelled::ClientFailed(fault) | Tunnelled::UpstreamFailed(fault) => Err(fault),
    }
}
