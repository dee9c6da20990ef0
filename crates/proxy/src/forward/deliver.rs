//! An answer on its way to the client, from its head on.

use super::{Parties, Responder};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};
use torana_fault::{Fault, Reason};
use torana_filter::Exchange;
use torana_http::h1::{BodyFraming, remove_hop_by_hop};
use torana_http::{Known, ResponseHead, Version};
use torana_transport::{BodySource, Relayed, RequestBody, ResponseBody, ResponseSink, Waits, relay_noting};

/// Gives an answer to the client; when another try follows `again`, reads what has come of it instead. Tells whether all of
/// it was read and its connection can be used again.
pub(super) async fn deliver<B: RequestBody, S: ResponseSink, R: Responder>(
    head: &mut ResponseHead,
    source: &mut ResponseBody<'_>,
    again: bool,
    waits: &Waits,
    parties: &mut Parties<'_, '_, B, S, R>,
) -> Result<bool, Fault> {
    if again {
        let all = poll_fn(|context| Poll::Ready(skip(context, source))).await;
        return Ok(all && source.leaves_connection_usable());
    }
    let framing = prepare(head, parties.exchange, parties.responder).await?;
    parties.response.start(head, framing, !parties.body.is_done());
    let relayed = {
        let mut download = pin!(relay_noting(source, parties.response, waits));
        poll_fn(|context| match download.as_mut().poll(context) {
            Poll::Ready(relayed) => Poll::Ready(relayed),
            Poll::Pending => parties.body.poll_left(context).map(Relayed::SinkFailed),
        })
        .await
    };
    finished(relayed, parties.response).await?;
    Ok(source.leaves_connection_usable())
}

/// Gives the client its 101.
pub(super) async fn switch<B: RequestBody, S: ResponseSink, R: Responder>(
    head: &mut ResponseHead,
    protocol: &str,
    parties: &mut Parties<'_, '_, B, S, R>,
) -> Result<(), Fault> {
    prepare(head, parties.exchange, parties.responder).await?;
    parties.response.switch(head, protocol);
    parties.responder.on_switch();
    Ok(())
}

/// Gives an interim response to the client, all but `100 Continue`: that one is between the client and us,
/// and was sent when the body was first wanted.
pub(super) fn pass_on(head: &mut ResponseHead, response: &mut impl ResponseSink) {
    if head.status != 100 {
        remove_hop_by_hop(&mut head.fields, head.connection.names_fields);
        head.fields.remove(Known::ContentLength);
        response.interim(head);
    }
}

/// The protocol that is spoken from here on, where this head says so.
///
/// # Errors
/// Nobody has asked for that.
pub(super) fn switched<'u>(head: &ResponseHead, asked: Option<&'u str>) -> Result<Option<&'u str>, Fault> {
    if head.status != 101 {
        return Ok(None);
    }
    let unasked =
        || Fault::new(Reason::UpstreamMalformed).because("switched to a protocol that it was not asked for");
    asked.filter(|asked| is_switch_to(head, asked)).ok_or_else(unasked).map(Some)
}

/// Whether a 101 names the protocol that was asked for, and no other.
fn is_switch_to(head: &ResponseHead, asked: &str) -> bool {
    let mut named = head.fields.get_all(Known::Upgrade);
    let right = named.next().is_some_and(|name| name.trim_ascii().eq_ignore_ascii_case(asked.as_bytes()));
    right && named.next().is_none() && head.connection.upgrade
}

/// Makes the upstream's head ours: what belongs to its connection goes, the filters have their say.
pub(super) async fn prepare(
    head: &mut ResponseHead,
    exchange: &mut Exchange,
    responder: &mut impl Responder,
) -> Result<BodyFraming, Fault> {
    let framing = head.framing;
    let wanted = wanted_protocol(head, exchange);
    remove_hop_by_hop(&mut head.fields, head.connection.names_fields);
    if let Some(protocol) = wanted {
        head.fields.append(Known::Upgrade, &protocol)?;
        head.fields.append(Known::Connection, b"Upgrade")?;
    }
    if matches!(head.status, 101 | 204) {
        // Whoever believed it would wait for a body (RFC 9110 section 8.6).
        head.fields.remove(Known::ContentLength);
    }
    responder.on_response(exchange, head).await?;
    Ok(framing)
}

/// What a service wants to be spoken with instead: an answer of 426 says nothing without it (RFC 9110 section 15.5.22).
fn wanted_protocol(head: &ResponseHead, exchange: &Exchange) -> Option<Vec<u8>> {
    let says = head.status == 426 && exchange.request.version == Version::Http11;
    head.fields.get(Known::Upgrade).filter(|_| says).map(<[u8]>::to_vec)
}

/// What has become of an answer's body.
///
/// # Errors
/// It is not whole. Where none of the answer has left, it is taken back: to the client nothing has been said, so another
/// try may follow, or the fault be told. Otherwise what is held of it goes out, as far as the client takes it at once.
pub(super) async fn finished(relayed: Relayed, response: &mut impl ResponseSink) -> Result<(), Fault> {
    match relayed {
        Relayed::Complete => Ok(()),
        Relayed::SinkFailed(fault) => Err(fault),
        Relayed::SourceFailed(fault) => {
            if !response.take_back() {
                poll_fn(|context| Poll::Ready(response.poll_flush(context).is_ready())).await;
            }
            Err(fault)
        }
    }
}

/// Reads what has already arrived of a body that nobody wants; `true` when that is all of it.
fn skip(context: &mut Context<'_>, source: &mut impl BodySource) -> bool {
    loop {
        match source.poll_fill(context) {
            Poll::Ready(Ok(true)) => source.consume(),
            Poll::Ready(Ok(false)) => return true,
            Poll::Ready(Err(_)) | Poll::Pending => return false,
        }
    }
}
